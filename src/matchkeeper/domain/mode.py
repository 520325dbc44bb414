"""A game mode: how many players, how they are chosen, and how a match is handed over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from matchkeeper.domain.attribute import Attribute
from matchkeeper.domain.layout import MatchRules
from matchkeeper.domain.realm import NO_REALM, QueueName


class Handoff(StrEnum):
    """How a game server takes a match."""

    PUBLISH = "publish"
    """Delivered as soon as `battle:request` had a subscriber."""
    CLAIM = "claim"
    """Offered until one game server has claimed it and confirmed the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingRules:
    """How far apart in rating (MMR points) two players of one match may be.

    The window of a ticket that has waited `w` seconds is
    `min(maximum, start + growth_per_second * w)`, and unbounded from `anyone_after` on.
    """

    start: float
    growth_per_second: float
    maximum: float
    anyone_after: timedelta | None = None
    default_rating: float
    second_is_worth: float | None = None
    """Rating points that a second of waiting is worth, where the windows follow from that: then
    `start` counts only until it is known how many come, and `growth_per_second` does not.
    """

    def window(self, waited_seconds: float) -> float:
        """The largest rating difference accepted after `waited_seconds` in the queue."""
        waited = max(0.0, waited_seconds)
        if self.anyone_after is not None and waited >= self.anyone_after.total_seconds():
            return float("inf")
        return min(self.maximum, self.start + self.growth_per_second * waited)


@dataclass(frozen=True, slots=True, kw_only=True)
class GameMode:
    """One configured kind of game."""

    name: str
    realm: str = NO_REALM
    required_players: int = 2
    """Players of a match; with rules, the fewest with which one can be made."""
    teams: int = 2
    """Number of teams; divides `required_players` where there are no rules."""
    rating: RatingRules | None = None
    """None, and no rules: first come, first served."""
    attributes: tuple[Attribute, ...] = ()
    """What is read of every player, in this order."""
    rules: MatchRules | None = None
    """What a match must have; None: teams of one size, and nothing else."""
    handoff: Handoff = Handoff.PUBLISH
    claim_lease: timedelta = timedelta(seconds=10)
    """A claimed match must be confirmed within this time."""
    max_metadata_bytes: int = 65_536
    """The metadata of one player, as it stands in Redis: it bounds the size of a battle request."""
    max_wait: timedelta | None = None
    """A ticket expires after so long in the queue. None: never."""
    max_queue_length: int | None = None
    """How many tickets may wait; more are refused. None: no limit."""

    @property
    def team_size(self) -> int:
        """Players of one team, of the largest where they differ."""
        if self.rules is not None:
            return max(each.largest for each in self.rules.teams)
        return self.required_players // self.teams

    @property
    def most_players(self) -> int:
        """The most players of one match."""
        return self.required_players if self.rules is None else self.rules.largest

    @property
    def queue(self) -> QueueName:
        """Where its players wait."""
        return QueueName.of(self.name, self.realm)
