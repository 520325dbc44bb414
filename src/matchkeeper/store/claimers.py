"""Game servers that claim matches and do not start them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from matchkeeper.store import keys

_HELD = re.compile(rb"(\d{1,9}) ([\d.]{1,30}) ([\d.]{1,30})")


class Refusals(Protocol):
    """When and for how long the claims of a game server are refused, as the settings say. Each
    further refusal lasts twice as long.
    """

    @property
    def unstarted_threshold(self) -> int:
        """So many leases in a row without a start bring the first refusal."""

    @property
    def unstarted_refusal_seconds(self) -> float:
        """How long the first refusal lasts."""

    @property
    def unstarted_refusal_max_seconds(self) -> float:
        """How long a refusal lasts at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimer:
    """A game server whose last claims came to nothing."""

    pod_id: str
    not_started: int
    """Matches in a row that it claimed and did not start."""
    refused_for_seconds: float | None
    """Until it may claim again, below 0 when it already may; None: it was never refused."""


def claimers(now: float, reply: Sequence[bytes]) -> tuple[Claimer, ...]:
    """From the reply of `overdue.lua`. What cannot be read counts as unknown."""
    return tuple(_readable(now, reply))


def _readable(now: float, reply: Sequence[bytes]) -> Iterator[Claimer]:
    for pod, held in zip(reply[::2], reply[1::2], strict=True):
        found = _HELD.fullmatch(held)
        try:
            count, until = (int(found[1]), float(found[3])) if found else (0, 0.0)
        except ValueError:
            continue
        if count:
            yield Claimer(
                pod_id=keys.text(pod),
                not_started=count,
                refused_for_seconds=until - now if until else None,
            )
