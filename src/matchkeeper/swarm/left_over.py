"""Whether those who wait make a match at all: parties may be many, and fill no team."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from matchkeeper.swarm.player import Player

_STEPS = 5_000
"""Parties put on a team to find out. Who is not known to be left over waits for the timeout."""


def only_left_over(
    players: Iterable[Player], sizes: Mapping[str, int], teams: Mapping[str, int]
) -> bool:
    """Whether all of them wait, and those of no mode make a match. `sizes`: players of a match, and
    `teams`, by mode in lower case.
    """
    by_mode: dict[str, Counter[int]] = {}
    for player in players:
        if player.judged or player.leaving or not player.must_wait:
            return False
        by_mode.setdefault(player.mode.lower(), Counter())[player.size] += 1
    return not any(
        make_a_match(
            {size: count // size for size, count in waiting.items()},
            players=sizes.get(mode, 0),
            teams=teams.get(mode, 2),
        )
        for mode, waiting in by_mode.items()
    )


def make_a_match(tickets: Mapping[int, int], *, players: int, teams: int) -> bool:
    """Whether some of these, so many of each size, fill the teams of a match exactly, or one of
    them a match by itself. True, too, where that is too long to find out.
    """
    if sum(size * count for size, count in tickets.items()) < players:
        return False
    if not players or tickets.get(players):
        return True
    team = max(1, players // teams)
    sizes = sorted((each for each in tickets if each <= team), reverse=True)
    counts = tuple(min(tickets[each], players // each) for each in sizes)
    return _Filling(sizes, team).fills(counts, 0, 0, players // team)


class _Filling:
    """One team after the other, each with the largest first."""

    def __init__(self, sizes: list[int], team: int) -> None:
        self._sizes = sizes
        self._team = team
        self._failed: set[tuple[tuple[int, ...], int, int, int]] = set()
        self._steps = _STEPS

    def fills(self, counts: tuple[int, ...], at: int, room: int, teams: int) -> bool:
        """Whether `counts` of the sizes fill `room` places, from size number `at` on, and then as
        many teams.
        """
        if not room:
            return not teams or self.fills(counts, 0, self._team, teams - 1)
        state = (counts, at, room, teams)
        if state in self._failed:
            return False
        self._steps -= 1
        for nth in range(at, len(counts)):
            size = self._sizes[nth]
            # Players who are alone all fill the same places: as many as are left.
            taken = room if size == 1 else 1
            if self._steps > 0 and counts[nth] >= taken and size <= room:
                rest = (*counts[:nth], counts[nth] - taken, *counts[nth + 1 :])
                if self.fills(rest, nth, room - size * taken, teams):
                    return True
        self._failed.add(state)
        return self._steps <= 0
