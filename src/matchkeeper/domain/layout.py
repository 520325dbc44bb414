"""The teams, roles and region of a match, as a mode demands them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from matchkeeper.domain.relaxation import Relaxation, step_at
from matchkeeper.domain.rule import FirstRole, PartyValue, Rule

LATENCIES = "latencies"
"""The attribute that regions are chosen by."""
ROLES = "roles"
"""The attribute that has a player's ranking of roles. An empty one means any role."""

Range = tuple[int, int]
"""At least, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A team of every match."""

    name: str
    group: str
    """The name that it shares with teams of the same kind; its own where it is alone."""
    sizes: tuple[tuple[float, Range], ...]
    """(from so many seconds on, players); the first is at 0, and each range includes the one
    before it.
    """
    roles: tuple[tuple[str, int], ...] = ()
    """(role, seats); none, or as many seats as the team has players."""

    def size_at(self, waited_seconds: float) -> Range:
        """How many players a ticket accepts that has waited so long."""
        return step_at(self.sizes, waited_seconds)

    def size_for(self, waits: Iterable[float]) -> Range:
        """How many players all tickets accept."""
        ranges = [self.size_at(each) for each in waits] or [self.sizes[-1][1]]
        return max(low for low, _ in ranges), min(high for _, high in ranges)

    @property
    def smallest(self) -> int:
        """The fewest players that it ever has."""
        return self.sizes[-1][1][0]

    @property
    def largest(self) -> int:
        """The most players that it ever has."""
        return self.sizes[-1][1][1]


class Choose(StrEnum):
    """Which of the regions that everybody accepts is taken."""

    LOWEST_WORST = "lowest_worst"
    LOWEST_MEAN = "lowest_mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRule:
    """Where a match may be played."""

    max_ms: Relaxation
    """The highest ping that a ticket accepts. Off: any, even an unknown one."""
    max_spread_ms: Relaxation
    """How far apart the known pings may be."""
    choose: Choose


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyOptions:
    """How parties count."""

    max_size: int | None = None
    value: PartyValue = PartyValue.MEAN


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRules:
    """All that a mode demands of a match."""

    teams: tuple[Team, ...]
    rules: tuple[Rule, ...] = ()
    region: RegionRule | None = None
    party: PartyOptions = PartyOptions()
    any_role_after_seconds: float | None = None
    """Whoever has waited so long plays any role."""

    @property
    def smallest(self) -> int:
        """The fewest players of any match."""
        return sum(each.smallest for each in self.teams)

    @property
    def largest(self) -> int:
        """The most players of any match."""
        return sum(each.largest for each in self.teams)

    @property
    def roles(self) -> frozenset[str]:
        """All roles."""
        return frozenset(role for team in self.teams for role, _ in team.roles)

    @property
    def first_role(self) -> Rule | None:
        """The rule about the role that a player ranks first."""
        return next((each for each in self.rules if isinstance(each.demand, FirstRole)), None)
