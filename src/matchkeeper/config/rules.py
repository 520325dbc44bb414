"""The rules of a game mode, out of what is written below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol

from pydantic import ValidationError

from matchkeeper.config.fields import allowed_text
from matchkeeper.config.rule_kinds import Kinds
from matchkeeper.config.rule_reading import (
    Faults,
    Place,
    attributes,
    implied,
    meant,
    relaxation,
    teams,
)
from matchkeeper.config.rule_tables import (
    AttributeSettings,
    PartySettings,
    RegionSettings,
    RuleSettings,
    TeamSettings,
)
from matchkeeper.config.showing import shown
from matchkeeper.domain.attribute import ABSURD_MS, Attribute, AttributeType
from matchkeeper.domain.layout import (
    LATENCIES,
    ROLES,
    Choose,
    MatchRules,
    PartyOptions,
    RegionRule,
    Team,
)
from matchkeeper.domain.relaxation import constant
from matchkeeper.domain.rule import (
    AnyOf,
    Demand,
    FirstRole,
    NewOpponents,
    PartyValue,
    Rule,
)

_SCOPED = ("per",)
_TAKES: Mapping[str, tuple[str, ...]] = {
    "same": _SCOPED,
    "distinct": _SCOPED,
    "near": ("within", "value", *_SCOPED),
    "balance": ("within", "value", "measure", "against"),
    "compare": (),
    "overlap": ("at_least", *_SCOPED),
    "count": ("value", "at_least", "at_most", *_SCOPED),
    "avoid": ("of",),
    "accepts": ("of",),
    "any_of": (),
    "no_rematch_within_minutes": (),
    "prefer": ("worth_seconds", "within_minutes"),
}
"""Kind of a rule -> the keys beside it; `off_after_seconds` belongs to all."""
_KINDS = ", ".join(_TAKES)
_WORDS = ("first_role", "new_opponents")
_KNOWN_MINUTES = 30.0


class Written(Protocol):
    """A game mode as it is written."""

    @property
    def players(self) -> int: ...
    @property
    def teams(self) -> int | TeamSettings | tuple[TeamSettings, ...] | None: ...
    @property
    def attributes(self) -> dict[str, AttributeSettings]: ...
    @property
    def party(self) -> PartySettings | None: ...
    @property
    def region(self) -> RegionSettings | None: ...
    @property
    def rules(self) -> dict[str, RuleSettings]: ...
    @property
    def any_role_after_seconds(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a mode demands."""

    attributes: tuple[Attribute, ...]
    rules: MatchRules | None
    """None: the mode has none, and not even a table of teams, a party or a region."""
    faults: Faults


def read(mode: Written) -> Read:
    """What is written, and all that is wrong with it."""
    faults = Faults()
    known = attributes(mode.attributes, faults)
    if not has_rules(mode):
        if mode.any_role_after_seconds:
            _no_roles(faults)
        return Read(attributes=tuple(known.values()), rules=None, faults=faults)
    found = teams(mode.teams, mode.players, faults)
    if any(team.roles for team in found):
        implied(known, ROLES, AttributeType.RANKING, "a team with roles", faults)
    elif mode.any_role_after_seconds:
        _no_roles(faults)
    if mode.region is not None:
        implied(known, LATENCIES, AttributeType.LATENCIES, "region", faults)
    value = PartyValue.MEAN if mode.party is None else PartyValue(mode.party.value)
    reader = _Reader(known, found, value, faults)
    rules = MatchRules(
        teams=found,
        rules=tuple(
            [
                rule
                for name, table in mode.rules.items()
                if (rule := reader.rule(name, table, ("rules", name))) is not None
            ]
        ),
        region=_region(mode.region, faults),
        party=PartyOptions(
            max_size=None if mode.party is None else mode.party.max_size, value=value
        ),
        any_role_after_seconds=mode.any_role_after_seconds or None,
    )
    return Read(attributes=tuple(known.values()), rules=rules, faults=faults)


def has_rules(mode: Written) -> bool:
    """Whether more is demanded than a number of teams of equal size."""
    tables = not isinstance(mode.teams, int | None)
    return bool(tables or mode.rules or mode.region is not None or mode.party is not None)


def _no_roles(faults: Faults) -> None:
    faults.add(
        ("any_role_after_seconds",), "stands in a mode without roles", "0, or roles in teams"
    )


def _region(table: RegionSettings | None, faults: Faults) -> RegionRule | None:
    if table is None:
        return None
    bounds = [
        relaxation(getattr(table, key), ("region", key), faults, is_upper=True)
        for key in ("max_ms", "max_spread_ms")
    ]
    if bounds[0] is not None and bounds[0].last is not None:
        last = bounds[0].last
        if not 0 < last < ABSURD_MS:
            faults.add(
                ("region", "max_ms"),
                f"is {last:g} in the end, which no known ping is under" if last <= 0 else
                f"is {last:g} in the end; pings from {ABSURD_MS:g} on count as unknown",
                f'a number above 0 and below {ABSURD_MS:g}, or "off"',
            )  # fmt: skip
    return RegionRule(
        max_ms=bounds[0] or constant(None),
        max_spread_ms=bounds[1] or constant(None),
        choose=Choose(table.choose),
    )


class _Reader:
    """Reads rules. A rule that is wrong is told, and None."""

    def __init__(
        self,
        known: Mapping[str, Attribute],
        found: Sequence[Team],
        value: PartyValue,
        faults: Faults,
    ) -> None:
        self._kinds = Kinds(known, found, value, faults)
        self._teams = found
        self._faults = faults

    def rule(
        self, name: str, table: RuleSettings, at: Place, *, worth_seconds: float | None = None
    ) -> Rule | None:
        """The rule that a table is."""
        kinds = [each for each in _TAKES if getattr(table, each) is not None]
        if len(kinds) != 1:
            found = f"has {' and '.join(kinds)}" if kinds else "says no kind of rule"
            self._faults.add(at, found, f"one of {_KINDS}")
            return None
        kind = kinds[0]
        takes = (*_TAKES[kind], "off_after_seconds")
        for key in sorted(table.model_fields_set - {kind, *takes}):
            self._faults.add(
                (*at, key), f"does not belong to {kind}", f"beside {kind}: {', '.join(takes)}"
            )
        if kind == "prefer":
            return self._preference(name, table, at)
        if kind == "no_rematch_within_minutes":
            return Rule(
                name=name,
                demand=NewOpponents(within_seconds=60 * (table.no_rematch_within_minutes or 0)),
                off_after_seconds=table.off_after_seconds,
                worth_seconds=inf,
            )
        is_group = kind == "any_of"
        demand = self._any_of(table, at) if is_group else self._kinds.demand(kind, table, at)
        if demand is None:
            return None
        return Rule(
            name=name,
            demand=demand,
            off_after_seconds=table.off_after_seconds,
            worth_seconds=worth_seconds,
        )

    def _preference(self, name: str, table: RuleSettings, at: Place) -> Rule | None:
        worth, prefer = table.worth_seconds, table.prefer
        if worth is None:
            self._faults.add(at, "has no worth_seconds", "as many as the preference is worth")
            return None
        if isinstance(prefer, dict):
            for key in {"off_after_seconds", "within_minutes"} & table.model_fields_set:
                self._faults.add((*at, key), "stands beside a rule", f"{key} within that rule")
            inner = self._table(prefer, (*at, "prefer"))
            if inner is not None and inner.prefer is not None:
                self._faults.add((*at, "prefer"), "is a preference itself", "a rule, or a word")
                return None
            if inner is None:
                return None
            return self.rule(name, inner, (*at, "prefer"), worth_seconds=worth)
        minutes = table.within_minutes
        if minutes is not None and prefer != "new_opponents":
            self._faults.add((*at, "within_minutes"), "is for new_opponents", "none here")
        demand: Demand
        if prefer == "first_role":
            if not any(team.roles for team in self._teams):
                _no_roles_preferred(at, self._faults)
            demand = FirstRole()
        elif prefer == "new_opponents":
            demand = NewOpponents(within_seconds=60 * (minutes or _KNOWN_MINUTES))
        else:
            self._faults.add(
                (*at, "prefer"), f"is {shown(prefer)}", f"one of {', '.join(_WORDS)}, or a rule"
            )
            return None
        return Rule(
            name=name,
            demand=demand,
            off_after_seconds=table.off_after_seconds,
            worth_seconds=worth,
        )

    def _table(self, raw: object, at: Place) -> RuleSettings | None:
        """A rule that stands within another one."""
        if not isinstance(raw, dict):
            self._faults.add(at, "is no rule", "a table such as { same = 'map' }")
            return None
        try:
            return RuleSettings(**raw)
        except ValidationError as error:
            for each in error.errors(include_url=False):
                key = str(each["loc"][0])
                field = RuleSettings.model_fields.get(key)
                if field is None:
                    found, allowed = "is not a known key", meant(key, RuleSettings.model_fields)
                else:
                    found, allowed = f"is {shown(each['input'])}", allowed_text(field)
                self._faults.add((*at, *each["loc"]), found, allowed)
        except TypeError:
            self._faults.add(at, "has a key that is no text", f"one of {_KINDS}")
        return None

    def _any_of(self, table: RuleSettings, at: Place) -> Demand | None:
        groups = []
        for nth, raw in enumerate(table.any_of or ()):
            rules = raw if isinstance(raw, list | tuple) else [raw]
            group = [self._of_group(each, (*at, "any_of", nth), n) for n, each in enumerate(rules)]
            if not group:
                self._faults.add((*at, "any_of", nth), "is an empty group", "rules in each group")
            groups.append([each for each in group if each is not None])
        if not groups:
            self._faults.add((*at, "any_of"), "has no groups: nothing can satisfy it", "groups")
        if not all(groups) or not groups:
            return None
        return AnyOf(groups=tuple(tuple(each) for each in groups))

    def _of_group(self, raw: object, at: Place, nth: int) -> Rule | None:
        inner = self._table(raw, (*at, nth))
        if inner is None:
            return None
        if inner.prefer is not None:
            self._faults.add((*at, nth, "prefer"), "is a preference in any_of", "a must")
            return None
        name = f"{at[1]}.any_of[{at[-1]}][{nth}]"
        return self.rule(name, inner, (*at, nth))


def _no_roles_preferred(at: Place, faults: Faults) -> None:
    faults.add((*at, "prefer"), "is first_role in a mode without roles", "roles in teams")
