"""The durable way in: requests that wait in a stream until they are done."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from matchkeeper.store import keys
from matchkeeper.store.connection import Connection
from matchkeeper.store.scripts import Script


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request in a stream. Both texts are as they came, unchecked."""

    tag: str
    """Of the mode whose stream it stands in; empty in the stream of what was heard by Pub/Sub."""
    entry_id: str
    kind: str
    body: bytes

    @property
    def stream(self) -> str:
        """The key of its stream."""
        return keys.requests(self.tag) if self.tag else keys.HEARD

    @property
    def group(self) -> str:
        """Of the stream's readers; empty where it has one reader."""
        return keys.GROUP if self.tag else ""


class Submitted(StrEnum):
    """What came of writing a request."""

    ADDED = "added"
    FULL = "full"
    NO_STREAM = "no_stream"


class RequestStreams:
    """The request streams of all modes, read as one consumer of the group."""

    def __init__(self, connection: Connection, *, tags: Sequence[str], me: str) -> None:
        self._connection = connection
        self._tags = tuple(tags)
        self._me = me
        self._streams = {keys.requests(tag).encode(): tag for tag in tags}
        """Those that can be read, by key."""

    async def prepare(self) -> list[str]:
        """Makes the streams and the consumer group where they do not exist. Safe to repeat.

        Returns the tags whose key is no stream: they are left out until the next call.
        """

        async def create(redis: Redis) -> list[str]:
            broken = []
            for tag in self._tags:
                try:
                    await redis.xgroup_create(keys.requests(tag), keys.GROUP, id="0", mkstream=True)
                except ResponseError as error:
                    if str(error).startswith("WRONGTYPE"):
                        broken.append(tag)
                    elif not str(error).startswith("BUSYGROUP"):
                        raise
            return broken

        broken = await self._connection.run("prepare streams", create)
        sound = (tag for tag in self._tags if tag not in broken)
        self._streams = {keys.requests(tag).encode(): tag for tag in sound}
        return broken

    async def read(self, *, count: int, block: timedelta) -> list[Entry]:
        """New requests, or an empty list after `block`. Raises StoreError."""
        if not self._streams:
            await asyncio.sleep(block.total_seconds())
            return []
        block_ms = max(1, int(block.total_seconds() * 1000))

        async def fetch(redis: Redis) -> Any:
            return await redis.execute_command(
                *self._command(count), "BLOCK", block_ms, "STREAMS", *self._streams,
                *[">"] * len(self._streams),
            )  # fmt: skip

        reply = await self._connection.once("read requests", fetch, seconds=block.total_seconds())
        return self._entries(reply)

    async def reread(self, *, after: Mapping[str, str], count: int) -> list[Entry]:
        """Requests that this consumer was given, but whose reply or end got lost: behind the entry
        that `after` names for a tag.
        """
        if not self._streams:
            return []

        async def fetch(redis: Redis) -> Any:
            behind = [after.get(tag, "0") for tag in self._streams.values()]
            return await redis.execute_command(
                *self._command(count), "STREAMS", *self._streams, *behind
            )

        return self._entries(await self._connection.run("reread requests", fetch))

    async def take_over(self, *, idle: timedelta, count: int) -> list[Entry]:
        """Requests that another consumer was given and has not finished for `idle`."""
        idle_ms = int(idle.total_seconds() * 1000)

        async def fetch(redis: Redis) -> list[tuple[str, Any]]:
            found = []
            for tag in self._streams.values():
                reply = await redis.execute_command(
                    "XAUTOCLAIM", keys.requests(tag), keys.GROUP, self._me, idle_ms, "0-0",
                    "COUNT", count,
                )  # fmt: skip
                found.append((tag, reply[1]))
            return found

        claimed = await self._connection.run("take over requests", fetch)
        return [entry_of(tag, *entry) for tag, entries in claimed for entry in entries if entry[1]]

    async def discard(self, entry: Entry) -> bool:
        """Removes a request that will not be done; whether it was still there."""

        async def remove(redis: Redis) -> bool:
            async with redis.pipeline(transaction=True) as pipe:
                if entry.group:
                    pipe.xack(entry.stream, entry.group, entry.entry_id)
                pipe.xdel(entry.stream, entry.entry_id)
                return bool((await pipe.execute())[-1])

        return await self._connection.run("discard request", remove)

    async def bury(self, entry: Entry, tag: str, *, player_id: str, reason: str, kept: int) -> bool:
        """Moves a request to the dead letters of a mode; whether it was still there."""
        reply = await self._connection.script(
            Script.BURY,
            [entry.stream, keys.dead(tag)],
            [
                *(entry.group, entry.entry_id, kept, entry.kind, entry.body),
                *(keys.raw(player_id), reason),
            ],
        )
        return bool(reply)

    async def leave(self, *, gone_for: timedelta) -> None:
        """Removes this consumer and those of servers long gone, where nothing waits for them."""
        gone_ms = gone_for.total_seconds() * 1000

        async def tidy(redis: Redis) -> None:
            for tag in self._streams.values():
                name = keys.requests(tag)
                for consumer in await redis.xinfo_consumers(name, keys.GROUP):
                    mine = consumer["name"] == self._me.encode()
                    if consumer["pending"] == 0 and (mine or consumer["idle"] > gone_ms):
                        await redis.xgroup_delconsumer(name, keys.GROUP, consumer["name"])

        await self._connection.run("leave streams", tidy)

    async def submit(self, tag: str, kind: str, body: bytes, *, limit: int) -> Submitted:
        """Writes a request, unless `limit` requests wait already or no server serves the mode."""
        reply = await self._connection.script(
            Script.SUBMIT, [keys.requests(tag)], [limit, kind, body], durable=True
        )
        return Submitted(reply[0].decode())

    def _command(self, count: int) -> tuple[str | int, ...]:
        return ("XREADGROUP", "GROUP", keys.GROUP, self._me, "COUNT", count)

    def _entries(self, reply: Any) -> list[Entry]:
        if not reply:
            return []
        pairs = reply.items() if isinstance(reply, dict) else reply
        return [
            entry_of(self._streams[stream], *entry)
            for stream, entries in pairs
            for entry in _flat(entries)
            if entry[1]
        ]


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


def entry_of(tag: str, entry_id: bytes, fields: Any) -> Entry:
    """An entry as Redis sends it."""
    values = (
        fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))
    )
    return Entry(
        tag=tag,
        entry_id=entry_id.decode(),
        kind=values.get(b"kind", b"").decode("utf-8", "replace"),
        body=values.get(b"body", b""),
    )
