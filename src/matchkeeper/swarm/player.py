"""One player of the swarm, as the player sees it: what was asked, and what was told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from crowd.behaviours import Behaviour
from crowd.judge import Together, Told
from matchkeeper.swarm.tally import Whereabouts
from matchkeeper.wire.codes import ErrorCode

UNCERTAIN = frozenset({ErrorCode.INTERNAL_ERROR, ErrorCode.NOT_DURABLE})
"""Errors after which the request may have been done all the same."""
HERE_ALREADY = frozenset(
    {ErrorCode.ALREADY_IN_QUEUE, ErrorCode.MATCH_PENDING, ErrorCode.IN_OTHER_QUEUE}
)
"""Refusals of a player who asks twice."""


class Doing(StrEnum):
    """What a player does next."""

    LEAVE = "leave"
    """Sends a dequeue."""
    LOOK = "look"
    """The player was told `not_in_queue`: by now, the reason must have been told as well."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A player does something, `after` seconds."""

    number: int
    doing: Doing
    after: float = 0.0


@dataclass(slots=True, kw_only=True, eq=False)
class Party(Together):
    """Players who come together. One of them leaves for all, or all as one."""

    numbers: range
    as_one: bool
    about: int
    """How many of them are still about."""
    heard_of: bool = False

    @property
    def speaker(self) -> int:
        """Who leaves; not the one who asked for all."""
        return self.numbers[-1]


@dataclass(slots=True, kw_only=True, eq=False)
class Player(Told):
    """From the first request until nothing of this player can be in Redis any more."""

    number: int
    behaviour: Behaviour
    mode: str
    home: int
    patience_seconds: float
    asked_at: float
    party: Party | None = None
    """None: alone."""
    gone: Whereabouts | None = None
    absent: bool = False
    """Told `not_in_queue`."""
    fresh_stay: bool = False
    """Told `EnQueued` once more after a match: a stay of its own."""
    leaving: bool = False
    """A dequeue is on its way."""
    leave_turn: int = 0
    leave_tries: int = 0
    judged: bool = False
    closing: bool = False
    """Nothing is waited for but the end."""
    unsure: bool = False
    """Answers may have been missed."""
    unsent: str = ""
    """Why a request could not be sent."""

    @property
    def size(self) -> int:
        """How many came together."""
        return 1 if self.party is None else len(self.party.numbers)

    @property
    def speaks(self) -> bool:
        """Whether this player leaves for all."""
        return self.party is None or self.party.speaker == self.number

    @property
    def leaves_as_one(self) -> bool:
        """Whether the whole party leaves, not this player of it."""
        quits = self.behaviour is Behaviour.QUITS and not self.closing
        return quits and self.party is not None and self.party.as_one

    @property
    def asked_to_leave(self) -> bool:
        """Whether the player did, or somebody of the party: perhaps while a match was pending."""
        party = self.party is not None and bool(self.party.leaving)
        return self.leaving or self.leave_turn > 0 or party

    @property
    def may_wait(self) -> bool:
        """Whether the player can be in a queue or a pending match, for all that was told."""
        if self.absent or self.gone is not None:
            return False
        unanswered = self.enqueues - self.queued - self.refused
        return self.queued + unanswered > len(self.matches)

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is to come: neither in Redis, nor told."""
        return not self.may_wait and not (self.absent and self.must_wait)
