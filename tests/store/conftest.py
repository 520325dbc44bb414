"""What the tests of the store begin with: stores on a real server, and somebody who listens."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from tests.conftest import RealServer
from tests.support.stores import CHANNEL, Stores, open_stores


@pytest.fixture
async def stores(any_server: RealServer) -> AsyncIterator[Stores]:
    """Stores of one server."""
    async with open_stores(any_server.url) as opened:
        yield opened


@pytest.fixture
async def listener(redis: Redis) -> AsyncIterator[None]:
    """Somebody who hears battle requests, so that matches can be made."""
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        await pubsub.get_message(timeout=1)
        yield
