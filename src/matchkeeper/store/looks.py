"""A look at what stands in the queues."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from redis.asyncio import Redis

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.realm import QueueName
from matchkeeper.errors import StoreRefusedError
from matchkeeper.store import keys
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
    twice_with,
)
from matchkeeper.store.parties import PartyIndex
from matchkeeper.store.present import Present
from matchkeeper.store.scripts import run

_LOOKED_AT = 16
"""Tickets read at once for people: a megabyte, if each has the largest size allowed."""


class Looks:
    """The queues of all modes, as they are read. Methods raise StoreError."""

    def __init__(self, connection: Connection, *, queues: Sequence[QueueName]) -> None:
        self._connection = connection
        self._queues = tuple(queues)
        self._present = Present(connection, keys.queue, queues=queues)
        self.parties = PartyIndex(connection, queues=queues)
        """Who is in which party."""

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
        return (await self._fetch(mode, places))[0]

    async def to_match(self, mode: GameMode, places: Sequence[Place]) -> Fetched:
        """As `fetch`. Parties among them are in the index from now on; of which a player, or which
        themselves, are somewhere else, too, count as poisoned.
        """
        found, indexed = await self._fetch(mode, places)
        doubtful = [
            each for each in found.tickets if each.is_party or keys.raw(each.ticket_id) in indexed
        ]
        if not doubtful:
            return found
        try:
            entered, twice = await self.parties.enter(mode.queue, doubtful)
        except StoreRefusedError:  # the connection has told it; parties wait, all others go on
            entered, twice = [], []
        names = {each.ticket_id for each in doubtful}
        return replace(
            found,
            tickets=(*(e for e in found.tickets if e.ticket_id not in names), *entered),
            poisoned=(*found.poisoned, *(twice_with(each, found.metadata) for each in twice)),
        )

    async def _fetch(
        self, mode: GameMode, places: Sequence[Place]
    ) -> tuple[Fetched, frozenset[bytes]]:
        """The tickets, and which of their ids the index has."""
        if not places:
            return fetched(mode, [], {}), frozenset()
        call = fetch(queue=mode.queue, tickets=[ticket_id for ticket_id, _ in places])

        async def get(redis: Redis) -> tuple[Any, dict[bytes, bytes], frozenset[bytes]]:
            reply = await run(redis, call)
            there = still_there(places, reply)
            indexed = [
                each[0] for each, party in zip(places, reply[2] or (), strict=False) if party
            ]
            missing = [each[0] for each in there if each[2] is None]
            hand_made = await _hand_made(redis, mode.queue.realm, missing)
            return there, hand_made, frozenset(indexed)

        there, hand_made, indexed = await self._connection.run("fetch", get)
        return fetched(mode, there, hand_made), indexed

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


async def _hand_made(redis: Redis, realm: str, ids: Sequence[bytes]) -> dict[bytes, bytes]:
    if not ids:
        return {}
    texts: Any = await redis.mget([keys.hand_made_metadata(each, realm) for each in ids])
    return {each: text for each, text in zip(ids, texts, strict=True) if text is not None}
