"""Players into a queue, out of it, and a look at it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec
from redis.asyncio import Redis

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.realm import QueueName
from matchkeeper.domain.ticket import PoisonedTicket, Ticket
from matchkeeper.store import keys
from matchkeeper.store.connection import Connection
from matchkeeper.store.pages import (
    Fetched,
    Page,
    Place,
    Scan,
    fetched,
    joined,
    scanned,
    size_of,
    still_there,
)
from matchkeeper.store.places import places
from matchkeeper.store.present import Present
from matchkeeper.store.scripts import Script, call
from matchkeeper.store.stream import Entry
from matchkeeper.wire.requests import Request

_LOOKED_AT = 16
"""Tickets read at once for somebody to look at: a megabyte, if each is as large as may be."""
pack = msgspec.msgpack.Encoder().encode
"""For `cmsgpack.unpack` in Lua, which knows text but no binary: encode `str`, not `bytes`."""


class Reply(StrEnum):
    """What came of an enqueue or dequeue request."""

    QUEUED = "queued"
    DEQUEUED = "dequeued"
    AGAIN = "again"
    """Sent twice; the first answer holds."""
    DUPLICATE = "duplicate"
    """Done by another server, which answers."""
    OVERTAKEN = "overtaken"
    """Came late, after the player had asked for something else, or was matched or taken out."""
    REQUEST_EXPIRED = "request_expired"
    """A server had it in hand, or it was sent first, so long ago that nobody knows what came of it,
    and what the player has asked for since.
    """
    ALREADY_IN_QUEUE = "already_in_queue"
    IN_OTHER_QUEUE = "in_other_queue"
    MATCH_PENDING = "match_pending"
    NOT_IN_QUEUE = "not_in_queue"
    MODE_DRAINED = "mode_drained"
    QUEUE_FULL = "queue_full"


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A request as one server has it in hand."""

    request: Request
    token: str
    """Made once for each message in hand; retries repeat it."""
    entry: Entry | None = None
    """Where it stands in a stream."""
    rating: float | None = None
    """MMR points, for an enqueue whose mode uses them."""
    answer: tuple[str, bytes] | None = None
    """Channel and payload that say `EnQueued`, for an enqueue."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one request. `detail`: the enqueue time of who was queued just now, where the
    player is, or the pod to tell.
    """

    heard: Heard
    reply: Reply
    detail: str
    answered: bool = False
    """The script itself has published the answer."""


class TicketStore:
    """The queues of all modes. Methods raise StoreError.

    `longest`: how many may wait in a queue; others may become as long as they will.
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
        """Puts players into a queue; returns its length and what came of each request, which leaves
        its stream (the same for all) in the same step.
        """
        first = 6 + 2 * len(batch)
        more, table = places(queue, self._queues).searched(first)
        # Told by the script itself, a player hears of the queue before hearing of a match.
        at_once = self._connection.options.durability.command is None
        last_match = first + len(more) if self._several else 0
        if self._several:
            marks = [keys.text(keys.last_match(each.request.player_id)) for each in batch]
            more = [*more, *marks]
        told = [(each.answer if at_once else None) or ("", b"") for each in batch]
        args = pack(
            {
                **self._call(queue, batch),
                "several": self._several,
                "longest": self._longest.get(queue, 0),
                "places": table,
                "last_match": last_match,
                "metadata": [heard.request.metadata for heard in batch],
                "channels": [channel for channel, _ in told],
                "answers": [answer.decode() for _, answer in told],
            },
        )
        names: list[str | bytes] = [
            keys.queue(queue),
            keys.metadata(queue),
            _stream(batch),
            keys.history(queue),
            keys.MODES,
        ]
        for heard in batch:
            names += self._of_request(queue, heard)
        reply = await self._connection.script(Script.ENQUEUE, [*names, *more], [args], durable=True)
        return int(reply[0]), _outcomes(batch, reply[1:], answered=at_once)

    async def dequeue(self, queue: QueueName, batch: Sequence[Heard]) -> list[Outcome]:
        """Takes players out of a queue because they ask to leave; streams as in `enqueue`."""
        # Where a player waits in several queues, a match of any of them may be in the way.
        others = places(queue, self._queues).others if self._several else ()
        args = pack({**self._call(queue, batch), "others": len(others)})
        names: list[str | bytes] = [
            keys.queue(queue),
            keys.metadata(queue),
            _stream(batch),
            keys.matched(queue),
            keys.leaving(queue),
            keys.history(queue),
        ]
        for heard in batch:
            names += self._of_request(queue, heard)
            names.append(keys.hand_made_metadata(heard.request.ticket_id))
        for other in others:
            names += [keys.matched(other), keys.leaving(other)]
        reply = await self._connection.script(Script.DEQUEUE, names, [args], durable=True)
        return _outcomes(batch, reply)

    def _call(self, queue: QueueName, batch: Sequence[Heard]) -> dict[str, object]:
        return {
            "tag": queue.mode,
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
        }

    def _of_request(self, queue: QueueName, heard: Heard) -> tuple[str, bytes]:
        request = heard.request
        # Where a player may wait in several queues, wishes of one say nothing of another.
        latest = keys.latest(request.player_id, queue if self._several else None)
        return keys.seen(queue, request.fingerprint), latest

    async def present(self) -> set[QueueName]:
        """The queues with somebody in them."""
        return await self._present.look()

    async def scan(self, queue: QueueName, *, start: int, count: int) -> Scan:
        """Who stands on `count` places of a queue from rank `start` on."""
        reply = await self._connection.script(Script.SCAN, [keys.queue(queue)], [start, count])
        return scanned(reply)

    async def newer(self, queue: QueueName, *, than: float, count: int) -> Scan:
        """Who stands behind all places up to `than` (Unix time in seconds), `count` at most."""
        reply = await self._connection.script(
            Script.NEWER, [keys.queue(queue)], [repr(than), count]
        )
        return scanned(reply)

    async def fetch(self, mode: GameMode, places: Sequence[Place]) -> Fetched:
        """The tickets of places that were scanned, at most some thousand."""
        if not places:
            return fetched(mode, [], {})
        names = [keys.queue(mode.queue), keys.metadata(mode.queue)]
        ids = [ticket_id for ticket_id, _ in places]

        async def get(redis: Redis) -> tuple[Any, dict[bytes, bytes]]:
            there = still_there(places, await call(redis, Script.FETCH, names, ids))
            return there, await _hand_made(redis, [each[0] for each in there if each[2] is None])

        return fetched(mode, *await self._connection.run("fetch", get))

    async def read(
        self, mode: GameMode, *, start: int, count: int, most_bytes: float = math.inf
    ) -> Page:
        """Places with their tickets, for somebody to look at; not many more bytes of metadata than
        `most_bytes`.
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
        letters: list[bytes | str] = []
        for ticket in tickets:
            raw = (ticket.raw_metadata or "").encode("utf-8", "replace")[:raw_limit]
            reason = ticket.reason.encode("utf-8", "replace")
            letters += [keys.raw(ticket.ticket_id), repr(ticket.enqueued_at), raw, reason]
        names: list[str | bytes] = [
            keys.answered(queue, token),
            keys.queue(queue),
            keys.metadata(queue),
            keys.dead(queue),
            keys.history(queue),
            *(keys.hand_made_metadata(ticket.ticket_id) for ticket in tickets),
        ]
        reply = await self._connection.script(
            Script.SET_ASIDE, names, [self._connection.memory_ms, kept, *letters]
        )
        return {keys.text(ticket_id) for ticket_id in reply}

    async def expire(
        self, queue: QueueName, tickets: Sequence[Ticket], *, token: str, max_wait: timedelta
    ) -> set[str]:
        """Takes out tickets that have waited `max_wait`; returns the ids of those taken out."""
        entries = [
            {"player": ticket.ticket_id, "score": repr(ticket.enqueued_at)} for ticket in tickets
        ]
        names: list[str | bytes] = [
            keys.answered(queue, token),
            keys.queue(queue),
            keys.metadata(queue),
            keys.history(queue),
            *(keys.hand_made_metadata(ticket.ticket_id) for ticket in tickets),
        ]
        reply = await self._connection.script(
            Script.EXPIRE,
            names,
            [self._connection.memory_ms, max_wait.total_seconds(), pack(entries)],
            durable=True,
        )
        return {keys.text(ticket_id) for ticket_id in reply}

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


_replies: Mapping[bytes, Reply] = {reply.value.encode(): reply for reply in Reply}


def _stream(batch: Sequence[Heard]) -> str:
    entry = batch[0].entry
    return entry.stream if entry else keys.REQUESTS


def _repeats(heard: Heard) -> bool:
    """Whether what it repeats stands before it in the same stream, as far as anybody can tell."""
    entry = heard.entry
    if entry is None or not entry.group:
        return False
    first, again = (
        tuple(map(int, entry_id.split("-"))) for entry_id in (heard.request.repeats, entry.entry_id)
    )
    return first < again


def _outcomes(
    batch: Sequence[Heard], reply: Sequence[bytes], *, answered: bool = False
) -> list[Outcome]:
    return [
        Outcome(
            heard=heard,
            reply=_replies[code],
            detail=detail.decode("utf-8", "replace"),
            answered=answered and code == b"queued" and heard.answer is not None,
        )
        for heard, code, detail in zip(batch, reply[::2], reply[1::2], strict=True)
    ]


async def _hand_made(redis: Redis, ids: Sequence[bytes]) -> dict[bytes, bytes]:
    if not ids:
        return {}
    texts: Any = await redis.mget(map(keys.hand_made_metadata, ids))
    return {each: text for each, text in zip(ids, texts, strict=True) if text is not None}
