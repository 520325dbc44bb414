"""What game servers do with the matches that they were offered: claim, confirm, start, decline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from matchkeeper.domain.realm import QueueName
from matchkeeper.store import keys
from matchkeeper.store.connection import Connection
from matchkeeper.store.durability import Durability
from matchkeeper.store.failures import NotDurableError
from matchkeeper.store.scripts import Unsent, each, script
from matchkeeper.store.stream import Entry, as_named
from matchkeeper.wire.handed import HandoffReply
from matchkeeper.wire.handoffs import Assigned, HandoffRequest

_UNDO = "undo"
"""A kind that only servers know."""
_REPLIES: Mapping[bytes, HandoffReply] = {reply.value.encode(): reply for reply in HandoffReply}


class Handed(msgspec.Struct, frozen=True, kw_only=True):
    """A game server's message about a match, as one server has it in hand."""

    request: HandoffRequest
    assigned: Assigned | None = None
    """What the players are to know of their match."""
    entry: Entry | None = None
    """Its place in a stream."""


class Came(NamedTuple):
    """What came of a batch."""

    replies: Sequence[HandoffReply]
    durable: bool
    """Whether it is as durable as was asked."""


def _replies(reply: Sequence[bytes]) -> list[HandoffReply]:
    return [_REPLIES[code] for code in reply]


_OF_QUEUE = (
    *(keys.pending, keys.matched, keys.leaving, keys.history, keys.claimers),
    *(keys.parties, keys.news, keys.clock),
)


@script(_replies, *_OF_QUEUE, each("match_ids", match=keys.match), requests=as_named)
def handoff(
    *,
    queue: Unsent[QueueName],
    stream: Unsent[str],
    packed: Mapping[str, object],
    match_ids: Unsent[Sequence[str]],
) -> None:
    """What came of each message.

    `packed`: `mode`; `durable`, whether a start is settled once it is durable, and the caller
    answers; `channel` of the answers, in two parts between which the pod stands (empty: nobody is
    told); `group` and `entries` as in `enqueue`. For each message, in their order: `kinds`,
    `matches`, `epochs`, `pods` and `tokens`; `assigned`, place of a message -> its assignment and
    secrets.
    """


@script(_replies, *_OF_QUEUE, each("match_ids", match=keys.match))
def settle(
    *,
    queue: Unsent[QueueName],
    packed: Mapping[str, object],
    match_ids: Unsent[Sequence[str]],
) -> None:
    """What came of each confirmed start. `packed` as in `handoff`."""


class Handoffs:
    """The matches of all modes, as game servers see them. Methods raise StoreError."""

    def __init__(self, connection: Connection, *, channel: Sequence[str] = ()) -> None:
        """`channel`: of the answers, in two parts, between which the pod stands."""
        self._connection = connection
        self._channel = tuple(channel)

    @property
    def durability(self) -> Durability:
        """The durability that a start must have before anybody is told."""
        return self._connection.options.durability

    async def do(
        self,
        queue: QueueName,
        batch: Sequence[Handed],
        *,
        durability: Durability | None = None,
        hand: str = "",
    ) -> Came:
        """Does messages about matches of one queue, in their order. In the same step they leave
        their stream, which is the same for all. Where nothing has to be durable first, all are
        answered in that step, too; else the caller answers, and settles what is CONFIRMED.

        `durability`: what to wait for in place of the own one. `hand`: made up for this batch; who
        knows it may `undo` it.
        """
        wanted = self.durability if durability is None else durability
        call = handoff(
            queue=queue,
            stream=batch[0].entry.stream if batch[0].entry else keys.requests(queue.realm),
            packed={
                **self._packed(queue, batch),
                "durable": self.durability.command is not None,
                "hand": hand,
                "group": batch[0].entry.group if batch[0].entry else "",
                "entries": [each.entry.entry_id for each in batch if each.entry],
            },
            match_ids=[each.request.match_id for each in batch],
        )
        try:
            replies = await self._connection.script(call, durable=wanted, patient=False)
        except NotDurableError as error:
            return Came(_replies(error.reply), durable=False)
        return Came(replies, durable=True)

    async def undo(
        self, queue: QueueName, batch: Sequence[Handed], *, hand: str
    ) -> list[HandoffReply]:
        """Takes back what these messages took that is not durable in time, under the `hand` of
        then. STARTED: somebody has started it since. CONFIRMED: somebody else has it in hand, too,
        so that it stays.
        """
        call = handoff(
            queue=queue,
            stream=keys.requests(queue.realm),
            packed={
                **self._packed(queue, batch),
                "kinds": [_UNDO] * len(batch),
                "durable": True,
                "hand": hand,
                "group": "",
                "entries": [],
            },
            match_ids=[each.request.match_id for each in batch],
        )
        return await self._connection.script(call, durable=Durability(), patient=False)

    async def settle(self, queue: QueueName, batch: Sequence[Handed]) -> list[HandoffReply]:
        """Confirmed starts are durable by now: they start, and all who must know are told."""
        ids = [each.request.match_id for each in batch]
        return await self._connection.script(
            settle(queue=queue, packed=self._packed(queue, batch), match_ids=ids)
        )

    def _packed(self, queue: QueueName, batch: Sequence[Handed]) -> dict[str, Any]:
        return {
            "mode": queue.mode,
            "channel": self._channel,
            "kinds": [each.request.kind for each in batch],
            "matches": [each.request.match_id for each in batch],
            "epochs": [each.request.epoch for each in batch],
            "pods": [each.request.pod_id for each in batch],
            "tokens": [each.request.token for each in batch],
            "assigned": {
                nth: (assigned.assignment, assigned.secrets)
                for nth, each in enumerate(batch, start=1)
                if (assigned := each.assigned) is not None
            },
        }
