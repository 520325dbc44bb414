"""What tickets must have in common to be in one match, taken in one after another.

A fold looks at one rule. Its state says all that it needs of the tickets taken so far, and adding a
ticket makes a new state, or None where the rule holds in no match with all of them: what is broken
among some stays broken with more. States are never changed, so that a search can go back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol

from matchkeeper.domain.layout import MatchRules
from matchkeeper.domain.relaxation import Relaxation
from matchkeeper.domain.rule import (
    Accepts,
    AnyOf,
    Avoid,
    Count,
    Demand,
    Distinct,
    Near,
    Overlap,
    PartyValue,
    Rule,
    Same,
    Scope,
)
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.rules.demands import ROUNDING, has_value
from matchkeeper.matching.rules.lineup import Player, one_number

State = Any
"""Of a fold, its own; True where there is nothing to remember."""
Part = Any
"""What a fold has read of a ticket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A ticket in a round."""

    ticket: Ticket
    players: tuple[Player, ...]
    waited: float
    """Seconds."""


class Fold(Protocol):
    """One rule."""

    @property
    def name(self) -> str:
        """The rule's."""

    @property
    def start(self) -> State:
        """The state before any ticket."""

    def read(self, entry: Entry) -> Part:
        """What it needs to know of a ticket. Read once a round."""

    def add(self, state: State, part: Part) -> State | None:
        """The state with this ticket; None: the rule cannot hold any more."""


@dataclass(frozen=True, slots=True)
class Simple:
    """A fold made of two functions."""

    name: str
    start: State
    read: Callable[[Entry], Part]
    add: Callable[[State, Part], State | None]


def folds_of(rules: MatchRules) -> list[Fold]:
    """A fold for each must that can be broken among some of the tickets."""
    musts = [each for each in rules.rules if each.worth_seconds is None]
    return [fold for rule in musts if (fold := fold_of(rule, rules)) is not None]


def fold_of(rule: Rule, rules: MatchRules) -> Fold | None:
    """The fold of a rule; None where only whole teams can break it."""
    demand = rule.demand
    if getattr(demand, "scope", Scope.MATCH) is Scope.TEAM and not isinstance(demand, Count):
        return None
    make = _MAKES.get(type(demand))
    return None if make is None else make(rule, demand, rules)


def asks(rule: Rule) -> Callable[[Entry], bool]:
    """Whether a ticket demands the rule, after its wait."""
    after = inf if rule.off_after_seconds is None else rule.off_after_seconds
    return lambda entry: entry.waited < after


def _bound(rule: Rule, number: Relaxation, off: float) -> Callable[[Entry], float]:
    """The number that a ticket accepts; `off` where it demands nothing."""
    on = asks(rule)

    def read(entry: Entry) -> float:
        value = number.at(entry.waited) if on(entry) else None
        return off if value is None else value

    return read


def _same(rule: Rule, demand: Same, rules: MatchRules) -> Fold:
    del rules
    on, name = asks(rule), demand.attribute

    def read(entry: Entry) -> tuple[frozenset[Any], bool]:
        return frozenset([each.values[name] for each in entry.players]), on(entry)

    def add(
        state: tuple[frozenset[Any], bool], part: tuple[frozenset[Any], bool]
    ) -> tuple[frozenset[Any], bool] | None:
        values = state[0] if state[0] == part[0] else state[0] | part[0]
        is_on = state[1] or part[1]
        return None if is_on and len(values) > 1 else (values, is_on)

    return Simple(rule.name, (frozenset(), False), read, add)


_Different = tuple[frozenset[Any], int, bool]


def _distinct(rule: Rule, demand: Distinct, rules: MatchRules) -> Fold:
    del rules
    on, name = asks(rule), demand.attribute

    def read(entry: Entry) -> _Different:
        values = frozenset([each.values[name] for each in entry.players])
        return values, len(entry.players), on(entry)

    def add(state: _Different, part: _Different) -> _Different | None:
        values, players, is_on = state[0] | part[0], state[1] + part[1], state[2] or part[2]
        return None if is_on and len(values) < players else (values, players, is_on)

    return Simple(rule.name, (frozenset(), 0, False), read, add)


_Spread = tuple[float, float, float]


def _near(rule: Rule, demand: Near, rules: MatchRules) -> Fold:
    del rules
    bound, name, value = _bound(rule, demand.within, inf), demand.attribute, demand.value

    def read(entry: Entry) -> _Spread:
        numbers = [each.number(name) for each in entry.players]
        if value is not PartyValue.EVERY:
            numbers = [one_number(numbers, value)]
        return min(numbers), max(numbers), bound(entry)

    def add(state: _Spread, part: _Spread) -> _Spread | None:
        low = state[0] if state[0] < part[0] else part[0]
        high = state[1] if state[1] > part[1] else part[1]
        within = state[2] if state[2] < part[2] else part[2]
        if high - low > within + ROUNDING * (1 + within):
            return None
        return low, high, within

    return Simple(rule.name, (inf, -inf, inf), read, add)


_Common = tuple[frozenset[str] | None, float]


def _overlap(rule: Rule, demand: Overlap, rules: MatchRules) -> Fold:
    del rules
    bound, name = _bound(rule, demand.at_least, 0.0), demand.attribute

    def read(entry: Entry) -> _Common:
        return frozenset.intersection(*[each.words(name) for each in entry.players]), bound(entry)

    def add(state: _Common, part: _Common) -> _Common | None:
        common = part[0] if state[0] is None or part[0] is None else state[0] & part[0]
        needed = max(state[1], part[1])
        return None if common is not None and len(common) < needed else (common, needed)

    return Simple(rule.name, (None, 0.0), read, add)


_Counted = tuple[int, float]


def _count(rule: Rule, demand: Count, rules: MatchRules) -> Fold | None:
    """Only too many: too few may still become enough."""
    if demand.at_most is None:
        return None
    bound, groups = _bound(rule, demand.at_most, inf), 1
    if demand.scope is Scope.TEAM:
        groups = len(rules.teams)

    def read(entry: Entry) -> _Counted:
        return sum([has_value(each, demand) for each in entry.players]), bound(entry)

    def add(state: _Counted, part: _Counted) -> _Counted | None:
        found, most = state[0] + part[0], min(state[1], part[1])
        return None if found > most * groups else (found, most)

    return Simple(rule.name, (0, inf), read, add)


_Lists = tuple[frozenset[str], frozenset[str] | None, bool, bool]
"""Who is there; whom their lists name, all together (avoided) or each of them (accepted, None:
anybody); whether the rule is broken; whether somebody demands it.
"""


def _lists(entry: Entry, attribute: str, of: str | None) -> list[tuple[str, frozenset[str]]]:
    """What each player is known by, and the player's list."""
    return [
        (each.player_id if of is None else str(each.values[of]), each.words(attribute))
        for each in entry.players
    ]


def _others(of_players: Sequence[tuple[str, frozenset[str]]]) -> list[tuple[str, frozenset[str]]]:
    """Each player of a ticket beside the list of each other one."""
    return [
        (name, words)
        for here, (_, words) in enumerate(of_players)
        for there, (name, _) in enumerate(of_players)
        if here != there
    ]


def _avoid(rule: Rule, demand: Avoid, rules: MatchRules) -> Fold:
    del rules
    on = asks(rule)

    def read(entry: Entry) -> _Lists:
        found = _lists(entry, demand.attribute, demand.of)
        avoided = frozenset[str]().union(*[words for _, words in found])
        clash = any(name in words for name, words in _others(found))
        return frozenset([name for name, _ in found]), avoided, clash, on(entry)

    def add(state: _Lists, part: _Lists) -> _Lists | None:
        mine, theirs = state[1] or frozenset(), part[1] or frozenset()
        clash = state[2] or part[2]
        clash = clash or not mine.isdisjoint(part[0]) or not theirs.isdisjoint(state[0])
        is_on = state[3] or part[3]
        return None if clash and is_on else (state[0] | part[0], mine | theirs, clash, is_on)

    return Simple(rule.name, (frozenset(), frozenset(), False, False), read, add)


def _accepts(rule: Rule, demand: Accepts, rules: MatchRules) -> Fold:
    del rules
    on = asks(rule)

    def read(entry: Entry) -> _Lists:
        found = _lists(entry, demand.attribute, demand.of)
        accepted = frozenset.intersection(*[words for _, words in found])
        clash = any(name not in words for name, words in _others(found))
        return frozenset([name for name, _ in found]), accepted, clash, on(entry)

    def add(state: _Lists, part: _Lists) -> _Lists | None:
        mine, theirs = state[1], part[1] or frozenset()
        clash = state[2] or part[2] or not state[0] <= theirs
        clash = clash or (mine is not None and not part[0] <= mine)
        is_on = state[3] or part[3]
        accepted = theirs if mine is None else mine & theirs
        return None if clash and is_on else (state[0] | part[0], accepted, clash, is_on)

    return Simple(rule.name, (frozenset(), None, False, False), read, add)


def _any_of(rule: Rule, demand: AnyOf, rules: MatchRules) -> Fold:
    on = asks(rule)
    groups = [
        [fold for each in group if (fold := fold_of(each, rules)) is not None]
        for group in demand.groups
    ]

    def read(entry: Entry) -> tuple[list[list[Part]], bool]:
        return [[fold.read(entry) for fold in group] for group in groups], on(entry)

    def add(
        state: tuple[tuple[tuple[State, ...] | None, ...], bool],
        part: tuple[list[list[Part]], bool],
    ) -> tuple[tuple[tuple[State, ...] | None, ...], bool] | None:
        states = tuple(
            [
                None if before is None else added(group, before, parts)
                for group, before, parts in zip(groups, state[0], part[0], strict=True)
            ]
        )
        is_on = state[1] or part[1]
        return None if is_on and not any(each is not None for each in states) else (states, is_on)

    start = tuple([tuple([fold.start for fold in group]) for group in groups])
    return Simple(rule.name, (start, False), read, add)


def added(
    folds: Sequence[Fold], states: Sequence[State], parts: Sequence[Part]
) -> tuple[State, ...] | None:
    """The states of some folds with one ticket more; None where one of them is broken."""
    found = []
    for fold, state, part in zip(folds, states, parts, strict=True):
        after = fold.add(state, part)
        if after is None:
            return None
        found.append(after)
    return tuple(found)


_MAKES: Mapping[type[Demand], Callable[[Rule, Any, MatchRules], Fold | None]] = {
    Same: _same,
    Distinct: _distinct,
    Near: _near,
    Overlap: _overlap,
    Count: _count,
    Avoid: _avoid,
    Accepts: _accepts,
    AnyOf: _any_of,
}
