"""The kinds of rules, each out of the table that it is written as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matchkeeper.config.rule_reading import NEEDED, Faults, Place, meant, relaxation
from matchkeeper.config.rule_tables import RuleSettings
from matchkeeper.config.showing import shown
from matchkeeper.domain.attribute import Attribute, AttributeType, number
from matchkeeper.domain.expression import Function, parse
from matchkeeper.domain.layout import Team
from matchkeeper.domain.relaxation import Relaxation, constant
from matchkeeper.domain.rule import (
    Accepts,
    Against,
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
    Same,
    Scope,
)

_NUMBER = (AttributeType.NUMBER,)
_PLAIN = (AttributeType.NUMBER, AttributeType.STRING)
_SETS = (AttributeType.SET, AttributeType.RANKING)
_COUNTED = (*_PLAIN, *_SETS)


class Kinds:
    """Reads what a rule demands. What is wrong is told, and None."""

    def __init__(
        self,
        known: Mapping[str, Attribute],
        found: Sequence[Team],
        value: PartyValue,
        faults: Faults,
    ) -> None:
        self._known = known
        self._teams = found
        self._value = value
        self._faults = faults

    def demand(self, kind: str, table: RuleSettings, at: Place) -> Demand | None:
        """What a rule of this kind demands."""
        make = {
            "same": self._same,
            "distinct": self._distinct,
            "near": self._near,
            "balance": self._balance,
            "compare": self._compare,
            "overlap": self._overlap,
            "count": self._count,
            "avoid": self._avoid,
            "accepts": self._accepts,
        }[kind]
        return make(table, at)

    def _attribute(self, name: str, at: Place, kinds: Sequence[AttributeType]) -> Attribute | None:
        found = self._known.get(name)
        if found is None:
            unknown = f"names the attribute {shown(name)}, which the mode does not have"
            self._faults.add(at, unknown, meant(name, self._known))
        elif found.type not in kinds:
            is_wrong = f"names the attribute {name}, which is {NEEDED[found.type]}"
            self._faults.add(at, is_wrong, " or ".join(NEEDED[each] for each in kinds))
        else:
            return found
        return None

    def _bound(
        self, table: RuleSettings, key: str, at: Place, *, is_upper: bool
    ) -> Relaxation | None:
        raw = getattr(table, key)
        if raw is None:
            self._faults.add(at, f"has no {key}", f"{key} = a number")
            return None
        return relaxation(raw, (*at, key), self._faults, is_upper=is_upper)

    def _party_value(self, table: RuleSettings, at: Place) -> PartyValue:
        if table.value is None:
            return self._value
        try:
            return PartyValue(table.value)
        except ValueError:
            self._faults.add(
                (*at, "value"), f"is {shown(table.value)}", f"one of {', '.join(PartyValue)}"
            )
            return self._value

    def _same(self, table: RuleSettings, at: Place) -> Demand | None:
        name = table.same or ""
        if self._attribute(name, (*at, "same"), _PLAIN) is None:
            return None
        return Same(attribute=name, scope=_scope(table))

    def _distinct(self, table: RuleSettings, at: Place) -> Demand | None:
        name = table.distinct or ""
        if self._attribute(name, (*at, "distinct"), _PLAIN) is None:
            return None
        return Distinct(attribute=name, scope=_scope(table))

    def _near(self, table: RuleSettings, at: Place) -> Demand | None:
        name = table.near or ""
        value = self._party_value(table, at)
        found = self._attribute(name, (*at, "near"), _NUMBER)
        within = self._bound(table, "within", at, is_upper=True)
        if found is None or within is None:
            return None
        return Near(attribute=name, within=within, value=value, scope=_scope(table))

    def _balance(self, table: RuleSettings, at: Place) -> Demand | None:
        name, value = table.balance or "", self._party_value(table, at)
        within = self._bound(table, "within", at, is_upper=True)
        if len(self._teams) == 1:
            self._faults.add((*at, "balance"), "is about teams, and there is one", "two teams")
            return None
        own = name in ("largest_party", "size")
        if own:
            for key in {"measure", "value", "against"} & table.model_fields_set:
                self._faults.add((*at, key), f"does not belong to {name}", "none here")
            measure = Measure(name)
        else:
            measure = Measure(table.measure or "mean")
            if self._attribute(name, (*at, "balance"), _NUMBER) is None:
                return None
        if within is None:
            return None
        if measure is Measure.SIZE:
            self._can_be_equal(within, at)
        return Balance(
            measure=measure,
            attribute=None if own else name,
            within=within,
            value=value,
            against=Against(table.against or "teams"),
        )

    def _can_be_equal(self, within: Relaxation, at: Place) -> None:
        least = max(team.smallest for team in self._teams)
        most = min(team.largest for team in self._teams)
        if within.last is not None and least - most > within.last:
            self._faults.add(
                (*at, "within"),
                f"is {within.last:g} in the end, which nothing can satisfy: a team has at least "
                f"{least} players and another at most {most}",
                f"at least {least - most}",
            )

    def _compare(self, table: RuleSettings, at: Place) -> Demand | None:
        names = frozenset(name for team in self._teams for name in (team.name, team.group))
        try:
            comparison = parse(table.compare or "", names)
        except ValueError as error:
            self._faults.add((*at, "compare"), str(error), "such as avg(red.skill) >= 10")
            return None
        wrong = [
            each.attribute
            for each in comparison.aggregates
            if each.attribute is not None
            and self._attribute(
                each.attribute,
                (*at, "compare"),
                _COUNTED if each.function is Function.COUNT else _NUMBER,
            )
            is None
        ]
        return None if wrong else Compare(comparison=comparison)

    def _overlap(self, table: RuleSettings, at: Place) -> Demand | None:
        name = table.overlap or ""
        found = self._attribute(name, (*at, "overlap"), _SETS)
        at_least = constant(1.0)
        if table.at_least is not None:
            bound = self._bound(table, "at_least", at, is_upper=False)
            if bound is None:
                return None
            at_least = bound  # type: ignore[assignment]
        if found is None:
            return None
        return Overlap(attribute=name, at_least=at_least, scope=_scope(table))

    def _count(self, table: RuleSettings, at: Place) -> Demand | None:
        name = table.count or ""
        found = self._attribute(name, (*at, "count"), _COUNTED)
        wanted = self._counted(found, table, at)
        bounds = {
            key: self._bound(table, key, at, is_upper=key == "at_most")
            for key in ("at_least", "at_most")
            if getattr(table, key) is not None
        }
        if not bounds:
            self._faults.add(at, "has neither at_least nor at_most", "one of them, or both")
        if wanted is None or not bounds or None in bounds.values():
            return None
        made = Count(
            attribute=name,
            value=wanted,
            at_least=bounds.get("at_least"),
            at_most=bounds.get("at_most"),
            scope=_scope(table),
        )
        return made if self._can_be_counted(made, at) else None

    def _counted(
        self, found: Attribute | None, table: RuleSettings, at: Place
    ) -> str | float | None:
        """The value that is counted."""
        if found is None:
            return None
        wanted: object = table.value
        if found.type is AttributeType.NUMBER:
            wanted = number(wanted)
        if isinstance(wanted, str | float):
            return wanted
        needed = "a number" if found.type is AttributeType.NUMBER else "a string"
        self._faults.add(at, "has no value that can be counted", f"value = {needed}")
        return None

    def _can_be_counted(self, count: Count, at: Place) -> bool:
        least = None if count.at_least is None else count.at_least.last
        most = None if count.at_most is None else count.at_most.last
        sizes = [team.largest for team in self._teams]
        players = min(sizes, default=0) if count.scope is Scope.TEAM else sum(sizes)
        if least is not None and least > players:
            found = f"is {least:g} in the end, which nothing can satisfy"
            where = "the smallest team has" if count.scope is Scope.TEAM else "a match has"
            self._faults.add((*at, "at_least"), found, f"at most {players}: so many {where}")
        elif least is not None and most is not None and least > most:
            found = f"is {least:g} in the end, more than at_most, which is {most:g}"
            self._faults.add((*at, "at_least"), found, f"at most {most:g}")
        else:
            return True
        return False

    def _list(self, name: str, of: str | None, at: Place, kind: str) -> bool:
        found = self._attribute(name, (*at, kind), (AttributeType.SET,))
        other = of is None or self._attribute(of, (*at, "of"), (AttributeType.STRING,))
        return bool(found is not None and other)

    def _avoid(self, table: RuleSettings, at: Place) -> Demand | None:
        name = table.avoid or ""
        found = self._list(name, table.of, at, "avoid")
        return Avoid(attribute=name, of=table.of) if found else None

    def _accepts(self, table: RuleSettings, at: Place) -> Demand | None:
        name = table.accepts or ""
        found = self._list(name, table.of, at, "accepts")
        return Accepts(attribute=name, of=table.of) if found else None


def _scope(table: RuleSettings) -> Scope:
    return Scope(table.per or "match")
