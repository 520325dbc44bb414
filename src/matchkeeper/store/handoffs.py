"""What a game server does with a match that it was offered: claim, confirm, decline."""

from __future__ import annotations

from enum import StrEnum

from ..domain.realm import QueueName
from . import keys
from .connection import Connection
from .durability import Durability
from .scripts import Script


class HandoffReply(StrEnum):
    """What came of a game server's claim, confirm or decline."""

    CLAIMED = "claimed"
    CONFIRMED = "confirmed"
    """Not started before it is durable and settled."""
    STARTED = "started"
    DECLINED = "declined"
    ALREADY_CLAIMED = "already_claimed"
    NOT_CLAIMED = "not_claimed"
    OLD_EPOCH = "old_epoch"
    TOO_LATE = "too_late"
    UNKNOWN_MATCH = "unknown_match"
    REFUSED = "refused"
    """The game server has claimed matches and started none: for a while it may not claim."""


class Handoffs:
    """The matches of all modes, as a game server sees them. Methods raise StoreError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def claim(
        self,
        queue: QueueName,
        match_id: str,
        *,
        epoch: int,
        pod_id: str,
        token: str,
        durability: Durability | None = None,
    ) -> HandoffReply:
        """A game server takes an offered match for its lease; `durability` as in `confirm`."""
        reply = await self._connection.script(
            Script.CLAIM,
            [
                keys.match(queue, match_id),
                keys.pending(queue),
                keys.history(queue),
                keys.claimers(queue),
            ],
            [match_id, epoch, pod_id, token],
            durable=durability,
        )
        return HandoffReply(reply[0].decode())

    async def confirm(
        self,
        queue: QueueName,
        match_id: str,
        *,
        epoch: int,
        pod_id: str,
        token: str,
        durability: Durability | None = None,
    ) -> HandoffReply:
        """The game server that claimed a match starts it. A server that is refused must not.

        `durability`: what the offer asks for; only when it is reached is the match started, and are
        its players told. Raises NotDurableError where it is not: then it can be declined.
        """
        names = [
            keys.match(queue, match_id),
            keys.pending(queue),
            keys.matched(queue),
            keys.leaving(queue),
            keys.history(queue),
            keys.claimers(queue),
        ]
        args = (match_id, epoch, pod_id, token)
        reply = await self._connection.script(Script.CONFIRM, names, args, durable=durability)
        if reply[0] == b"confirmed":
            reply = await self._connection.script(Script.SETTLE, names, args)
        return HandoffReply(reply[0].decode())

    async def decline(
        self, queue: QueueName, match_id: str, *, epoch: int, pod_id: str, token: str
    ) -> HandoffReply:
        """The game server that claimed a match will not start it."""
        reply = await self._connection.script(
            Script.DECLINE,
            [keys.match(queue, match_id), keys.pending(queue), keys.history(queue)],
            [match_id, epoch, pod_id, token],
        )
        return HandoffReply(reply[0].decode())
