"""How a game server writes requests: to their stream, which servers make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis

from ..domain.realm import NO_REALM
from . import keys
from .operations import Operations


class Written(NamedTuple):
    """A request as it is written."""

    kind: str
    body: bytes


class Sender:
    """Writes requests. It may add to the stream, and nothing else. Methods raise StoreError, and
    may write a request twice where a reply is lost: servers know it again by its id.
    """

    def __init__(self, connection: Operations, *, realm: str = NO_REALM) -> None:
        self._connection = connection
        self._key = keys.requests(realm)

    async def write(self, kind: str, body: bytes) -> str:
        """Writes a request; returns the id of its entry. Empty: there is no stream, since no server
        was ever here.
        """
        return (await self.write_all([Written(kind, body)]))[0]

    async def write_all(self, requests: Sequence[Written]) -> list[str]:
        """Writes requests in one round trip; returns what `write` does, for each."""

        async def add(redis: Redis) -> list[Any]:
            async with redis.pipeline(transaction=False) as pipe:
                for kind, body in requests:
                    pipe.execute_command(
                        *("XADD", self._key, "NOMKSTREAM", "*", "kind", kind, "body", body)
                    )
                return list(await pipe.execute())

        ids = await self._connection.run("write requests", add)
        return ["" if entry_id is None else entry_id.decode() for entry_id in ids]
