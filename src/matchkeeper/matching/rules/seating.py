"""Tickets that may be in one match, divided into teams: who plays where, in which role.

First they are put where there is room, the strongest to the weakest team. Then two tickets, or two
groups of equal size, change places as long as that breaks fewer rules, or makes teams more equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from matchkeeper.domain.layout import MatchRules
from matchkeeper.domain.match import Proposal, Seating
from matchkeeper.domain.rule import AnyOf, Balance, Compare, Rule, Scope
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.rules.checker import (
    best_region,
    check_lineup,
    impatient,
    plays_other_than_first,
)
from matchkeeper.matching.rules.demands import broken, gap_of
from matchkeeper.matching.rules.folds import Entry
from matchkeeper.matching.rules.lineup import Lineup, Met, Player
from matchkeeper.matching.rules.places import roles_accepted, seats_for

_STEPS = 20_000
"""Places that are tried for one match."""
_SWAPS = 400
"""Changes of places that are looked at for one match, each for all rules about teams."""

Unit = tuple[Player, ...]
"""Players who stay together."""
_Some = tuple[int, tuple[int, ...]]
"""A team, and some of its units."""
Cost = tuple[int, int, float, int]
"""Players without a seat; rules that are broken; how unequal teams are; players in a role that is
not their first.
"""


def seated(entries: Sequence[Entry], rules: MatchRules, now: float, *, met: Met) -> Proposal | None:
    """A proposal of all these tickets that keeps every rule; None if none was found."""
    search = _Search(entries, rules, now, met)
    for teams in search.starts():
        found = search.improved(teams)
        if found is not None:
            return _proposal(entries, found, rules)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arranged:
    lineup: Lineup
    cost: Cost


_PERFECT: Cost = (0, 0, 0.0, 0)


class _Search:
    def __init__(self, entries: Sequence[Entry], rules: MatchRules, now: float, met: Met) -> None:
        self._rules = rules
        self._now = now
        self._met = met
        self._waits = {each.ticket.ticket_id: each.waited for each in entries}
        self._alone = len(entries) == 1
        self._region = best_region(
            [player for each in entries for player in each.players],
            tuple(self._waits.values()),
            rules.region,
        )
        self._about_teams = [
            each for each in rules.rules if each.worth_seconds is None and _is_about_teams(each)
        ]
        self._balances = [each.demand for each in rules.rules if isinstance(each.demand, Balance)]
        self._prefers = any(each.worth_seconds is not None for each in rules.rules)
        self._roles = sorted(rules.roles)
        largest = max(each.largest for each in rules.teams)
        self._units: list[Unit] = [each.players for each in entries]
        if self._alone and len(entries[0].players) > largest:
            self._units = [(player,) for player in entries[0].players]
        self._weights = {id(unit): self._weight(unit) for unit in self._units}
        self._units.sort(key=lambda unit: (-len(unit), -self._weights[id(unit)] / len(unit)))
        players = [player for each in entries for player in each.players]
        self._wants = {each.player_id: self._wanted(each) for each in players}
        self._steps = _STEPS
        self._looks = _SWAPS

    def _weight(self, unit: Unit) -> float:
        """The sum of what is balanced first."""
        names = [each.attribute for each in self._balances if each.attribute is not None]
        return sum([player.number(names[0]) for player in unit]) if names else float(len(unit))

    # --- where there is room ---

    def starts(self) -> Iterator[list[list[Unit]]]:
        """Divisions into teams of sizes that everybody accepts, one for each way to share out the
        players.
        """
        players = sum(map(len, self._units))
        ranges = [team.size_for(self._waits.values()) for team in self._rules.teams]
        for sizes in _shares(players, ranges):
            teams: list[list[Unit]] = [[] for _ in sizes]
            if self._place(0, list(sizes), teams):
                yield teams

    def _place(self, at: int, left: list[int], teams: list[list[Unit]]) -> bool:
        if at == len(self._units):
            return not any(left)
        unit, tried = self._units[at], set()
        sums = [sum([self._weights[id(each)] for each in team]) for team in teams]
        order = sorted(
            [each for each, room in enumerate(left) if room >= len(unit)],
            key=lambda team: (-left[team] if not sums[team] else 0, sums[team], team),
        )
        for team in order:
            if (left[team], sums[team]) in tried or self._steps <= 0:
                continue
            tried.add((left[team], sums[team]))
            self._steps -= 1
            left[team] -= len(unit)
            teams[team].append(unit)
            if self._place(at + 1, left, teams):
                return True
            teams[team].pop()
            left[team] += len(unit)
        return False

    # --- better and better ---

    def improved(self, teams: list[list[Unit]]) -> Lineup | None:
        """The best division that changes of places lead to, if it keeps every rule."""
        best = self._arranged(teams)
        better = True
        while better and self._looks > 0 and best.cost > _PERFECT:
            better = False
            for one, other in self._exchanges(teams):
                if self._looks <= 0:
                    break
                self._looks -= 1
                changed = _exchanged(teams, one, other)
                arranged = self._arranged(changed)
                if arranged.cost < best.cost:
                    best, teams, better = arranged, changed, True
                    break
        verdicts = check_lineup(best.lineup, self._rules, self._now, met=self._met)
        return None if any(each.why for each in verdicts) else best.lineup

    def _exchanges(self, teams: list[list[Unit]]) -> Iterator[tuple[_Some, _Some]]:
        """(team, its units) and (another, its units) that are equally large."""
        for one, other in combinations(range(len(teams)), 2):
            for mine in range(len(teams[one])):
                for theirs in range(len(teams[other])):
                    if len(teams[one][mine]) == len(teams[other][theirs]):
                        yield (one, (mine,)), (other, (theirs,))
            for here, there in ((one, other), (other, one)):
                lone = tuple([n for n, unit in enumerate(teams[there]) if len(unit) == 1])
                for nth, unit in enumerate(teams[here]):
                    if 1 < len(unit) <= len(lone):
                        yield (here, (nth,)), (there, lone[: len(unit)])

    def _arranged(self, teams: Sequence[Sequence[Unit]]) -> _Arranged:
        seated, without = [], 0
        for team, units in zip(self._rules.teams, teams, strict=True):
            players = [player for unit in units for player in unit]
            if team.roles:
                wants = [self._wants[each.player_id] for each in players]
                roles, unseated = seats_for(wants, dict(team.roles))
                without += unseated
                players = [
                    each._replace(role=role) for each, role in zip(players, roles, strict=True)
                ]
            seated.append(tuple(players))
        lineup = Lineup(teams=tuple(seated), waits=self._waits, region=self._region)
        waits = tuple(self._waits.values())
        faults = sum(bool(broken(rule, lineup, self._rules, waits)) for rule in self._about_teams)
        if self._prefers:
            lacking = impatient(lineup, self._rules, self._now, self._met)
            faults += sum(bool(why) for _, why in lacking)
        gap = sum([gap_of(each, lineup) for each in self._balances])
        others = sum(map(plays_other_than_first, lineup.players))
        return _Arranged(lineup=lineup, cost=(without, faults, round(gap, 6), others))

    def _wanted(self, player: Player) -> tuple[str, ...]:
        waited = self._waits[player.ticket_id]
        return roles_accepted(player.ranking, waited, self._rules, self._roles)


def _is_about_teams(rule: Rule) -> bool:
    """Whether it depends on who is on which team."""
    demand = rule.demand
    if isinstance(demand, AnyOf):
        return any(_is_about_teams(each) for group in demand.groups for each in group)
    if isinstance(demand, Balance | Compare):
        return True
    return getattr(demand, "scope", Scope.MATCH) is Scope.TEAM


def _shares(players: int, ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, ...]]:
    """Sizes of the teams that make so many players: as equal as the ranges allow, first with more
    for the first teams, then with more for the last.
    """
    if not sum(low for low, _ in ranges) <= players <= sum(high for _, high in ranges):
        return
    if any(low > high for low, high in ranges):
        return
    seen = set()
    for backwards in (False, True):
        sizes = [low for low, _ in ranges]
        order = list(range(len(ranges)))
        if backwards:
            order.reverse()
        for _ in range(players - sum(sizes)):
            growing = [each for each in order if sizes[each] < ranges[each][1]]
            sizes[min(growing, key=sizes.__getitem__)] += 1
        if tuple(sizes) not in seen:
            seen.add(tuple(sizes))
            yield tuple(sizes)


def _exchanged(teams: Sequence[list[Unit]], one: _Some, other: _Some) -> list[list[Unit]]:
    changed = [list(team) for team in teams]
    (here, mine), (there, theirs) = one, other
    changed[here] = [unit for n, unit in enumerate(teams[here]) if n not in mine]
    changed[there] = [unit for n, unit in enumerate(teams[there]) if n not in theirs]
    changed[here] += [teams[there][n] for n in theirs]
    changed[there] += [teams[here][n] for n in mine]
    return changed


def _proposal(entries: Sequence[Entry], lineup: Lineup, rules: MatchRules) -> Proposal:
    """Tickets by team, in the order of their waiting, and their players in the order of the
    tickets; a battle request is made in that order.
    """
    role_of = {each.player_id: each.role for each in lineup.players}
    tickets: list[tuple[Ticket, ...]] = []
    seats: list[tuple[tuple[str, str | None], ...]] = []
    placed: set[str] = set()
    for team in lineup.teams:
        there = {each.player_id for each in team}
        its = [each.ticket for each in entries if _sits(each.ticket, there)]
        tickets.append(tuple([each for each in its if each.ticket_id not in placed]))
        placed |= {each.ticket_id for each in its}
        seats.append(
            tuple(
                [
                    (member.player_id, role_of[member.player_id])
                    for ticket in its
                    for member in ticket.members
                    if member.player_id in there
                ]
            )
        )
    names = tuple([each.name for each in rules.teams])
    seating = Seating(teams=tuple(seats), region=lineup.region, names=names)
    return Proposal(teams=tuple(tickets), seating=seating)


def _sits(ticket: Ticket, there: set[str]) -> bool:
    return any(each.player_id in there for each in ticket.members)
