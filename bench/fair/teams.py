"""How Forged Alliance Forever makes teams: anew from its public description, in the simplest form.

Around each ticket the nearest, by turns lower and higher, whoever has room; teams by the largest
difference first (Karmarkar and Karp); of all such games the best first, whose quality is at least
0.4. The quality is how equal the teams are times how alike the players are, and a little more for
each pop that was missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from itertools import chain, zip_longest
from statistics import pstdev
from typing import Any

from bench.fair.others import PopTimer
from bench.fair.traces import rating_of
from matchkeeper.domain.match import Proposal
from matchkeeper.domain.ticket import Ticket

_LEAST, _MOST_IMBALANCE, _MOST_DEVIATION = 0.4, 250.0, 250.0
_MISSED, _MOST_MISSED = 0.01, 0.2
_FILLED = 5_000.0
"""Added for each player, so that teams of equal sums have equally many."""


def _players(ticket: Ticket) -> int:
    return len(ticket.members)


class Neighbours:
    """Two teams of `size` players."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._timer = PopTimer(players=2 * size)
        self._missed = Counter[str]()
        self._waiting = 0

    def arrived(self, ticket: Ticket) -> Ticket:
        """As it came."""
        return ticket

    def looks_now(self, waiting: int) -> bool:
        """Never."""
        del waiting
        return False

    def next_look(self, now: float, waiting: int) -> float:
        """The next pop."""
        players, self._waiting = (self._waiting if waiting else 0), 0
        return self._timer.next_pop(now, players)

    def choose(self, waiting: Sequence[Ticket], now: float) -> list[Proposal]:
        """The best games first."""
        del now
        self._waiting = sum(map(_players, waiting))
        ordered = sorted(waiting, key=rating_of)
        games = []
        for place in range(len(ordered)):
            teams = self._game(ordered, place)
            quality = -1.0 if teams is None else self._quality(teams)
            if teams is not None and quality >= _LEAST:
                games.append((-quality, place, teams))
        taken: set[str] = set()
        found = []
        for _, _, teams in sorted(games, key=lambda game: game[:2]):
            names = {each.ticket_id for team in teams for each in team}
            if not names & taken:
                taken |= names
                found.append(Proposal(teams=tuple(tuple(team) for team in teams)))
        self._missed.update(each.ticket_id for each in waiting if each.ticket_id not in taken)
        return found

    def _game(self, ordered: Sequence[Ticket], place: int) -> list[list[Ticket]] | None:
        """A game around one ticket; None if nobody fills it or the teams come out unequal."""
        by_turns = chain.from_iterable(zip_longest(ordered[place:], ordered[place - 1 :: -1])
                                       if place else ((each,) for each in ordered))  # fmt: skip
        chosen: list[Ticket] = []
        left = 2 * self._size
        for each in by_turns:
            if each is not None and _players(each) <= left:
                chosen.append(each)
                left -= _players(each)
            if not left:
                teams = _by_difference(chosen)
                full = all(sum(map(_players, team)) == self._size for team in teams)
                return teams if full else None
        return None

    def _quality(self, teams: Sequence[Sequence[Ticket]]) -> float:
        sums = [sum(rating_of(each) * _players(each) for each in team) for team in teams]
        fair = max(1 - abs(sums[0] - sums[1]) / _MOST_IMBALANCE, 0)
        everybody = [rating_of(each) for team in teams for each in team]
        alike = max(1 - pstdev(everybody) / _MOST_DEVIATION, 0)
        missed = sum(max(self._missed[each.ticket_id] for each in team) for team in teams)
        return fair * alike + min(_MISSED * missed, _MOST_MISSED)


def _by_difference(tickets: Sequence[Ticket]) -> list[list[Ticket]]:
    """The two largest go to different teams, and count as one that is as large as they differ."""
    heap: list[Any] = [
        (-(_FILLED + rating_of(each)) * _players(each), number, [each], [])
        for number, each in enumerate(tickets)
    ]
    heapify(heap)
    number = len(heap)
    while len(heap) > 1:
        most, _, one, two = heappop(heap)
        less, _, three, four = heappop(heap)
        number += 1
        heappush(heap, (most - less, number, one + four, two + three))
    return [heap[0][2], heap[0][3]]
