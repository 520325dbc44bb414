"""redis-py over the simulated network: everything of it runs but the socket."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import Connection as RedisConnection

from matchkeeper.store.connection import Connection
from proof.simulate.network import Endpoint, Network


class SimConnection(RedisConnection):
    """A connection whose bytes go through the simulated network."""

    def __init__(self, *, network: Network, endpoint: Endpoint, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._network = network
        self._endpoint = endpoint

    async def _connect(self) -> None:
        link = await self._network.connect(self._endpoint)
        self._reader = link.reader
        self._writer = link  # type: ignore[assignment]  # the few methods that redis-py calls


def reroute(connection: Connection, network: Network, endpoint: Endpoint) -> None:
    """Lets a connection that is not used yet, and all that it makes later, speak through the
    simulated network.
    """

    def through(redis: Redis) -> Redis:
        redis.connection_pool.connection_class = SimConnection
        redis.connection_pool.connection_kwargs.update(network=network, endpoint=endpoint)
        return redis

    new_client = connection.new_client
    connection.new_client = lambda: through(new_client())
    through(connection.redis)
