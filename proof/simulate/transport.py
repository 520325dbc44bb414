"""redis-py over the simulated network: everything of it runs but the socket."""

from __future__ import annotations

from typing import Any

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
    """Lets a connection that is not used yet speak through the simulated network."""
    pool = connection.redis.connection_pool
    pool.connection_class = SimConnection
    pool.connection_kwargs.update(network=network, endpoint=endpoint)
