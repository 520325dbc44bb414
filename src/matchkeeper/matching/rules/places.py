"""Folds of what is no rule of its own: the room in teams, the roles, and the region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from matchkeeper.domain.layout import MatchRules, RegionRule
from matchkeeper.matching.rules.folds import Entry, Fold, Simple

ANY = ""
"""The role on a team without roles."""

Room = tuple[int, int, tuple[int, ...], tuple[int, ...], int, int]
"""Players so far; tickets so far; for each team the fewest and the most that all accept; the same
of the match.
"""


def _room(players: int, tickets: int, lows: tuple[int, ...], highs: tuple[int, ...]) -> Room:
    return players, tickets, lows, highs, sum(lows), sum(highs)


def room_of(rules: MatchRules) -> Fold:
    """How many players the teams have room for."""

    def read(entry: Entry) -> Room:
        ranges = [team.size_at(entry.waited) for team in rules.teams]
        lows, highs = tuple([low for low, _ in ranges]), tuple([high for _, high in ranges])
        return _room(len(entry.players), 1, lows, highs)

    def add(state: Room, part: Room) -> Room | None:
        total, tickets = state[0] + part[0], state[1] + 1
        if state[2] == part[2] and state[3] == part[3]:
            after = (total, tickets, *part[2:])
        else:
            lows = tuple(map(max, state[2], part[2]))
            after = _room(total, tickets, lows, tuple(map(min, state[3], part[3])))
        if total > after[5] or (tickets > 1 and part[0] > 1 and part[0] > max(after[3])):
            return None
        return after

    lows = tuple([each.smallest for each in rules.teams])
    highs = tuple([each.largest for each in rules.teams])
    return Simple("sizes", _room(0, 0, lows, highs), read, add)


def roles_accepted(
    ranking: Sequence[str], waited: float, rules: MatchRules, roles: Sequence[str]
) -> tuple[str, ...]:
    """The roles that a player takes, the favourite first. Whether a preference for the first one is
    worth more than the wait is included.
    """
    first = rules.first_role
    wanted = tuple([each for each in ranking if each in roles])
    if first is not None and ranking and waited < (first.worth_seconds or 0.0):
        after = first.off_after_seconds
        if after is None or waited < after:
            return wanted[:1] if wanted[:1] == tuple(ranking[:1]) else ()
    anything = rules.any_role_after_seconds
    if not ranking or (anything is not None and waited >= anything):
        return (*wanted, *(each for each in roles if each not in wanted))
    return wanted


def seats_for(
    wants: Sequence[Sequence[str]], seats: Mapping[str, int]
) -> tuple[list[str | None], int]:
    """A role for each player out of those wanted, the favourite where that leaves nobody without a
    seat; and how many are without one. `wants`: roles of each player, the favourite first.
    """
    taken: dict[str, list[int]] = {role: [] for role in seats}
    got: list[str | None] = [None] * len(wants)

    def seat(player: int, seen: set[str]) -> bool:
        for role in wants[player]:
            if role in seen or role not in seats:
                continue
            seen.add(role)
            if len(taken[role]) < seats[role]:
                taken[role].append(player)
                got[player] = role
                return True
            for place, other in enumerate(taken[role]):
                if seat(other, seen):
                    taken[role][place] = player
                    got[player] = role
                    return True
        return False

    for player in sorted(range(len(wants)), key=lambda each: len(wants[each])):
        seat(player, set())
    return got, sum(each is None for each in got)


def roles_of(rules: MatchRules) -> Fold | None:
    """Whether everybody can have a seat whose role they take, on whichever team."""
    seats: dict[str, int] = {}
    for team in rules.teams:
        for role, count in team.roles or ((ANY, team.largest),):
            seats[role] = seats.get(role, 0) + count
    if set(seats) == {ANY}:
        return None
    roles = sorted(rules.roles)
    free = (ANY,) if ANY in seats else ()

    def read(entry: Entry) -> list[tuple[str, ...]]:
        return [
            (*roles_accepted(each.ranking, entry.waited, rules, roles), *free)
            for each in entry.players
        ]

    def add(
        state: tuple[tuple[str, ...], ...], part: list[tuple[str, ...]]
    ) -> tuple[tuple[str, ...], ...] | None:
        wants = (*state, *part)
        return None if seats_for(wants, seats)[1] else wants

    return Simple("roles", (), read, add)


Pings = tuple[Mapping[str, tuple[float, float]] | None, float, float]
"""Lowest and highest ping by region (None: before the first ticket); cap and spread."""


def region_of(rule: RegionRule) -> Fold:
    """Whether there is a region that everybody accepts. As long as nobody has a cap, unknown pings
    do no harm, and a region that one of the next knows may do.
    """

    def read(entry: Entry) -> Pings:
        cap, spread = rule.max_ms.at(entry.waited), rule.max_spread_ms.at(entry.waited)
        pings = [each.pings for each in entry.players]
        known = set(pings[0]).intersection(*pings[1:])
        its = {each: [ping[each] for ping in pings] for each in known}
        ranges = {region: (min(ms), max(ms)) for region, ms in its.items()}
        return ranges, inf if cap is None else cap, inf if spread is None else spread

    def add(state: Pings, part: Pings) -> Pings | None:
        before, its = state[0], part[0] or {}
        cap, spread = min(state[1], part[1]), min(state[2], part[2])
        both = its
        if before is not None:
            both = {
                region: (min(low, its[region][0]), max(high, its[region][1]))
                for region, (low, high) in before.items()
                if region in its
            }
        if cap == inf:
            return both, cap, spread
        left = {
            region: (low, high)
            for region, (low, high) in both.items()
            if high <= cap and high - low <= spread
        }
        return (left, cap, spread) if left else None

    return Simple("region", (None, inf, inf), read, add)
