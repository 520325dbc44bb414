"""Players into a queue, out of it, and a look at it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.realm import QueueName
from matchkeeper.domain.ticket import PoisonedTicket, Ticket
from matchkeeper.store import keys
from matchkeeper.store.asked import Answer, Asked, Reply, dequeue, enqueue
from matchkeeper.store.connection import Connection
from matchkeeper.store.pages import (
    Fetched,
    Page,
    Place,
    Scan,
    fetch,
    fetched,
    joined,
    newer,
    scan,
    size_of,
    still_there,
)
from matchkeeper.store.places import others
from matchkeeper.store.present import Present
from matchkeeper.store.scripts import Unsent, each, run, script
from matchkeeper.store.stream import Entry
from matchkeeper.wire.requests import Request

_LOOKED_AT = 16
"""Tickets read at once for people: a megabyte, if each has the largest size allowed."""


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A request as one server has it in hand."""

    request: Request
    token: str
    """Made once for each message in hand; retries repeat it."""
    entry: Entry | None = None
    """Its place in a stream."""
    rating: float | None = None
    """MMR points, for an enqueue whose mode uses them."""
    answer: tuple[str, bytes] | None = None
    """Channel and payload that say `EnQueued`, for an enqueue."""
    since: int = 0
    """Of one that may be a copy of another: since when it may have been sent, Unix milliseconds."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one request. `detail`: the enqueue time of a player who was queued just now,
    where the player is, or the pod to tell.
    """

    heard: Heard
    reply: Reply
    detail: str
    answered: bool = False
    """The script itself has published the answer."""


class Standing(NamedTuple):
    """A ticket to be taken out, if it stands where it was read."""

    ticket_id: str
    score: str


class Letter(NamedTuple):
    """A ticket that cannot be read."""

    ticket_id: str
    score: str
    raw: bytes
    reason: bytes


def _ids(reply: Sequence[bytes]) -> set[str]:
    return {keys.text(ticket_id) for ticket_id in reply}


@script(
    _ids,
    *(keys.answered, keys.queue, keys.metadata, keys.dead, keys.history, keys.clock),
    each("letters", hand_made_metadata=keys.hand_made_metadata),
)
def set_aside(
    *,
    queue: Unsent[QueueName],
    token: Unsent[str],
    memory: int,
    kept: int,
    letters: Sequence[Letter],
) -> None:
    """The tickets that this call has set aside. `kept`: how many dead letters are kept."""


@script(
    _ids,
    *(keys.answered, keys.queue, keys.metadata, keys.history, keys.clock),
    each("tickets", hand_made_metadata=keys.hand_made_metadata),
)
def expire(
    *,
    queue: Unsent[QueueName],
    token: Unsent[str],
    memory: int,
    max_wait_seconds: float,
    tickets: Sequence[Standing],
) -> None:
    """The tickets that this call has taken out."""


class TicketStore:
    """The queues of all modes. Methods raise StoreError.

    `longest`: how many may wait in a queue; a queue that is not in it has no limit.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        queues: Sequence[QueueName],
        several_queues: bool = False,
        longest: Mapping[QueueName, int] = MappingProxyType({}),
    ) -> None:
        self._connection = connection
        self._queues = tuple(queues)
        self._present = Present(connection, keys.queue, queues=queues)
        self._several = several_queues
        self._longest = longest

    async def enqueue(self, queue: QueueName, batch: Sequence[Heard]) -> tuple[int, list[Outcome]]:
        """Puts players into a queue; returns its length and what came of each request. In the same
        step the requests leave their stream, which is the same for all.
        """
        # The script itself publishes the answer, so that it comes before any news of a match.
        at_once = self._connection.options.durability.command is None
        told = [(each.answer if at_once else None) or ("", b"") for each in batch]
        packed = {
            **self._packed(queue, batch),
            "several": self._several,
            "longest": self._longest.get(queue, 0),
            "metadata": [heard.request.metadata for heard in batch],
            "channels": [channel for channel, _ in told],
            "answers": [answer.decode() for _, answer in told],
        }
        call = enqueue(
            queue=queue,
            scope=self._scope(queue),
            stream=_stream(queue, batch),
            packed=packed,
            asked=_asked(batch),
            others=others(queue, self._queues),
            marks=[heard.request.player_id for heard in batch] if self._several else [],
        )
        length, answers = await self._connection.script(call, durable=True)
        return length, _outcomes(batch, answers, answered=at_once)

    async def dequeue(self, queue: QueueName, batch: Sequence[Heard]) -> list[Outcome]:
        """Takes players out of a queue because they ask to leave; streams as in `enqueue`."""
        call = dequeue(
            queue=queue,
            scope=self._scope(queue),
            stream=_stream(queue, batch),
            packed=self._packed(queue, batch),
            asked=_asked(batch),
            others=others(queue, self._queues) if self._several else [],
        )
        answers = await self._connection.script(call, durable=True)
        return _outcomes(batch, answers)

    def _scope(self, queue: QueueName) -> QueueName:
        return queue if self._several else QueueName(realm=queue.realm, mode="")

    def _packed(self, queue: QueueName, batch: Sequence[Heard]) -> dict[str, object]:
        return {
            "mode": queue.mode,
            "group": batch[0].entry.group if batch[0].entry else "",
            "memory_ms": self._connection.memory_ms,
            "players": [heard.request.ticket_id for heard in batch],
            "tokens": [heard.token for heard in batch],
            "entries": [heard.entry.entry_id if heard.entry else "" for heard in batch],
            "repeats": {
                nth: heard.request.repeats
                for nth, heard in enumerate(batch, start=1)
                if heard.request.repeats and _repeats(heard)
            },
            "since": {nth: heard.since for nth, heard in enumerate(batch, start=1) if heard.since},
        }

    async def present(self) -> set[QueueName]:
        """The queues that have tickets."""
        return await self._present.look()

    async def scan(self, queue: QueueName, *, start: int, count: int) -> Scan:
        """`count` places of a queue, from rank `start` on."""
        return await self._connection.script(scan(queue=queue, first=start, count=count))

    async def newer(self, queue: QueueName, *, than: float, count: int) -> Scan:
        """Places later than `than` (Unix time in seconds), `count` at most."""
        return await self._connection.script(newer(queue=queue, than=repr(than), count=count))

    async def fetch(self, mode: GameMode, places: Sequence[Place]) -> Fetched:
        """The tickets of places that were scanned, at most some thousand."""
        if not places:
            return fetched(mode, [], {})
        call = fetch(queue=mode.queue, tickets=[ticket_id for ticket_id, _ in places])

        async def get(redis: Redis) -> tuple[Any, dict[bytes, bytes]]:
            there = still_there(places, await run(redis, call))
            return there, await _hand_made(
                redis, mode.queue.realm, [each[0] for each in there if each[2] is None]
            )

        return fetched(mode, *await self._connection.run("fetch", get))

    async def read(
        self, mode: GameMode, *, start: int, count: int, most_bytes: float = math.inf
    ) -> Page:
        """Places with their tickets, for people to look at. Their metadata has not many more bytes
        than `most_bytes`.
        """
        scan = await self.scan(mode.queue, start=start, count=count)
        parts: list[Fetched] = []
        taken = size = 0
        while taken < len(scan.places) and size < most_bytes:
            parts.append(await self.fetch(mode, scan.places[taken : taken + _LOOKED_AT]))
            taken = min(len(scan.places), taken + _LOOKED_AT)
            size += size_of(parts[-1])
        cut = taken < len(scan.places)
        scan = replace(scan, places=scan.places[:taken])
        return Page(scan=scan, fetched=joined(parts), cut=cut)

    async def length_and_oldest(self, queue: QueueName) -> tuple[int, float | None]:
        """Queue length, and the oldest wait in seconds (None when it is empty)."""
        scan = await self.scan(queue, start=0, count=1)
        oldest = max(0.0, scan.now - scan.places[0][1]) if scan.places else None
        return scan.queue_length, oldest

    async def set_aside(
        self,
        queue: QueueName,
        tickets: Sequence[PoisonedTicket],
        *,
        token: str,
        kept: int,
        raw_limit: int,
    ) -> set[str]:
        """Moves tickets to the dead letters; returns the ids of those that this call has moved."""
        letters = [
            Letter(
                ticket.ticket_id,
                repr(ticket.enqueued_at),
                (ticket.raw_metadata or "").encode("utf-8", "replace")[:raw_limit],
                ticket.reason.encode("utf-8", "replace"),
            )
            for ticket in tickets
        ]
        memory = self._connection.memory_ms
        call = set_aside(queue=queue, token=token, memory=memory, kept=kept, letters=letters)
        return await self._connection.script(call)

    async def expire(
        self, queue: QueueName, tickets: Sequence[Ticket], *, token: str, max_wait: timedelta
    ) -> set[str]:
        """Takes out tickets that have waited `max_wait`; returns the ids of those taken out."""
        call = expire(
            queue=queue,
            token=token,
            memory=self._connection.memory_ms,
            max_wait_seconds=max_wait.total_seconds(),
            tickets=[Standing(ticket.ticket_id, repr(ticket.enqueued_at)) for ticket in tickets],
        )
        return await self._connection.script(call, durable=True)

    async def where(self, player_id: str) -> list[tuple[QueueName, float]]:
        """The queues in which a player waits: (queue, enqueue time)."""

        async def look(redis: Redis) -> list[Any]:
            async with redis.pipeline(transaction=False) as pipe:
                for queue in self._queues:
                    pipe.zscore(keys.queue(queue), keys.raw(player_id))
                return list(await pipe.execute())

        scores = await self._connection.run("where", look)
        return [
            (queue, float(score))
            for queue, score in zip(self._queues, scores, strict=True)
            if score is not None
        ]


def _asked(batch: Sequence[Heard]) -> list[Asked]:
    return [
        Asked(each.request.fingerprint, each.request.player_id, each.request.ticket_id)
        for each in batch
    ]


def _stream(queue: QueueName, batch: Sequence[Heard]) -> str:
    entry = batch[0].entry
    return entry.stream if entry else keys.requests(queue.realm)


def _repeats(heard: Heard) -> bool:
    """Whether the request that it repeats stands before it in the same stream, as far as anybody
    can tell.
    """
    entry = heard.entry
    if entry is None or not entry.group:
        return False
    first, again = (
        tuple(map(int, entry_id.split("-"))) for entry_id in (heard.request.repeats, entry.entry_id)
    )
    return first < again


def _outcomes(
    batch: Sequence[Heard], answers: Sequence[Answer], *, answered: bool = False
) -> list[Outcome]:
    return [
        Outcome(
            heard=heard,
            reply=reply,
            detail=detail,
            answered=answered and reply is Reply.QUEUED and heard.answer is not None,
        )
        for heard, (reply, detail) in zip(batch, answers, strict=True)
    ]


async def _hand_made(redis: Redis, realm: str, ids: Sequence[bytes]) -> dict[bytes, bytes]:
    if not ids:
        return {}
    texts: Any = await redis.mget([keys.hand_made_metadata(each, realm) for each in ids])
    return {each: text for each, text in zip(ids, texts, strict=True) if text is not None}
