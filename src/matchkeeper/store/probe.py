"""Whether Redis does its work, tried on a connection of its own."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from matchkeeper.domain.realm import NO_REALM
from matchkeeper.errors import StoreForbiddenError
from matchkeeper.store import keys, rights
from matchkeeper.store.connection import Connection
from matchkeeper.store.rights import Trial

_SECONDS = 2.0
"""A network that swallows packets must not keep the next try waiting."""
_WRITTEN_MS = 1000


async def probe(
    connection: Connection, *, realm: str = NO_REALM, tried: Sequence[Trial] = ()
) -> None:
    """Makes one small write, since a replica would also answer a PING, and tries whether all of
    `tried` is allowed. Looks the address up anew. Raises StoreError.
    """

    async def ask(redis: Redis) -> None:
        try:
            await redis.set(keys.probe(realm), "", px=_WRITTEN_MS)
        except NoPermissionError:
            if not tried:
                raise  # else it is named below, with all other lacking rights
        if lacking := await rights.refused(redis, tried) if tried else ():
            raise StoreForbiddenError(
                f"Redis refuses this user {rights.listed(lacking)}. {rights.grants(lacking, realm)}"
            )

    await connection.apart("probe", ask, seconds=min(_SECONDS, connection.timeout_seconds))
