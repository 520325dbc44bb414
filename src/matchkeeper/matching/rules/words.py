"""The rules of a mode in words, for the person who tunes them; and what is doubtful about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from math import isinf
from typing import Any

from matchkeeper.domain.layout import LATENCIES, ROLES, MatchRules, RegionRule, Team
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.relaxation import Bound, Ramp, Relaxation
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
    FirstRole,
    Measure,
    Near,
    NewOpponents,
    Overlap,
    PartyValue,
    Rule,
    Same,
    Scope,
)


def explained(mode: GameMode) -> list[str]:
    """What the rules of a mode mean, a sentence a line."""
    rules = mode.rules
    if rules is None:
        return [f"{mode.name} has no rules."]
    lines = [_match(mode.name, rules), *_parties(rules)]
    lines += [
        f"{each.name} ({each.type}): "
        + ("needed of every player." if each.default is None else "may be left out.")
        for each in mode.attributes
    ]
    if any(team.roles for team in rules.teams):
        lines.append(_roles(rules))
    if rules.region is not None:
        lines += _region(rules.region)
    lines += [f"{each.name}: {_rule(each)}" for each in rules.rules]
    if mode.max_wait is not None:
        lines.append(f"Who waits for {mode.max_wait.total_seconds():g} s expires.")
    return lines


def doubts(mode: GameMode) -> Iterator[str]:
    """What is allowed and probably not meant, in sentences."""
    rules = mode.rules
    if rules is None:
        return
    longest = None if mode.max_wait is None else mode.max_wait.total_seconds()
    for name, seconds in _moments(rules):
        if longest is not None and seconds >= longest:
            yield (
                f"{name} changes after {seconds:g} s, when nobody waits any more: "
                f"max_wait_seconds is {longest:g}."
            )
    worth = sum([each.worth_seconds or 0 for each in rules.rules if not _is_never(each)])
    if longest is not None and worth >= longest:
        yield (
            f"All preferences together are worth {worth:g} s, and max_wait_seconds is "
            f"{longest:g}: who lacks all of them expires."
        )
    read = set(_read(rules))
    for attribute in mode.attributes:
        if attribute.name not in read:
            yield f"{attribute.name} is an attribute that no rule reads."
    yield from _roles_of_no_seat(mode, rules)
    if rules.region is not None and rules.region.max_ms.at(0) is None:
        yield "region.max_ms is off: players from anywhere play together."


def _roles_of_no_seat(mode: GameMode, rules: MatchRules) -> Iterator[str]:
    seats = {role for team in rules.teams for role, _ in team.roles}
    named = next((each.default for each in mode.attributes if each.name == ROLES), None)
    if not seats or not isinstance(named, tuple):
        return
    known = ", ".join(sorted(seats))
    yield from (
        f"The default of roles names {role}, which is no seat of a team; there are {known}."
        for role in named
        if role not in seats
    )


def _is_never(rule: Rule) -> bool:
    return rule.worth_seconds is not None and isinf(rule.worth_seconds)


# --- teams ---


def _match(name: str, rules: MatchRules) -> str:
    low, high = sum(each.size_at(0)[0] for each in rules.teams), rules.largest
    players = f"{low}" if low == high else f"{low} to {high}"
    return f"A match of {name} has {players} players: {'; '.join(map(_team, rules.teams))}."


def _team(team: Team) -> str:
    first = _sizes(*team.sizes[0][1])
    later = [f"{_sizes(*size)} after {since:g} s" for since, size in team.sizes[1:]]
    return f"{team.name} {', '.join([first, *later])}"


def _sizes(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low} to {high}"


def _parties(rules: MatchRules) -> Iterator[str]:
    most = rules.party.max_size
    if most is not None:
        yield f"Parties of more than {most} are refused."


def _roles(rules: MatchRules) -> str:
    seats = "; ".join(
        f"{team.name}: {', '.join(f'{count} {role}' for role, count in team.roles)}"
        for team in rules.teams
        if team.roles
    )
    after = rules.any_role_after_seconds
    later = "" if after is None else f", and any role after {after:g} s"
    return f"Roles are seats ({seats}). A player takes those that {ROLES} names{later}."


def _region(region: RegionRule) -> list[str]:
    best = {"lowest_worst": "highest ping", "lowest_mean": "mean ping"}[region.choose]
    cap = _upper(region.max_ms, "at most {} ms")
    spread = _upper(region.max_spread_ms, "at most {} ms apart")
    return [
        f"A match is where everybody's ping is {cap}, and the highest and the lowest are {spread}.",
        f"Of the regions that all accept, the one with the lowest {best} is taken.",
    ]


# --- rules ---


def _rule(rule: Rule) -> str:
    demand = _DEMANDS[type(rule.demand)](rule.demand)
    text = demand if isinstance(rule.demand, Compare) else demand[0].upper() + demand[1:]
    if _is_never(rule):
        return f"{text}."
    if rule.worth_seconds is not None:
        text = f"Preferred: {demand}. That is worth {rule.worth_seconds:g} s of waiting"
    if rule.off_after_seconds is not None:
        text += f", until somebody has waited for {rule.off_after_seconds:g} s"
    return f"{text}."


def _upper(relaxation: Relaxation, form: str) -> str:
    """An upper bound in words, with its relaxation."""
    if isinstance(relaxation, Ramp):
        start, end = form.format(f"{relaxation.start:g}"), relaxation.maximum
        if not relaxation.per_second or end == relaxation.start:
            return start
        seconds = (end - relaxation.start) / relaxation.per_second
        return f"{start} at first, {form.format(f'{end:g}')} after {seconds:g} s"
    first, *later = relaxation.steps
    words = [_bound(first[1], form) + (" at first" if later else "")]
    words += [f"{_bound(value, form)} after {since:g} s" for since, value in later]
    return ", ".join(words)


def _bound(value: Bound, form: str) -> str:
    return "whatever it is" if value is None else form.format(f"{value:g}")


def _among(scope: Scope) -> str:
    return "all players" if scope is Scope.MATCH else "all players of a team"


def _near(demand: Near) -> str:
    party = "" if demand.value is PartyValue.EVERY else f" (a party counts with its {demand.value})"
    spread = _upper(demand.within, "at most {} apart")
    return f"{_among(demand.scope)} are in {demand.attribute} {spread}{party}"


def _balance(demand: Balance) -> str:
    what = {
        Measure.MEAN: f"mean {demand.attribute}",
        Measure.SUM: f"sum of {demand.attribute}",
        Measure.LARGEST_PARTY: "largest party",
        Measure.SIZE: "size",
    }[demand.measure]
    others = "the match's" if demand.against is Against.MATCH else "that of every other team"
    return f"each team's {what} differs from {others} by {_upper(demand.within, 'at most {}')}"


def _count(demand: Count) -> str:
    bounds = []
    if demand.at_least is not None:
        bounds.append(_upper(demand.at_least, "at least {}"))
    if demand.at_most is not None:
        bounds.append(_upper(demand.at_most, "at most {}"))
    where = "a match" if demand.scope is Scope.MATCH else "each team"
    return f"{where} has {' and '.join(bounds)} with {demand.attribute} {demand.value}"


def _listed(of: str | None) -> str:
    return "another player" if of is None else f"the {of} of another player"


def _any_of(demand: AnyOf) -> str:
    groups = [
        "(" + " and ".join(_DEMANDS[type(each.demand)](each.demand) for each in group) + ")"
        for group in demand.groups
    ]
    return " or ".join(groups)


def _met(demand: NewOpponents) -> str:
    minutes = demand.within_seconds / 60
    return f"no two opponents were in a match with each other in the last {minutes:g} minutes"


_DEMANDS: Mapping[type[Demand], Callable[[Any], str]] = {
    Same: lambda it: f"{_among(it.scope)} have the same {it.attribute}",
    Distinct: lambda it: f"no two of {_among(it.scope)} have the same {it.attribute}",
    Near: _near,
    Balance: _balance,
    Compare: lambda it: it.comparison.text,
    Overlap: lambda it: (
        f"{_among(it.scope)} have {_upper(it.at_least, 'at least {}')} of {it.attribute} in common"
    ),
    Count: _count,
    Avoid: lambda it: f"nobody's {it.attribute} names {_listed(it.of)}",
    Accepts: lambda it: f"everybody's {it.attribute} names {_listed(it.of)}",
    AnyOf: _any_of,
    FirstRole: lambda _: "a player gets the role ranked first",
    NewOpponents: _met,
}


# --- what they read ---


def _flat(rules: MatchRules) -> Iterator[Rule]:
    """All rules, those in groups, too."""
    for rule in rules.rules:
        yield rule
        if isinstance(rule.demand, AnyOf):
            yield from (each for group in rule.demand.groups for each in group)


def _read(rules: MatchRules) -> Iterator[str]:
    if any(team.roles for team in rules.teams):
        yield ROLES
    if rules.region is not None:
        yield LATENCIES
    for rule in _flat(rules):
        for name in ("attribute", "of"):
            if isinstance(read := getattr(rule.demand, name, None), str):
                yield read
        if isinstance(rule.demand, Compare):
            yield from (each.attribute or "" for each in rule.demand.comparison.aggregates)


def _moments(rules: MatchRules) -> Iterator[tuple[str, float]]:
    """(what changes, after how many seconds)."""
    for rule in _flat(rules):
        if rule.off_after_seconds is not None:
            yield f"Rule {rule.name}", rule.off_after_seconds
        for name in ("within", "at_least", "at_most"):
            yield from _changes(f"Rule {rule.name}", getattr(rule.demand, name, None))
    for team in rules.teams:
        yield from [(f"The size of {team.name}", since) for since, _ in team.sizes[1:]]
    if rules.any_role_after_seconds is not None:
        yield "any_role_after_seconds", rules.any_role_after_seconds
    if rules.region is not None:
        yield from _changes("region.max_ms", rules.region.max_ms)
        yield from _changes("region.max_spread_ms", rules.region.max_spread_ms)


def _changes(name: str, relaxation: Relaxation | None) -> Iterator[tuple[str, float]]:
    if relaxation is None or isinstance(relaxation, Ramp):
        return
    for (_, before), (since, after) in pairwise(relaxation.steps):
        if before != after:
            yield name, since
