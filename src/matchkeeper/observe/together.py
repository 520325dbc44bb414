"""How long the players of new matches had waited, by how many came together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from matchkeeper.store.matches import Committed

LARGEST = 5
MORE = "more"
"""Larger parties count as one size, so that there are six."""


def with_parties(made: Sequence[Committed], waits_seconds: Sequence[float]) -> bool:
    """Whether a party is in these matches. `waits_seconds`: of all players, match after match."""
    return len(waits_seconds) > sum([len(each.match.tickets) for each in made])


def by_size(
    made: Sequence[Committed], waits_seconds: Sequence[float]
) -> Iterator[tuple[str, float]]:
    """(players, seconds waited) of each ticket: `1` is alone."""
    waits = iter(waits_seconds)
    for each in made:
        for ticket in each.match.tickets:
            players = len(ticket.members)
            wait = next(islice(waits, players - 1, None))
            yield str(players) if players <= LARGEST else MORE, wait
