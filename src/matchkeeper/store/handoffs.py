"""What a game server does with a match that it was offered: claim, confirm, decline."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from ..domain.realm import QueueName
from . import keys
from .connection import Connection
from .durability import Durability
from .scripts import Unsent, code, script


class HandoffReply(StrEnum):
    """What came of a game server's claim, confirm or decline."""

    CLAIMED = "claimed"
    CONFIRMED = "confirmed"
    """The match starts only once the confirm is durable and settled."""
    STARTED = "started"
    DECLINED = "declined"
    ALREADY_CLAIMED = "already_claimed"
    NOT_CLAIMED = "not_claimed"
    OLD_EPOCH = "old_epoch"
    TOO_LATE = "too_late"
    UNKNOWN_MATCH = "unknown_match"
    REFUSED = "refused"
    """The game server has claimed matches and started none. It may not claim for a while."""


_reads = code(HandoffReply)


@script(_reads, keys.match, keys.pending, keys.history, keys.claimers, keys.clock, documented=True)
def claim(*, queue: Unsent[QueueName], match_id: str, epoch: int, pod_id: str, token: str) -> None:
    """A game server takes an offered match."""


@script(
    _reads,
    *(keys.match, keys.pending, keys.matched, keys.leaving),
    *(keys.history, keys.claimers, keys.clock),
    documented=True,
)
def confirm(
    *, queue: Unsent[QueueName], match_id: str, epoch: int, pod_id: str, token: str
) -> None:
    """The game server that claimed a match starts it."""


@script(
    _reads,
    *(keys.match, keys.pending, keys.matched, keys.leaving),
    *(keys.history, keys.claimers, keys.clock),
    documented=True,
)
def settle(*, queue: Unsent[QueueName], match_id: str, epoch: int, pod_id: str, token: str) -> None:
    """A confirmed start is as durable as its mode asks."""


@script(_reads, keys.match, keys.pending, keys.history, keys.clock, documented=True)
def decline(
    *, queue: Unsent[QueueName], match_id: str, epoch: int, pod_id: str, token: str
) -> None:
    """The game server that claimed a match will not start it."""


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
        call = claim(queue=queue, match_id=match_id, epoch=epoch, pod_id=pod_id, token=token)
        return await self._connection.script(call, durable=durability)

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
        """The game server that claimed a match starts it. A game server that is refused must not.

        `durability`: what the offer asks for. The match starts, and its players are told, only when
        it is reached. Raises NotDurableError where it is not: then the match can be declined.
        """
        call = confirm(queue=queue, match_id=match_id, epoch=epoch, pod_id=pod_id, token=token)
        reply = await self._connection.script(call, durable=durability)
        if reply is HandoffReply.CONFIRMED:
            reply = await self._connection.script(replace(call, script=settle))
        return reply

    async def decline(
        self, queue: QueueName, match_id: str, *, epoch: int, pod_id: str, token: str
    ) -> HandoffReply:
        """The game server that claimed a match will not start it."""
        call = decline(queue=queue, match_id=match_id, epoch=epoch, pod_id=pod_id, token=token)
        return await self._connection.script(call)
