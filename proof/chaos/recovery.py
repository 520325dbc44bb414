"""How long it took until a match was made and started again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from crowd.history import Event, What
from proof.chaos.faults import Blow, Kind

Recoveries = Mapping[Kind, Sequence[float]]
"""Seconds, by the kind of the last fault before the calm."""


def recoveries(events: Iterable[Event], blows: Iterable[Blow]) -> Recoveries:
    """From the moment at which everything was there again to the start of a match made after it.

    Players come all the time, so there is always somebody to match.
    """
    offered: dict[str, float] = {}
    started: dict[str, float] = {}
    for event in events:
        if event.what is What.OFFERED:
            offered.setdefault(event.match, event.at)
        elif event.what is What.STARTED:
            started.setdefault(event.match, event.at)
    made = sorted((offered[match], at) for match, at in started.items() if match in offered)
    # The earliest start among the matches that were made at this one's time or later.
    earliest = list(accumulate((at for _, at in reversed(made)), min))[::-1]
    found: dict[Kind, list[float]] = {}
    for blow in blows:
        first = bisect_left(made, (blow.back_at,))
        if blow.then_calm and first < len(made):
            found.setdefault(blow.kind, []).append(earliest[first] - blow.back_at)
    return found
