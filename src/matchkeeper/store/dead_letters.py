"""Tickets that could not be read, kept with the reason until somebody decides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from matchkeeper.domain.realm import QueueName
from matchkeeper.errors import NotFoundError
from matchkeeper.store import keys
from matchkeeper.store.connection import Connection
from matchkeeper.store.places import Other, others
from matchkeeper.store.present import Present
from matchkeeper.store.scripts import Unsent, each, script

_AT_ONCE = 16
"""Letters read at once: a megabyte, if each has the largest size allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One ticket, or request, set aside. Times are Unix seconds."""

    entry_id: str
    player_id: str
    metadata: str
    """The whole text of a request; empty for a ticket."""
    reason: str
    enqueued_at: float
    set_aside_at: float
    request: str = ""
    """The kind of a request; empty for a ticket."""


@script(
    tuple[bytes, bytes],
    *(keys.answered, keys.dead, keys.queue, keys.metadata, keys.matched),
    *(keys.history, keys.parties, keys.clock),
    each("others", other_matched=keys.matched, other_queue=keys.queue),
    requests=keys.requests,
)
def requeue(
    *,
    queue: Unsent[QueueName],
    token: Unsent[str],
    memory: int,
    entry_id: str,
    mended: str,
    mode: str,
    others: Sequence[Other],
) -> None:
    """`requeued` and the player, `not_found`, or `elsewhere` and where the player is.

    `mended`: the new metadata; empty: it keeps what it had.
    """


@script(tuple[bytes], keys.answered, keys.dead, keys.history, keys.clock)
def drop(*, queue: Unsent[QueueName], token: Unsent[str], memory: int, entry_id: str) -> None:
    """`dropped` or `not_found`."""


class DeadLetterStore:
    """The dead letters of all modes. Methods raise StoreError."""

    def __init__(self, connection: Connection, *, queues: Sequence[QueueName]) -> None:
        self._connection = connection
        self._queues = tuple(queues)
        self._present = Present(connection, keys.dead, queues=queues)

    async def present(self) -> set[QueueName]:
        """The queues that have dead letters."""
        return await self._present.look()

    async def length(self, queue: QueueName) -> int:
        """How many there are."""
        return (await self.look(queue))[0]

    async def look(self, queue: QueueName) -> tuple[int, list[float]]:
        """How many there are, and when the newest two were set aside, in Unix seconds."""

        async def count(redis: Redis) -> tuple[int, list[float]]:
            async with redis.pipeline(transaction=False) as pipe:
                pipe.xlen(keys.dead(queue))
                pipe.xrevrange(keys.dead(queue), count=2)
                length, newest = await pipe.execute()
            return length, [_letter(*entry).set_aside_at for entry in newest]

        return await self._connection.run("count dead letters", count)

    async def list(
        self,
        queue: QueueName,
        *,
        count: int,
        before: str | None = None,
        most_bytes: float = math.inf,
    ) -> list[DeadLetter]:
        """The newest `count` dead letters, newest first; with `before`, only those before that
        entry. Their metadata has not many more bytes than `most_bytes`.
        """
        found: list[DeadLetter] = []
        size = 0
        while len(found) < count and size < most_bytes:
            behind = found[-1].entry_id if found else before
            part = await self._some(queue, behind, min(_AT_ONCE, count - len(found)))
            if not part:
                break
            found += part
            size += sum(len(each.metadata) for each in part)
        return found

    async def _some(self, queue: QueueName, before: str | None, count: int) -> Sequence[DeadLetter]:
        async def fetch(redis: Redis) -> Sequence[DeadLetter]:
            newest = "+" if before is None else f"({before}"
            entries: Any = await redis.xrevrange(keys.dead(queue), max=newest, count=count)
            return [_letter(entry_id, fields) for entry_id, fields in entries]

        return await self._connection.run("list dead letters", fetch)

    async def get(self, queue: QueueName, entry_id: str) -> DeadLetter:
        """One of them. Raises NotFoundError."""

        async def fetch(redis: Redis) -> DeadLetter | None:
            entries: Any = await redis.xrange(keys.dead(queue), entry_id, entry_id)
            return _letter(*entries[0]) if entries else None

        letter = await self._connection.run("show dead letter", fetch)
        if letter is None:
            raise _missing(entry_id)
        return letter

    async def requeue(self, queue: QueueName, entry_id: str, *, metadata: str, token: str) -> str:
        """Puts one back into its queue with the place it had; returns the player.

        `metadata` replaces what could not be read; empty keeps it. A request goes back to those
        that wait to be done. Raises NotFoundError, also when the player waits or plays elsewhere by
        now.
        """
        code, player = await self._connection.script(
            requeue(
                queue=queue,
                token=token,
                memory=self._connection.memory_ms,
                entry_id=entry_id,
                mended=metadata,
                mode=queue.mode,
                others=others(queue, self._queues),
            ),
            durable=True,
        )
        detail = player.decode("utf-8", "replace")
        if code == b"not_found":
            raise _missing(entry_id)
        if code == b"elsewhere":
            raise NotFoundError(
                f"The player of dead letter {entry_id} is in {detail} by now",
                hint="Drop the dead letter, or take the player out there first.",
            )
        return detail

    async def drop(self, queue: QueueName, entry_id: str, *, token: str) -> None:
        """Deletes one for good. Raises NotFoundError."""
        reply = await self._connection.script(
            drop(queue=queue, token=token, memory=self._connection.memory_ms, entry_id=entry_id),
            durable=True,
        )
        if reply[0] != b"dropped":
            raise _missing(entry_id)


def _missing(entry_id: str) -> NotFoundError:
    return NotFoundError(
        f"There is no dead letter {entry_id}",
        hint="List them with: matchkeeper dead-letters list",
    )


def _letter(entry_id: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
    def text(name: bytes) -> str:
        return fields.get(name, b"").decode("utf-8", "replace")

    return DeadLetter(
        entry_id=entry_id.decode(),
        player_id=text(b"player_id"),
        metadata=text(b"metadata"),
        reason=text(b"reason"),
        enqueued_at=_seconds(text(b"enqueued_at")),
        set_aside_at=_seconds(text(b"time")),
        request=text(b"request"),
    )


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0  # written by somebody else: shown all the same
