"""Pub/Sub, heard by one server at a time: its lease, and the stream that it moves requests to."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec
from redis.asyncio import Redis

from matchkeeper.store import keys
from matchkeeper.store.connection import Connection
from matchkeeper.store.scripts import Script
from matchkeeper.store.stream import Entry, entry_of


class Want(StrEnum):
    """What a server wants of the lease."""

    HEAR = "hear"
    """To keep it, or to have it if nobody does."""
    FOLLOW = "follow"
    """As HEAR, but not what was just given up: others may have heard more. Marks the channel in any
    case, so that the caller hears from here on.
    """
    LEAVE = "leave"
    """To give it up."""


class Position(msgspec.Struct, frozen=True, gc=False):
    """A place in what all listeners hear: behind a mark, and so many messages after it."""

    mark: str
    after: int

    def __str__(self) -> str:
        return f"{self.mark} {self.after}"

    @classmethod
    def parse(cls, text: str) -> Position | None:
        """The inverse of `str`; None where it is no position."""
        mark, _, after = text.rpartition(" ")
        return cls(mark, int(after)) if mark and after.isdecimal() else None


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The lease as Redis has it."""

    mine: bool
    state: str
    """Changes whenever its holder keeps it."""
    epoch: int
    """Grows whenever it goes to somebody else."""
    done: str
    """The position up to which all is done, as text; empty before the first."""
    mark: int
    """Number of the last mark; it ends the mark's name."""


class MoveReply(StrEnum):
    """What came of moving requests."""

    MOVED = "moved"
    FULL = "full"
    """As many wait in the stream as may."""
    LOST = "lost"
    """Another server hears, or has since."""
    ELSEWHERE = "elsewhere"
    """All is done up to another position than the caller knows."""


class HearingStore:
    """What the servers that listen on the same channels of Pub/Sub share, and the stream, which all
    servers do. Methods raise StoreError.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        me: str,
        channels: Sequence[str] = keys.HEARD_BY_DEFAULT,
    ) -> None:
        self._connection = connection
        self._key = keys.hearing(channels)
        self.me = me

    async def lease(self, want: Want, *, stood_still: str, mark: str) -> Lease:
        """Keeps the lease, or takes it where it is free or its state still is `stood_still`; who
        holds it or follows then has marked the channel with `mark`.
        """
        reply = await self._connection.script(
            Script.HEAR_LEASE,
            [self._key],
            [self.me, want.value, stood_still, keys.MARKS, mark],
        )
        mine, state, epoch, done, mark = reply
        return Lease(
            mine=bool(mine),
            state=keys.text(state),
            epoch=int(epoch),
            done=keys.text(done),
            mark=int(mark),
        )

    async def move(
        self,
        epoch: int,
        requests: Sequence[tuple[str, bytes]],
        *,
        done: str,
        to: str,
        limit: int,
    ) -> tuple[MoveReply, list[Entry]]:
        """Writes requests (kind, body) to the stream of what was heard, in the same step in which
        all up to `to` counts as done. `limit`: how many may wait in the stream.
        """
        fields = [each for request in requests for each in request]
        reply = await self._connection.script(
            Script.HEAR_MOVE,
            [self._key, keys.HEARD],
            [epoch, keys.raw(done), to, limit, *fields],
        )
        outcome = MoveReply(reply[0].decode())
        if outcome is not MoveReply.MOVED or not requests:
            return outcome, []
        milliseconds, number = (int(part) for part in reply[1].split(b"-"))
        return outcome, [
            Entry(
                stream=keys.HEARD, entry_id=f"{milliseconds}-{number + nth}", kind=kind, body=body
            )
            for nth, (kind, body) in enumerate(requests)
        ]

    async def waiting(self, *, after: str, count: int) -> list[Entry]:
        """Requests in the stream that are not done, behind the entry `after`; empty: from the
        first on.
        """

        async def fetch(redis: Redis) -> Any:
            return await redis.execute_command(
                "XRANGE", keys.HEARD, f"({after}" if after else "-", "+", "COUNT", count
            )

        found = await self._connection.run("read heard requests", fetch)
        return [entry_of(keys.HEARD, *entry) for entry in found]
