"""One player of the swarm, as the player sees it: what was asked, and what was told."""

from __future__ import annotations

from dataclasses import dataclass

from crowd.behaviours import Behaviour
from crowd.judge import Told
from matchkeeper.swarm.tally import Whereabouts
from matchkeeper.wire.codes import ErrorCode

UNCERTAIN = frozenset({ErrorCode.INTERNAL_ERROR, ErrorCode.NOT_DURABLE})
"""Errors after which the request may have been done all the same."""
HERE_ALREADY = frozenset(
    {ErrorCode.ALREADY_IN_QUEUE, ErrorCode.MATCH_PENDING, ErrorCode.IN_OTHER_QUEUE}
)
"""Refusals of a player who asks twice."""


@dataclass(slots=True, kw_only=True, eq=False)
class Player(Told):
    """From the first request until nothing of this player can be in Redis any more."""

    number: int
    behaviour: Behaviour
    mode: str
    home: int
    patience_seconds: float
    asked_at: float
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
