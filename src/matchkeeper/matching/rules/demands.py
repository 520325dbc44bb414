"""Whether one rule holds in a match, and why not. Slow and obvious: every rule on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from matchkeeper.domain.expression import Aggregate, Function, Operator, Term
from matchkeeper.domain.layout import MatchRules
from matchkeeper.domain.relaxation import Bound, at_least, at_most
from matchkeeper.domain.rule import (
    Accepts,
    Against,
    AnyOf,
    Avoid,
    Balance,
    Compare,
    Count,
    Demand,
    Distinct,
    Measure,
    Near,
    Overlap,
    PartyValue,
    Rule,
    Same,
    Scope,
)
from matchkeeper.matching.rules.lineup import Lineup, Player, one_number

ROUNDING = 1e-9
"""Means of the same numbers may differ by so much (relative), by the order of adding."""


def broken(rule: Rule, lineup: Lineup, rules: MatchRules, waits: tuple[float, ...]) -> str:
    """Why a rule does not hold, in one sentence; empty where it holds."""
    after = rule.off_after_seconds
    on = tuple([each for each in waits if after is None or each < after])
    return _CHECKS[type(rule.demand)](rule.demand, lineup, rules, on) if on else ""


def _groups(lineup: Lineup, rules: MatchRules, scope: Scope) -> Iterator[tuple[str, list[Player]]]:
    """Those among whom a rule holds: the match, or each team."""
    if scope is Scope.MATCH:
        yield "the match", list(lineup.players)
        return
    for team, players in zip(rules.teams, lineup.teams, strict=False):
        yield team.name, list(players)


def _same(demand: Same, lineup: Lineup, rules: MatchRules, waits: tuple[float, ...]) -> str:
    del waits
    for who, players in _groups(lineup, rules, demand.scope):
        found = {str(each.values[demand.attribute]) for each in players}
        if len(found) > 1:
            return f"{who} has {demand.attribute} {', '.join(sorted(found))}"
    return ""


def _distinct(demand: Distinct, lineup: Lineup, rules: MatchRules, waits: tuple[float, ...]) -> str:
    del waits
    for who, players in _groups(lineup, rules, demand.scope):
        for one, other in combinations(players, 2):
            if one.values[demand.attribute] == other.values[demand.attribute]:
                both = f"{one.player_id} and {other.player_id}"
                return f"{both} in {who} have the same {demand.attribute}"
    return ""


def _near(demand: Near, lineup: Lineup, rules: MatchRules, waits: tuple[float, ...]) -> str:
    within = at_most(demand.within, waits)
    for who, players in _groups(lineup, rules, demand.scope):
        numbers = _by_party(players, demand.attribute, demand.value)
        spread = max(numbers, default=0.0) - min(numbers, default=0.0)
        if _is_more(spread, within):
            return f"{demand.attribute} in {who} is {spread:g} apart, {within:g} are accepted"
    return ""


def _by_party(players: Sequence[Player], attribute: str, value: PartyValue) -> list[float]:
    """The number that each player counts with."""
    own = [each.number(attribute) for each in players]
    if value is PartyValue.EVERY:
        return own
    parties: dict[str, list[float]] = {}
    for player, number in zip(players, own, strict=True):
        parties.setdefault(player.ticket_id, []).append(number)
    return [one_number(parties[each.ticket_id], value) for each in players]


def _is_more(figure: float, bound: Bound) -> bool:
    return bound is not None and figure > bound + ROUNDING * (1 + abs(bound))


def _balance(demand: Balance, lineup: Lineup, rules: MatchRules, waits: tuple[float, ...]) -> str:
    within = at_most(demand.within, waits)
    figures, whole = _figures(demand, lineup)
    gap = _gap(demand, figures, whole)
    if not _is_more(gap, within):
        return ""
    what = demand.attribute or demand.measure
    texts = ", ".join(
        f"{team.name} {figure:g}" for team, figure in zip(rules.teams, figures, strict=False)
    )
    return f"{what} differs by {gap:g} ({texts}), {within:g} are accepted"


def gap_of(demand: Balance, lineup: Lineup) -> float:
    """How far teams differ, in the unit of what is balanced."""
    return _gap(demand, *_figures(demand, lineup))


def _gap(demand: Balance, figures: Sequence[float], whole: float) -> float:
    if demand.against is Against.MATCH:
        return max(abs(each - whole) for each in figures)
    return max(figures) - min(figures)


def _figures(demand: Balance, lineup: Lineup) -> tuple[list[float], float]:
    """The figure of each team, and that of the match, as a team has it in the mean."""
    # A party that fills the match by itself counts on each team with those who are there.
    counted = [_counted(demand, team) for team in lineup.teams]
    figures = [
        _figure(demand.measure, team, numbers)
        for team, numbers in zip(lineup.teams, counted, strict=True)
    ]
    numbers = [number for team in counted for number in team]
    whole = _figure(demand.measure, list(lineup.players), numbers)
    if demand.measure in (Measure.SUM, Measure.SIZE):
        whole /= len(lineup.teams)
    return figures, whole


def _counted(demand: Balance, players: Sequence[Player]) -> list[float]:
    if demand.attribute is None:
        return [0.0] * len(players)
    return _by_party(players, demand.attribute, demand.value)


def _figure(measure: Measure, team: Sequence[Player], numbers: Sequence[float]) -> float:
    if measure is Measure.SIZE:
        return float(len(team))
    if measure is Measure.LARGEST_PARTY:
        came = [each.ticket_id for each in team]
        return float(max((came.count(each) for each in came), default=0))
    total = sum(numbers)
    return total if measure is Measure.SUM else total / max(1, len(numbers))


def _compare(demand: Compare, lineup: Lineup, rules: MatchRules, waits: tuple[float, ...]) -> str:
    del waits
    it = demand.comparison
    left, right = (sum(_term(each, lineup, rules) for each in side) for side in (it.left, it.right))
    slack = ROUNDING * (1 + abs(right))
    holds = {
        Operator.AT_LEAST: left >= right - slack,
        Operator.AT_MOST: left <= right + slack,
        Operator.MORE: left > right,
        Operator.LESS: left < right,
        Operator.EQUAL: abs(left - right) <= slack,
    }[it.operator]
    return "" if holds else f"{it.text} is {left:g} {it.operator} {right:g}"


def _term(term: Term, lineup: Lineup, rules: MatchRules) -> float:
    if term.of is None:
        return term.factor
    return term.factor * _aggregate(term.of, lineup, rules)


def _aggregate(of: Aggregate, lineup: Lineup, rules: MatchRules) -> float:
    players = [
        player
        for team, members in zip(rules.teams, lineup.teams, strict=False)
        for player in members
        if of.team in (None, team.name, team.group)
    ]
    if of.function is Function.COUNT:
        return float(len(players))
    numbers = [each.number(of.attribute or "") for each in players] or [0.0]
    if of.function is Function.AVG:
        return sum(numbers) / len(numbers)
    make: Callable[[list[float]], float] = {
        Function.MIN: min, Function.MAX: max, Function.SUM: sum,
    }[of.function]  # type: ignore[assignment]  # fmt: skip
    return make(numbers)


def _overlap(demand: Overlap, lineup: Lineup, rules: MatchRules, waits: tuple[float, ...]) -> str:
    needed = at_least(demand.at_least, waits)
    for who, players in _groups(lineup, rules, demand.scope):
        if not players or needed is None:
            continue
        common = frozenset.intersection(*[each.words(demand.attribute) for each in players])
        if len(common) < needed:
            has = f"{who} has {len(common)} {demand.attribute} in common"
            return f"{has}, {needed:g} are needed"
    return ""


def _count(demand: Count, lineup: Lineup, rules: MatchRules, waits: tuple[float, ...]) -> str:
    for who, players in _groups(lineup, rules, demand.scope):
        found = sum(has_value(each, demand) for each in players)
        least = None if demand.at_least is None else at_least(demand.at_least, waits)
        most = None if demand.at_most is None else at_most(demand.at_most, waits)
        has = f"{who} has {found} players with {demand.attribute} {demand.value}"
        if least is not None and found < least:
            return f"{has}, {least:g} are needed"
        if most is not None and found > most:
            return f"{has}, {most:g} are accepted"
    return ""


def has_value(player: Player, demand: Count) -> bool:
    """Whether a player is counted."""
    value = player.values[demand.attribute]
    if isinstance(value, float | str):
        return value == demand.value
    return demand.value in value


def _named(player: Player, of: str | None) -> str:
    return player.player_id if of is None else str(player.values[of])


def _avoid(demand: Avoid, lineup: Lineup, rules: MatchRules, waits: tuple[float, ...]) -> str:
    del rules, waits
    players = list(lineup.players)
    for one in players:
        for other in players:
            if one is not other and _named(other, demand.of) in one.words(demand.attribute):
                return f"{one.player_id} avoids {other.player_id}"
    return ""


def _accepts(demand: Accepts, lineup: Lineup, rules: MatchRules, waits: tuple[float, ...]) -> str:
    del rules, waits
    players = list(lineup.players)
    for one in players:
        for other in players:
            if one is not other and _named(other, demand.of) not in one.words(demand.attribute):
                return f"{one.player_id} does not accept {other.player_id}"
    return ""


def _any_of(demand: AnyOf, lineup: Lineup, rules: MatchRules, waits: tuple[float, ...]) -> str:
    reasons = []
    for group in demand.groups:
        found = [why for rule in group if (why := broken(rule, lineup, rules, waits))]
        if not found:
            return ""
        reasons.append(found[0])
    return "; ".join(reasons)


_CHECKS: Mapping[type[Demand], Callable[[Any, Lineup, MatchRules, tuple[float, ...]], str]] = {
    Same: _same,
    Distinct: _distinct,
    Near: _near,
    Balance: _balance,
    Compare: _compare,
    Overlap: _overlap,
    Count: _count,
    Avoid: _avoid,
    Accepts: _accepts,
    AnyOf: _any_of,
}
"""First roles and new opponents are preferences of single players, below."""
