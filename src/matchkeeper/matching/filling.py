"""Fills one match around a ticket, nearest first, with parties of any size.

Of the tickets that come in question each in turn, the nearest first, is taken if a full match
can still be made with it. So a near ticket is passed over only where it fits no full match of those
taken so far and others in reach.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from heapq import heapify, heappop, heapreplace
from itertools import islice
from typing import NamedTuple

from matchkeeper.matching.room import Placed, Searches, Seating, amounts_of

Candidate = tuple[float, int, int]
"""How far it is, its number in the order of waiting, and how many players it has."""


class Filled(NamedTuple):
    """A full match."""

    numbers: list[int]
    """Its tickets, the one that it is filled around first."""
    placed: Placed


def filled(
    anchor: Candidate, sources: Mapping[int, Iterator[Candidate]], searches: Searches
) -> Filled | None:
    """A full match around `anchor`. `sources`: candidates by their number of players, the nearest
    first, without the anchor.

    Takes whatever still has room, and nearly always that fills the match; then nobody was passed
    over who would have fitted. Else it looks at all that come in question.
    """
    seating, left = Seating(searches), searches.teams * searches.size - anchor[2]
    taken, passed = [anchor], []
    if anchor[2] > 1:
        seating.takes(anchor[2])
    nearest = [found for each in sources.values() if (found := next(each, None))]
    heapify(nearest)
    while left and nearest:
        candidate = nearest[0]
        size = candidate[2]
        if size > left or (size > 1 and not seating.takes(size)):
            passed.append(heappop(nearest))  # and so would be all of its size
            continue
        taken.append(candidate)
        left -= size
        if following := next(sources[size], None):
            heapreplace(nearest, following)
        else:
            heappop(nearest)
    if left:
        # Where nothing was passed over, all of them are too few.
        seen = [*taken[1:], *passed]
        return _completed(anchor, seen, sources, searches) if passed else None
    return Filled([number for _, number, _ in taken], seating.placed)


def _completed(
    anchor: Candidate,
    seen: list[Candidate],
    sources: Mapping[int, Iterator[Candidate]],
    searches: Searches,
) -> Filled | None:
    """Looks before it takes. `seen`: what has been drawn out of the sources."""
    if searches.spent:
        return None
    amounts = dict.fromkeys(sources, 0)
    for _, _, size in seen:
        amounts[size] += 1
    for size, source in sources.items():
        most = searches.teams * searches.size // size
        more = list(islice(source, max(0, most - amounts[size])))
        amounts[size] += len(more)
        seen += more
    match = _Match(searches, amounts, anchor)
    if match.found is None:
        return None
    for candidate in sorted(seen):
        match.offer(candidate)
    return Filled(match.numbers, match.found)


class _Match:
    """A full match that is known to be possible, and what is taken for it. `amounts`: candidates
    that are left, by their number of players.
    """

    def __init__(self, searches: Searches, amounts: dict[int, int], anchor: Candidate) -> None:
        self._searches = searches
        self._amounts = amounts
        self._spare: Counter[int] = Counter()
        """What is not taken yet of the match that was found, by the number of players."""
        self._parties: list[int] = []
        self._lone = 0
        self.numbers: list[int] = []
        self.found: Placed | None = None
        if self._possible(anchor[2]):
            self._take(anchor)

    def offer(self, candidate: Candidate) -> None:
        """Takes it if there is a full match with it."""
        size = candidate[2]
        if not self._amounts[size]:
            return  # one of its size was passed over, or it is full
        self._amounts[size] -= 1
        if self._spare[size] or self._possible(size):
            self._take(candidate)
        else:
            self._amounts[size] = 0  # what does not fit now fits even less with more taken

    def _take(self, candidate: Candidate) -> None:
        _, number, size = candidate
        self.numbers.append(number)
        self._spare[size] -= 1
        if size == 1:
            self._lone += 1
        else:
            self._parties.append(size)

    def _possible(self, size: int) -> bool:
        lone = self._lone + (size == 1)
        parties = sorted([*self._parties, size] if size > 1 else self._parties, reverse=True)
        others = amounts_of(self._amounts)
        most = lone + self._amounts.get(1, 0)
        found = self._searches.completed(parties, others, least=lone, most=most)
        if found is None:
            return False
        self.found = found
        players = self._searches.teams * self._searches.size
        self._spare = Counter([each for each, _ in found])
        self._spare[1] = players - sum(self._spare.elements()) - self._lone
        self._spare.subtract(self._parties)
        return True
