"""What a game server hears of its messages about matches."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from .limits import decoded

_encode = msgspec.json.Encoder().encode


class HandoffReply(StrEnum):
    """What came of a game server's claim, confirm, start or decline."""

    CLAIMED = "claimed"
    CONFIRMED = "confirmed"
    """Between servers alone: the match starts once this is durable."""
    STARTED = "started"
    DECLINED = "declined"
    UNKNOWN_MATCH = "unknown_match"
    OLD_EPOCH = "old_epoch"
    UNKNOWN_EPOCH = "unknown_epoch"
    NOT_CLAIMED = "not_claimed"
    ALREADY_CLAIMED = "already_claimed"
    OTHER_TOKEN = "other_token"  # noqa: S105  # a word of the wire
    TOO_LATE = "too_late"
    REFUSED = "refused"
    NOT_DURABLE = "not_durable"

    @property
    def meaning(self) -> str:
        """One sentence for the reference, and what the game server does."""
        return _MEANINGS[self]


_MEANINGS = {
    HandoffReply.CLAIMED: "The match is yours for its lease. Get ready, then confirm.",
    HandoffReply.STARTED: (
        "Start the match: its players are told. To a decline: it came too late, the match counts "
        "as started."
    ),
    HandoffReply.DECLINED: "The match is offered to all again, at once.",
    HandoffReply.UNKNOWN_MATCH: "There is no such match in this mode, or it is over and forgotten.",
    HandoffReply.OLD_EPOCH: "`epoch` is of an earlier offer. The match was offered again since.",
    HandoffReply.UNKNOWN_EPOCH: "The match was not offered under this `epoch` yet.",
    HandoffReply.NOT_CLAIMED: "Nobody has claimed the match: claim it first.",
    HandoffReply.ALREADY_CLAIMED: "Another game server has the match.",
    HandoffReply.OTHER_TOKEN: (
        "This `pod_id` has done so under another `token`: two processes have one `pod_id`, or it "
        "was a message before this one."
    ),
    HandoffReply.TOO_LATE: "The offer, or the lease, has ended. Do not start the match.",
    HandoffReply.REFUSED: (
        "This game server has claimed matches and started none; for a while it may claim none."
    ),
    HandoffReply.NOT_DURABLE: (
        "Redis could not make it as durable as `redis.durability` asks in time. It was undone: do "
        "not start the match."
    ),
}


class Handoff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a message about a match; `kind`, `epoch` and `token` are of the message."""

    kind: str
    epoch: int
    token: str
    reply: str
    """A reply, or an error code."""
    message: str = ""
    """Why the message cannot be used, where the reply is an error code."""


class HandoffAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`pod:{pod_id}:match_result`: the answer to a message about a match."""

    match_id: str
    result_type: dict[str, Handoff]
    """`Handoff` -> what came of it."""


_handoff = msgspec.json.Decoder(HandoffAnswer)


def handoff_answer(
    *, match_id: str, kind: str, epoch: int, token: str, reply: str, message: str = ""
) -> bytes:
    """The answer to a message about a match."""
    came = Handoff(kind=kind, epoch=epoch, token=token, reply=reply, message=message)
    return _encode(HandoffAnswer(match_id=match_id, result_type={"Handoff": came}))


def decode_handoff_answer(payload: bytes) -> HandoffAnswer:
    """An answer to a message about a match. Raises msgspec.DecodeError."""
    return decoded(_handoff, payload)
