"""Which parties the teams of a match have room for. Sizes only: who is taken is decided elsewhere.

A lone player fills any place. So parties and lone players fill a match if all parties have a place
on a team, and there are as many lone players as places are left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heapreplace

_ROUND_STEPS = 50_000
"""Places that all searches of one round may try."""
_SEARCH_STEPS = 2_000
_LARGEST = 1_000
"""Players of a match."""

Amounts = tuple[tuple[int, int], ...]
"""(size, how many) of parties, the largest first."""
Placed = list[tuple[int, int]]
"""(size, team) of each party."""


def amounts_of(tickets: Mapping[int, int]) -> Amounts:
    """Of parties alone. `tickets`: how many have so many players."""
    return tuple(
        [each for each in sorted(tickets.items(), reverse=True) if each[0] > 1 and each[1] > 0]
    )


class Searches:
    """The searches of one round, each done once. When the steps of the round are spent, no more is
    found.
    """

    def __init__(self, *, teams: int, size: int) -> None:
        self.teams = teams
        self.size = size
        self._left = _ROUND_STEPS
        self._known: dict[object, tuple[Placed | None, bool]] = {}

    @property
    def spent(self) -> bool:
        """Whether nothing more is looked for."""
        return self._left <= 0

    def places(self, parties: Sequence[int]) -> Placed | None:
        """A team for each party, of those given largest first; None if none was found."""
        return self._ask(tuple(parties), (), 0, self.teams * self.size)[0]

    def completed(
        self, parties: Sequence[int], others: Amounts, *, least: int, most: int
    ) -> Placed | None:
        """A team for each party, and for some of the others, so that between `least` and `most`
        lone players fill the rest; None if none was found.
        """
        return self._ask(tuple(parties), others, least, most)[0]

    def never(self, parties: Sequence[int], others: Amounts, *, least: int, most: int) -> bool:
        """Whether it is certain that `completed` finds nothing."""
        found, certain = self._ask(tuple(parties), others, least, most)
        return certain and found is None

    def _ask(
        self, parties: tuple[int, ...], others: Amounts, least: int, most: int
    ) -> tuple[Placed | None, bool]:
        """What was found, and whether that is certain."""
        key = (parties, others, least, most)
        if key not in self._known:
            if self.spent:
                return None, False
            search = _Search(parties, others, least, most)
            found = search.place((self.size,) * self.teams, 0)
            self._left -= search.taken
            self._known[key] = search.placed if found else None, found or not search.given_up
        return self._known[key]


class Seating:
    """Parties on the teams of one match, as they are taken."""

    def __init__(self, searches: Searches) -> None:
        self._searches = searches
        self._room = [(-searches.size, team) for team in range(searches.teams)]
        """A heap: the team with the most room first."""
        self.placed: Placed = []

    def takes(self, size: int) -> bool:
        """Finds a team for one more party. Where none has room, those placed move."""
        room, team = self._room[0]
        if -room >= size:
            heapreplace(self._room, (room + size, team))
            self.placed.append((size, team))
            return True
        sizes = sorted([size, *(each for each, _ in self.placed)], reverse=True)
        placed = self._searches.places(sizes)
        if placed is None:
            return False
        self.placed = list(placed)
        free = [self._searches.size] * self._searches.teams
        for each, team in self.placed:
            free[team] -= each
        self._room = sorted((-room, team) for team, room in enumerate(free))
        return True


class _Search:
    """One search: each party in turn on each team that has room, the fullest first; then others,
    until lone players fill the rest.
    """

    def __init__(self, parties: tuple[int, ...], others: Amounts, least: int, most: int) -> None:
        self._parties = parties
        self._others = others
        self._least = least
        self._most = most
        self._failed: set[tuple[int, ...]] = set()
        self._sums = _sums([size for size, _ in others])
        self._wasted: dict[int, int] = {}
        self.taken = 0
        self.given_up = False
        self.placed: Placed = []

    def place(self, free: tuple[int, ...], at: int) -> bool:
        """Places the parties from number `at` on; `free` is the room of each team."""
        if at == len(self._parties):
            return self._add(free, sum(free), 0, 0)
        state = (at, *sorted(free))
        if state in self._failed:
            return False
        size = self._parties[at]
        for team, rest in self._on(free, size):
            self.placed.append((size, team))
            if self.place(rest, at + 1):
                return True
            self.placed.pop()
        self._failed.add(state)
        return False

    def _add(self, free: tuple[int, ...], places: int, kind: int, used: int) -> bool:
        """Adds others until lone players fill the places; `used` of this kind are there."""
        if places <= self._most:
            return places >= self._least
        state = (-1 - kind, used, *sorted(free))
        if state in self._failed or sum(map(self._waste, free)) > self._most:
            return False
        for number in range(kind, len(self._others)):
            size, count = self._others[number]
            there = used if number == kind else 0
            if there == count or places - size < self._least:
                continue
            for team, rest in self._on(free, size):
                self.placed.append((size, team))
                if self._add(rest, places - size, number, there + 1):
                    return True
                self.placed.pop()
        self._failed.add(state)
        return False

    def _waste(self, room: int) -> int:
        """How many places no others can fill, however many there are."""
        if room not in self._wasted:
            self._wasted[room] = room + 1 - (self._sums & ((2 << room) - 1)).bit_length()
        return self._wasted[room]

    def _on(self, free: tuple[int, ...], size: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Each team that has room, with what is free then; one of those with equal room."""
        for room in sorted({each for each in free if each >= size}):
            if self.taken >= _SEARCH_STEPS:
                self.given_up = True
                return
            self.taken += 1 + len(free) // 8
            team = free.index(room)
            yield team, (*free[:team], room - size, *free[team + 1 :])


def _sums(sizes: Sequence[int]) -> int:
    """All sums of the sizes, each taken any number of times, up to a thousand: bit by bit."""
    sums = 1
    for size in sizes:
        step = size
        while step <= _LARGEST:
            sums |= sums << step
            step *= 2
    return sums
