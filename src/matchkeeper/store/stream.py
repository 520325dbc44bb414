"""The durable way in: requests that wait in a stream until they are done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from matchkeeper.domain.realm import NO_REALM, QueueName
from matchkeeper.store import keys
from matchkeeper.store.connection import Connection
from matchkeeper.store.scripts import Unsent, script

_DIGITS = 13
"""Of Unix milliseconds, until the year 2286."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request in a stream. Both texts are as they came, unchecked."""

    stream: str
    """Key of the stream: `keys.requests`, or `keys.heard` for what was heard on Pub/Sub."""
    entry_id: str
    kind: str
    body: bytes
    since: int = 0
    """Of what was heard by Pub/Sub: since when it may have been sent, Unix milliseconds, or 0."""
    group: str = ""
    """The group of the stream's readers; empty where it has one reader."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Some entries, and where to read on; empty: these were the last."""

    entries: list[Entry]
    after: str


def as_named(stream: str) -> str:
    """A stream of requests: `keys.requests` or `keys.heard`."""
    return stream


@script(bool, keys.dead, keys.clock, requests=as_named)
def bury(
    *,
    queue: Unsent[QueueName],
    stream: Unsent[str],
    group: str,
    entry_id: str,
    kept: int,
    kind: str,
    body: bytes,
    player_id: str,
    reason: str,
) -> None:
    """Whether the request was still there. `kept`: how many dead letters are kept."""


@script(int, requests=as_named, durable=keys.requests)
def hand_on(
    *, realm: Unsent[str], stream: Unsent[str], group: str, entry_ids: Sequence[str]
) -> None:
    """How many of the entries were there."""


@script(lambda reply: int(reply[0]) if reply else None, keys.requests)
def replace_stream(*, realm: Unsent[str], group: str, beyond: int) -> None:
    """How many entries were written anew; None: its ids are as they should be. `beyond`: from this
    time on (Unix milliseconds) an id is none that a clock has made.
    """


class RequestStream:
    """The stream of a realm's requests, read as one consumer of its group."""

    def __init__(self, connection: Connection, *, me: str, realm: str = NO_REALM) -> None:
        self._connection = connection
        self._realm = realm
        self._key = keys.requests(realm)
        self._me = me

    async def prepare(self) -> None:
        """Makes the stream and the group where they do not exist. Safe to repeat.

        Raises StoreRefusedError where the key is no stream.
        """

        async def create(redis: Redis) -> None:
            try:
                await redis.xgroup_create(self._key, keys.GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise

        await self._connection.run("prepare stream", create)

    async def mend(self) -> int | None:
        """Puts another stream in the place of one whose ids somebody has used up. Returns how many
        requests wait in it; None: its ids are as they should be.
        """
        return await self._connection.script(
            replace_stream(realm=self._realm, group=keys.GROUP, beyond=10**_DIGITS)
        )

    async def read(self, *, count: int, block: timedelta) -> list[Entry]:
        """New requests, or an empty list after `block`. Raises StoreError."""
        block_ms = max(1, int(block.total_seconds() * 1000))

        async def fetch(redis: Redis) -> Any:
            return await redis.execute_command(
                *self._command(count), "BLOCK", block_ms, "STREAMS", self._key, ">"
            )

        reply = await self._connection.once("read requests", fetch, seconds=block.total_seconds())
        return self._entries(_raw(reply))

    async def reread(self, *, after: str, count: int) -> Part:
        """Requests that this consumer was given before and did not finish, behind the entry
        `after`; empty: from the first on.
        """

        async def fetch(redis: Redis) -> Any:
            return await redis.execute_command(
                *self._command(count), "STREAMS", self._key, after or "0"
            )

        found = list(_raw(await self._connection.run("reread requests", fetch)))
        # Entries without fields were deleted since; many of them may stand before the others.
        return Part(entries=self._entries(found), after=found[-1][0].decode() if found else "")

    async def take_over(self, *, idle: timedelta, after: str, count: int) -> Part:
        """Requests that another consumer was given and has not finished for `idle`, from `after`
        on; empty: from the first on.
        """
        idle_ms = int(idle.total_seconds() * 1000)

        async def fetch(redis: Redis) -> Any:
            reply = await redis.execute_command(
                *("XAUTOCLAIM", self._key, keys.GROUP, self._me, idle_ms),
                *(after or "0-0", "COUNT", count),
            )
            return reply[:2]

        # Redis looks at some at a time: idle entries may stand behind others that are not.
        cursor, claimed = await self._connection.run("take over requests", fetch)
        end = cursor == b"0-0"
        return Part(entries=self._entries(claimed), after="" if end else cursor.decode())

    async def discard(self, entry: Entry) -> bool:
        """Removes a request that will not be done. Returns whether it was still there."""

        async def remove(redis: Redis) -> bool:
            async with redis.pipeline(transaction=True) as pipe:
                if entry.group:
                    pipe.xack(entry.stream, entry.group, entry.entry_id)
                pipe.xdel(entry.stream, entry.entry_id)
                return bool((await pipe.execute())[-1])

        return await self._connection.run("discard request", remove)

    async def bury(
        self, entry: Entry, queue: QueueName, *, player_id: str, reason: str, kept: int
    ) -> bool:
        """Moves a request to the dead letters of a mode. Returns whether it was still there."""
        return await self._connection.script(
            bury(
                queue=queue,
                stream=entry.stream,
                group=entry.group,
                entry_id=entry.entry_id,
                kept=kept,
                kind=entry.kind,
                body=entry.body,
                player_id=player_id,
                reason=reason,
            )
        )

    async def hand_on(self, stream: str, entries: Sequence[Entry]) -> int:
        """Moves requests of one stream behind all that wait in the durable one. Returns how many
        were still there.
        """
        ids = [entry.entry_id for entry in entries]
        return await self._connection.script(
            hand_on(realm=self._realm, stream=stream, group=entries[0].group, entry_ids=ids)
        )

    async def leave(self, *, gone_for: timedelta) -> None:
        """Removes this consumer and those of servers long gone, where nothing waits for them."""
        gone_ms = gone_for.total_seconds() * 1000

        async def tidy(redis: Redis) -> None:
            for consumer in await redis.xinfo_consumers(self._key, keys.GROUP):
                mine = consumer["name"] == self._me.encode()
                if consumer["pending"] == 0 and (mine or consumer["idle"] > gone_ms):
                    await redis.xgroup_delconsumer(self._key, keys.GROUP, consumer["name"])

        await self._connection.run("leave stream", tidy)

    def _entries(self, found: Iterable[tuple[bytes, Any]]) -> list[Entry]:
        return [entry_of(self._key, *each, group=keys.GROUP) for each in found if each[1]]

    def _command(self, count: int) -> tuple[str | int, ...]:
        return ("XREADGROUP", "GROUP", keys.GROUP, self._me, "COUNT", count)


def _raw(reply: Any) -> Iterator[tuple[bytes, Any]]:
    """Id and fields of the entries of a read."""
    pairs = reply.items() if isinstance(reply, dict) else reply or ()
    for _, entries in pairs:
        yield from _flat(entries)


def _flat(entries: Any) -> Any:
    """redis-py wraps a stream's entries in one more list for the newer protocol."""
    if (
        entries
        and isinstance(entries[0], list)
        and entries[0]
        and isinstance(entries[0][0], (list, tuple))
    ):
        return entries[0]
    return entries


def milliseconds_in(text: str) -> int:
    """Unix milliseconds; 0 where a text says none, as that of an older server."""
    return int(text) if text.isdecimal() and len(text) == _DIGITS else 0


def is_of_a_clock(entry_id: str) -> bool:
    """Whether a clock may have made this id, in this century or the next two."""
    return len(entry_id.partition("-")[0]) <= _DIGITS


def entry_of(stream: str, entry_id: bytes, fields: Any, *, group: str = "") -> Entry:
    """An entry as Redis sends it. `group`: of the stream's readers."""
    values = (
        fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))
    )
    since = values.get(b"since")
    return Entry(
        stream=stream,
        entry_id=entry_id.decode(),
        kind=values.get(b"kind", b"").decode("utf-8", "replace"),
        body=values.get(b"body", b""),
        group=group,
        since=milliseconds_in(since.decode("utf-8", "replace")) if since else 0,
    )
