"""Players into a queue, out of it, and a look at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import msgspec
from redis.asyncio import Redis

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import PoisonedTicket, Ticket
from matchkeeper.protocol.metadata import read_ticket
from matchkeeper.protocol.requests import Request
from matchkeeper.store import keys
from matchkeeper.store.connection import Connection
from matchkeeper.store.places import places
from matchkeeper.store.scripts import Script, call

pack = msgspec.msgpack.Encoder().encode
"""For `cmsgpack.unpack` in Lua, which knows text but no binary: encode `str`, not `bytes`."""


class Reply(StrEnum):
    """What came of an enqueue or dequeue request."""

    QUEUED = "queued"
    DEQUEUED = "dequeued"
    AGAIN = "again"
    """Sent twice; the first answer holds."""
    DUPLICATE = "duplicate"
    """Heard by another server as well, who answers."""
    OVERTAKEN = "overtaken"
    """Came late, after the player had asked for something else, or was matched or taken out."""
    REQUEST_EXPIRED = "request_expired"
    """A server had it in hand so long ago that nobody knows what the player has asked for since."""
    ALREADY_IN_QUEUE = "already_in_queue"
    IN_OTHER_QUEUE = "in_other_queue"
    MATCH_PENDING = "match_pending"
    NOT_IN_QUEUE = "not_in_queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A request as one server has heard it."""

    request: Request
    token: str
    """Made once for each message heard; retries repeat it."""
    entry_id: str = ""
    """Of the stream it was read from; empty for Pub/Sub."""
    answer: tuple[str, bytes] | None = None
    """Channel and payload that say `EnQueued`, for an enqueue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one request. `detail`: where the player is, or the pod to tell."""

    heard: Heard
    reply: Reply
    detail: str
    answered: bool = False
    """The script itself has published the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a queue, longest waiting first."""

    now: float
    """Unix time in seconds, of Redis."""
    queue_length: int
    read: int
    """How many entries were read, those without metadata among them."""
    tickets: tuple[Ticket, ...]
    poisoned: tuple[PoisonedTicket, ...]
    incomplete: tuple[PoisonedTicket, ...]
    """Entries with no metadata at all."""


class TicketStore:
    """The queues of all modes. Methods raise StoreError."""

    def __init__(
        self,
        connection: Connection,
        *,
        tags: Sequence[str],
        me: str,
        several_queues: bool = False,
        duplicate_window: timedelta = timedelta(seconds=5),
    ) -> None:
        self._connection = connection
        self._tags = tuple(tags)
        self._me = me
        self._several = several_queues
        self._window_seconds = duplicate_window.total_seconds()

    async def enqueue(self, tag: str, batch: Sequence[Heard]) -> tuple[int, list[Outcome]]:
        """Puts players into a queue; returns its length and what came of each request."""
        first = 4 + 2 * len(batch)
        more, table = places(tag, self._tags).searched(first)
        # Told by the script itself, a player hears of the queue before hearing of a match.
        at_once = self._connection.options.durability.command is None
        requests = [
            {
                **_fields(heard),
                "metadata": heard.request.metadata,
                "channel": heard.answer[0] if heard.answer and at_once else "",
                "answer": heard.answer[1].decode() if heard.answer and at_once else "",
            }
            for heard in batch
        ]
        args = pack(
            {**self._call(requests), "several": self._several, "places": table},
        )
        names: list[str | bytes] = [keys.queue(tag), keys.metadata(tag), keys.requests(tag)]
        for heard in batch:
            names += _of_request(tag, heard)
        reply = await self._connection.script(Script.ENQUEUE, [*names, *more], [args], durable=True)
        return int(reply[0]), _outcomes(batch, reply[1:], answered=at_once)

    async def dequeue(self, tag: str, batch: Sequence[Heard]) -> list[Outcome]:
        """Takes players out of a queue because they ask to leave."""
        # Where a player waits in several queues, a match of any of them may be in the way.
        others = places(tag, self._tags).others if self._several else ()
        requests = [_fields(heard) for heard in batch]
        args = pack({**self._call(requests), "tag": tag, "others": len(others)})
        names: list[str | bytes] = [
            keys.queue(tag),
            keys.metadata(tag),
            keys.requests(tag),
            keys.matched(tag),
            keys.leaving(tag),
        ]
        for heard in batch:
            names += _of_request(tag, heard)
            names.append(keys.hand_made_metadata(heard.request.player_id))
        for other in others:
            names += [keys.matched(other), keys.leaving(other)]
        reply = await self._connection.script(Script.DEQUEUE, names, [args], durable=True)
        return _outcomes(batch, reply)

    def _call(self, requests: list[dict[str, object]]) -> dict[str, object]:
        return {
            "me": self._me,
            "group": keys.GROUP,
            "window_seconds": self._window_seconds,
            "memory_ms": self._connection.memory_ms,
            "requests": requests,
        }

    async def read(self, mode: GameMode, *, start: int, count: int) -> Page:
        """Reads `count` entries of a queue from rank `start` on."""

        async def page(redis: Redis) -> tuple[Any, dict[bytes, bytes]]:
            reply = await call(
                redis, Script.READ, [keys.queue(mode.tag), keys.metadata(mode.tag)], [start, count]
            )
            missing = [i for i, text in zip(reply[2][::2], reply[3], strict=True) if text is None]
            texts = await _hand_made(redis, missing)
            return reply, texts

        reply, hand_made = await self._connection.run("read", page)
        return _page(mode, reply, hand_made)

    async def length_and_oldest(self, tag: str) -> tuple[int, float | None]:
        """Queue length, and the oldest wait in seconds (None when it is empty)."""
        reply = await self._connection.script(
            Script.READ, [keys.queue(tag), keys.metadata(tag)], [0, 1]
        )
        oldest = max(0.0, float(reply[0]) - float(reply[2][1])) if reply[2] else None
        return int(reply[1]), oldest

    async def set_aside(
        self, tag: str, tickets: Sequence[PoisonedTicket], *, token: str, kept: int, raw_limit: int
    ) -> set[str]:
        """Moves tickets to the dead letters; returns the players that this call has moved."""
        letters: list[bytes | str] = []
        for ticket in tickets:
            raw = (ticket.raw_metadata or "").encode("utf-8", "replace")[:raw_limit]
            reason = ticket.reason.encode("utf-8", "replace")
            letters += [keys.raw(ticket.player_id), repr(ticket.enqueued_at), raw, reason]
        names: list[str | bytes] = [
            keys.answered(tag, token),
            keys.queue(tag),
            keys.metadata(tag),
            keys.dead(tag),
            *(keys.hand_made_metadata(ticket.player_id) for ticket in tickets),
        ]
        reply = await self._connection.script(
            Script.SET_ASIDE, names, [self._connection.memory_ms, kept, *letters]
        )
        return {keys.text(player) for player in reply}

    async def expire(
        self, tag: str, tickets: Sequence[Ticket], *, token: str, max_wait: timedelta
    ) -> set[str]:
        """Takes out tickets that have waited `max_wait`; returns the players taken out."""
        entries = [
            {"player": ticket.player_id, "score": repr(ticket.enqueued_at)} for ticket in tickets
        ]
        names: list[str | bytes] = [
            keys.answered(tag, token),
            keys.queue(tag),
            keys.metadata(tag),
            *(keys.hand_made_metadata(ticket.player_id) for ticket in tickets),
        ]
        reply = await self._connection.script(
            Script.EXPIRE,
            names,
            [self._connection.memory_ms, max_wait.total_seconds(), pack(entries)],
            durable=True,
        )
        return {keys.text(player) for player in reply}

    async def where(self, player_id: str) -> list[tuple[str, float]]:
        """The queues in which a player waits: (tag, enqueue time)."""

        async def look(redis: Redis) -> list[Any]:
            async with redis.pipeline(transaction=False) as pipe:
                for tag in self._tags:
                    pipe.zscore(keys.queue(tag), keys.raw(player_id))
                return list(await pipe.execute())

        scores = await self._connection.run("where", look)
        return [
            (tag, float(score))
            for tag, score in zip(self._tags, scores, strict=True)
            if score is not None
        ]


def _of_request(tag: str, heard: Heard) -> tuple[str, bytes]:
    request = heard.request
    return keys.seen(tag, request.fingerprint), keys.latest(tag, request.player_id)


def _fields(heard: Heard) -> dict[str, object]:
    return {
        "player": heard.request.player_id,
        "token": heard.token,
        "entry": heard.entry_id,
        "has_id": heard.request.has_id or bool(heard.entry_id),
    }


def _outcomes(
    batch: Sequence[Heard], reply: Sequence[bytes], *, answered: bool = False
) -> list[Outcome]:
    return [
        Outcome(
            heard=heard,
            reply=Reply(code.decode()),
            detail=detail.decode("utf-8", "replace"),
            answered=answered and code == b"queued" and heard.answer is not None,
        )
        for heard, code, detail in zip(batch, reply[::2], reply[1::2], strict=True)
    ]


async def _hand_made(redis: Redis, players: Sequence[bytes]) -> dict[bytes, bytes]:
    if not players:
        return {}
    texts: Any = await redis.mget([keys.hand_made_metadata(player) for player in players])
    return {player: text for player, text in zip(players, texts, strict=True) if text is not None}


def _page(mode: GameMode, reply: Any, hand_made: dict[bytes, bytes]) -> Page:
    tickets: list[Ticket] = []
    poisoned: list[PoisonedTicket] = []
    incomplete: list[PoisonedTicket] = []
    entries = reply[2]
    for player, score, inline in zip(entries[::2], entries[1::2], reply[3], strict=True):
        text = inline if inline is not None else hand_made.get(player)
        name, since = keys.text(player), float(score)
        if text is None:
            incomplete.append(
                PoisonedTicket(
                    player_id=name,
                    enqueued_at=since,
                    raw_metadata=None,
                    reason="Metadata not found",
                )
            )
            continue
        ticket = read_ticket(name, since, text, mode, hand_made=inline is None)
        if isinstance(ticket, Ticket):
            tickets.append(ticket)
        else:
            poisoned.append(ticket)
    return Page(
        now=float(reply[0]),
        queue_length=int(reply[1]),
        read=len(reply[3]),
        tickets=tuple(tickets),
        poisoned=tuple(poisoned),
        incomplete=tuple(incomplete),
    )
