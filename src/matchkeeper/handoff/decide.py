"""What to do with a match whose offer or lease has run out."""

from __future__ import annotations

from enum import StrEnum

from matchkeeper.domain.match import MatchState
from matchkeeper.store.pending import PendingMatch


class Step(StrEnum):
    """The next step for an overdue match."""

    REDELIVER = "redeliver"
    GIVE_BACK = "give_back"
    SETTLE = "settle"


class Cause(StrEnum):
    """Why players are back in the queue, or stayed there although a match was wanted."""

    NO_GAME_SERVER = "no_game_server"
    PUBLISH_FAILED = "publish_failed"
    ODD_PLAYER = "odd_player"
    SHUTDOWN = "shutdown"
    UNCLAIMED = "unclaimed"
    LEASE_EXPIRED = "lease_expired"
    DECLINED = "declined"
    OPERATOR = "operator"


def next_step(match: PendingMatch, *, max_offers: int) -> tuple[Step, Cause]:
    """The step for an overdue match, and the cause in case its players go back.

    A pod that claimed and did not confirm may be slow rather than dead, and is refused from now on;
    the players do not wait for another try. One that confirmed may have started, so nobody goes
    back. An unclaimed match is offered `max_offers` times.
    """
    if match.state is MatchState.CONFIRMED:
        return Step.SETTLE, Cause.LEASE_EXPIRED
    if match.state is MatchState.CLAIMED:
        return Step.GIVE_BACK, Cause.LEASE_EXPIRED
    cause = Cause.DECLINED if match.declined_by else Cause.UNCLAIMED
    step = Step.REDELIVER if match.offers < max_offers else Step.GIVE_BACK
    return step, cause
