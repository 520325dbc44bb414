"""Pub/Sub, heard by one server at a time: its lease, and the stream that it moves requests to."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis

from matchkeeper.domain.realm import NO_REALM
from matchkeeper.store import keys
from matchkeeper.store.connection import Connection
from matchkeeper.store.scripts import Unsent, script
from matchkeeper.store.stream import Entry, entry_of, milliseconds_in


class Want(StrEnum):
    """What a server wants of the lease."""

    HEAR = "hear"
    """To keep it, or to have it if nobody does."""
    FOLLOW = "follow"
    """As HEAR, but it does not take back a lease that was just given up: others may have heard
    more. Marks the channel in any case, so that the caller hears from here on.
    """
    LEAVE = "leave"
    """To give it up."""


class Position(msgspec.Struct, frozen=True, gc=False):
    """A place in what all listeners hear: a mark, and the number of messages after it."""

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
    """Grows whenever the lease goes to another server."""
    done: str
    """The position, as text, up to which all is done; empty before the first."""
    mark: int
    """Number of the last mark; it ends the mark's name."""


class MoveReply(StrEnum):
    """What came of moving requests."""

    MOVED = "moved"
    FULL = "full"
    """The stream is full."""
    LOST = "lost"
    """Another server hears now, or has heard since."""
    ELSEWHERE = "elsewhere"
    """In Redis, all is done up to another position than the caller knows."""


def _as_named(key: str) -> str:
    return key


def _lease(reply: Any) -> Lease:
    mine, state, epoch, done, mark = reply
    return Lease(
        mine=bool(mine),
        state=keys.text(state),
        epoch=int(epoch),
        done=keys.text(done),
        mark=int(mark),
    )


@script(_lease, hearing=_as_named)
def hear_lease(
    *, key: Unsent[str], me: str, want: Want, stood_still: str, channel: str, mark: str
) -> None:
    """The lease after the call.

    `stood_still`: the state of a lease that did not change for as long as a lease lasts, or empty.
    `channel`: where marks are published. `mark`: the name of a new mark; its number is added.
    """


class Message(NamedTuple):
    """A request that was heard."""

    kind: str
    body: bytes


@script(tuple[bytes, ...], hearing=_as_named, heard=keys.heard)
def hear_move(
    *,
    realm: Unsent[str],
    key: Unsent[str],
    epoch: int,
    done: str,
    to: str,
    since: int,
    limit: int,
    messages: Sequence[Message],
) -> None:
    """What came of the move, and the id of the first entry; the others follow it without a gap.

    All was done up to the position `done`; now all is done up to `to`. `since`: since when the
    messages may have been sent, Unix milliseconds, or 0. `limit`: how many requests may wait.
    """


class HearingStore:
    """The lease, which servers on the same Pub/Sub channels share, and the stream, which all
    servers of the realm share. Methods raise StoreError.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        me: str,
        channels: Sequence[str] = (),
        realm: str = NO_REALM,
    ) -> None:
        self._connection = connection
        self._realm = realm
        self._key = keys.hearing(realm, channels)
        self._heard = keys.heard(realm)
        self.marks = keys.marks(realm)
        """The channel on which the lease is marked."""
        self.me = me

    async def lease(self, want: Want, *, stood_still: str, mark: str) -> Lease:
        """Keeps the lease, or takes it where it is free or its state still is `stood_still`. A
        server that then holds it or follows has marked the channel with `mark`.
        """
        return await self._connection.script(
            hear_lease(
                key=self._key,
                me=self.me,
                want=want,
                stood_still=stood_still,
                channel=self.marks,
                mark=mark,
            )
        )

    async def move(
        self,
        epoch: int,
        requests: Sequence[Message],
        *,
        done: str,
        to: str,
        behind: str,
        limit: int,
    ) -> tuple[MoveReply, list[Entry]]:
        """Writes requests to the stream of what was heard. In the same step all up to
        `to` counts as done. `behind`: the mark before the requests, which says how old they may be.
        `limit`: how many may wait in the stream.
        """
        since = milliseconds_in(behind.rpartition(".")[2])
        code, *first = await self._connection.script(
            hear_move(
                realm=self._realm,
                key=self._key,
                epoch=epoch,
                done=done,
                to=to,
                since=since,
                limit=limit,
                messages=requests,
            )
        )
        outcome = MoveReply(code.decode())
        if outcome is not MoveReply.MOVED or not requests:
            return outcome, []
        milliseconds, number = (int(part) for part in first[0].split(b"-"))
        return outcome, [
            Entry(
                stream=self._heard,
                entry_id=f"{milliseconds}-{number + nth}",
                kind=kind,
                body=body,
                since=since,
            )
            for nth, (kind, body) in enumerate(requests)
        ]

    async def waiting(self, *, after: str, count: int) -> list[Entry]:
        """Requests in the stream that are not done, behind the entry `after`; empty: from the
        first on.
        """

        async def fetch(redis: Redis) -> Any:
            return await redis.execute_command(
                "XRANGE", self._heard, f"({after}" if after else "-", "+", "COUNT", count
            )

        found = await self._connection.run("read heard requests", fetch)
        return [entry_of(self._heard, *entry) for entry in found]
