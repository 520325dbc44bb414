"""What the scripts write into the history of a queue: the catalogue of `docs/history.md`."""

from __future__ import annotations

from enum import StrEnum


class Happening(StrEnum):
    """The `what` of an entry, `event` at the API."""

    QUEUED = "queued"
    DEQUEUED = "dequeued"
    EXPIRED = "expired"
    SET_ASIDE = "set_aside"
    REQUEUED = "requeued"
    DROPPED = "dropped"
    ANNOUNCED = "announced"
    COMMITTED = "committed"
    OFFERED_AGAIN = "offered_again"
    CLAIMED = "claimed"
    CLAIM_REFUSED = "claim_refused"
    DECLINED = "declined"
    CONFIRMED = "confirmed"
    CONFIRM_REFUSED = "confirm_refused"
    STARTED = "started"
    GIVEN_BACK = "given_back"

    @property
    def meaning(self) -> str:
        """One sentence, and what stands in `detail` and `pod_id` where something does."""
        return _MEANINGS[self]


_MEANINGS = {
    Happening.QUEUED: "The player was put into the queue.",
    Happening.DEQUEUED: "The player left, as asked; with a match: when that fell through.",
    Happening.EXPIRED: "The player waited `max_wait_seconds`, and was told `Expired`.",
    Happening.SET_ASIDE: "The ticket could not be read: it is a dead letter. `detail`: the reason.",
    Happening.REQUEUED: "An operator put the dead letter back into the queue, at its old place.",
    Happening.DROPPED: "An operator deleted the dead letter.",
    Happening.ANNOUNCED: (
        'The match was made and published, in a mode with `handoff = "publish"`. Whether it was '
        "started, nobody says."
    ),
    Happening.COMMITTED: 'The match was made and offered, in a mode with `handoff = "claim"`.',
    Happening.OFFERED_AGAIN: "Nobody had claimed the match in time, or it was declined.",
    Happening.CLAIMED: "The game server `pod_id` claimed the match.",
    Happening.CLAIM_REFUSED: "A claim of `pod_id` was refused. `detail`: why.",
    Happening.DECLINED: "`pod_id` gave back the match that it had claimed.",
    Happening.CONFIRMED: (
        "`pod_id` will start the match once that is as durable as `redis.durability` asks."
    ),
    Happening.CONFIRM_REFUSED: (
        "`pod_id` wanted to start the match and may not. `detail`: why. The players are back in "
        "the queue, or in another match."
    ),
    Happening.STARTED: "`pod_id` starts the match; the players were told `MatchFound`.",
    Happening.GIVEN_BACK: (
        "The match ended without a start; its players are in the queue again, at their old place. "
        "`detail`: the cause."
    ),
}
