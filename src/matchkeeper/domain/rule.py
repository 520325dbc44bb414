"""What a mode demands of a match, as data. Nothing here decides: that is for `matching`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from matchkeeper.domain.expression import Comparison
from matchkeeper.domain.relaxation import Relaxation


class Scope(StrEnum):
    """Among whom a rule holds."""

    MATCH = "match"
    TEAM = "team"


class PartyValue(StrEnum):
    """With which number the players of a party count."""

    MEAN = "mean"
    MAX = "max"
    MIN = "min"
    EVERY = "every"
    """Each player with the own one."""


class Against(StrEnum):
    """What a team's figure is compared with."""

    TEAMS = "teams"
    MATCH = "match"


class Measure(StrEnum):
    """What is balanced between teams."""

    MEAN = "mean"
    SUM = "sum"
    LARGEST_PARTY = "largest_party"
    SIZE = "size"


@dataclass(frozen=True, slots=True, kw_only=True)
class Same:
    """All players have the same value."""

    attribute: str
    scope: Scope = Scope.MATCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Distinct:
    """No two players have the same value."""

    attribute: str
    scope: Scope = Scope.MATCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """The largest number minus the smallest is at most `within`."""

    attribute: str
    within: Relaxation
    value: PartyValue
    scope: Scope = Scope.MATCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Figures of teams differ by at most `within`."""

    measure: Measure
    attribute: str | None
    """None where the measure needs none: the largest party, the size."""
    within: Relaxation
    value: PartyValue
    against: Against = Against.TEAMS


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """A comparison of teams holds."""

    comparison: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """The sets of all players have at least so many values in common."""

    attribute: str
    at_least: Relaxation
    scope: Scope = Scope.MATCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """At most, at least so many players have a value."""

    attribute: str
    value: str | float
    at_least: Relaxation | None
    at_most: Relaxation | None
    scope: Scope = Scope.MATCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Avoid:
    """Nobody's list names another player, or the other's value of an attribute."""

    attribute: str
    of: str | None = None
    """None: the list names players by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepts:
    """Everybody's list names all others, or the others' values of an attribute."""

    attribute: str
    of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    """At least one group of rules holds, each rule of it."""

    groups: tuple[tuple[Rule, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRole:
    """A player plays the role that the player ranks first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOpponents:
    """No two opponents were in a match with each other lately."""

    within_seconds: float


Demand = (
    Same
    | Distinct
    | Near
    | Balance
    | Compare
    | Overlap
    | Count
    | Avoid
    | Accepts
    | AnyOf
    | FirstRole
    | NewOpponents
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A demand under a name.

    A must holds in every match. A preference is worth so many seconds of waiting: a ticket accepts
    a match without it once it has waited as long as all that the match lacks for it is worth.
    """

    name: str
    demand: Demand
    off_after_seconds: float | None = None
    """Whoever has waited so long demands it no more."""
    worth_seconds: float | None = None
    """None: a must. Infinite: never accepted without it, like a must, but of each ticket alone."""

    def is_off(self, waits: tuple[float, ...]) -> bool:
        """Whether nobody of those who have waited so long demands it."""
        after = self.off_after_seconds
        return after is not None and all(each >= after for each in waits)
