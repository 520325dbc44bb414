"""The history that the scripts write, for people and for the figures of the servers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from matchkeeper.domain.realm import QueueName
from matchkeeper.store import keys
from matchkeeper.store.connection import Connection

_PAGE = 500
_FIELDS = (b"what", b"players", b"party", b"match", b"pod", b"detail")


class Happened(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One entry. Players, party, match, pod and detail are empty where they say nothing."""

    queue: QueueName
    at: float
    """Unix time in seconds, by the clock of Redis."""
    what: str
    """One of `Happening`, unless a newer server wrote it."""
    players: str
    """One player id a line."""
    match_id: str
    pod_id: str
    detail: str
    """The cause, the reason, the code of a refusal, or who left the party."""
    party_id: str = ""
    """The party that these players are."""


Ends = Mapping[QueueName, str]
"""Queue -> id of the entry up to which a history was read."""


class History:
    """The histories of all modes. Methods raise StoreError."""

    def __init__(self, connection: Connection, *, queues: Sequence[QueueName]) -> None:
        self._connection = connection
        self._queues = tuple(queues)

    async def ends(self, queues: Sequence[QueueName]) -> Ends:
        """Where these histories end now. A key that is no stream is left out."""
        if not queues:
            return {}

        async def look(redis: Redis) -> dict[QueueName, str]:
            async with redis.pipeline(transaction=False) as pipe:
                for queue in queues:
                    pipe.xrevrange(keys.history(queue), count=1)
                replies = await pipe.execute(raise_on_error=False)
            found = {}
            for queue, reply in zip(queues, replies, strict=True):
                if isinstance(reply, ResponseError) and str(reply).startswith("WRONGTYPE"):
                    continue
                if isinstance(reply, Exception):
                    raise reply
                found[queue] = reply[0][0].decode() if reply else "0-0"
            return found

        return await self._connection.run("find history", look)

    async def after(self, ends: Ends, *, count: int) -> tuple[list[Happened], Ends]:
        """Up to `count` entries of each history behind `ends`, and where those end."""
        if not ends:
            return [], ends
        queues = {keys.history(queue).encode(): queue for queue in ends}

        async def fetch(redis: Redis) -> Any:
            return await redis.xread(
                {keys.history(queue): end for queue, end in ends.items()}, count=count
            )

        found: list[Happened] = []
        read = dict(ends)
        for name, entries in await self._connection.run("read history", fetch):
            queue = queues[name]
            found += _sound(queue, entries)
            read[queue] = entries[-1][0].decode()
        return found, read

    async def of_player(self, player_id: str, *, limit: int) -> list[Happened]:
        """What happened to a player, or a party, and to the matches of either, newest first."""
        found = [each for queue in self._queues for each in await self._in_queue(queue, player_id)]
        # Sorted from old to new: things of the same millisecond keep the order they were found in.
        return sorted(found, key=lambda each: each.at)[::-1][:limit]

    async def _in_queue(self, queue: QueueName, player_id: str) -> list[Happened]:
        matches: set[str] = set()
        found: list[Happened] = []
        party: frozenset[str] = frozenset()
        start = "-"
        while True:
            page = await self._page(queue, start)
            for each in _sound(queue, page):
                mine = player_id in each.players and player_id in each.players.split("\n")
                if each.party_id == player_id:
                    mine, party = True, party.union(filter(None, each.players.split("\n")))
                elif party and each.match_id and each.players:
                    mine = party.issubset(each.players.split("\n"))
                if mine and each.match_id:
                    matches.add(each.match_id)
                if mine or (not each.players and each.match_id in matches):
                    found.append(each)
            if len(page) < _PAGE:
                return found
            start = f"({page[-1][0].decode()}"

    async def _page(self, queue: QueueName, start: str) -> Sequence[Any]:
        async def fetch(redis: Redis) -> Sequence[Any]:
            try:
                entries: Any = await redis.xrange(keys.history(queue), min=start, count=_PAGE)
            except ResponseError as error:
                if str(error).startswith("WRONGTYPE"):
                    return []
                raise
            return list(entries)

        return await self._connection.run("look up history", fetch)


def _sound(
    queue: QueueName, entries: Iterable[tuple[bytes, Mapping[bytes, bytes]]]
) -> list[Happened]:
    """The entries that the scripts wrote; entries of anybody else are passed over."""
    return [each for entry_id, row in entries for each in _happened(queue, entry_id, row)]


def _happened(queue: QueueName, entry_id: bytes, row: Mapping[bytes, bytes]) -> list[Happened]:
    try:
        what, players, party_id, match_ids, pod_id, detail = [
            keys.text(row.get(name, b"")) for name in _FIELDS
        ]
        at = int(entry_id.partition(b"-")[0]) / 1000
    except (TypeError, ValueError):
        return []
    matches = match_ids.split("\n")
    in_matches = players.split("\n\n") if players and len(matches) > 1 else repeat(players)
    return [
        Happened(
            queue=queue,
            at=at,
            what=what,
            players=names,
            match_id=match,
            pod_id=pod_id,
            detail=detail,
            party_id=party_id,
        )
        for match, names in zip(matches, in_matches, strict=False)
    ]
