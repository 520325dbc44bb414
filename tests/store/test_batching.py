"""Scripts that travel together: each gets its own reply, and its own error."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from matchkeeper.domain.realm import QueueName
from matchkeeper.errors import StoreError, StoreUnavailableError
from matchkeeper.resilience.breaker import CircuitBreaker
from matchkeeper.store.batching import BatchingConnection
from matchkeeper.store.connection import ConnectionOptions
from matchkeeper.store.coordination import Coordination
from matchkeeper.store.failures import Outcome
from matchkeeper.store.handoffs import HandoffReply
from matchkeeper.store.matches import MatchStore
from matchkeeper.store.stream import RequestStream, Submitted
from tests.conftest import RealServer


class Seen:
    """What the connection did."""

    def __init__(self) -> None:
        self.operations: list[str] = []

    def operation(self, operation: str, outcome: Outcome, seconds: float, error: str) -> None:
        self.operations.append(operation)

    def retry(self, operation: str) -> None:
        """Nothing to note."""


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def connection(valkey: RealServer, seen: Seen) -> AsyncIterator[BatchingConnection]:
    rng = random.Random(1)
    async with BatchingConnection(
        ConnectionOptions(url=valkey.url),
        breaker=CircuitBreaker(clock=time.monotonic, rng=rng),
        observer=seen,
        clock=time.monotonic,
        rng=rng,
    ) as opened:
        yield opened


@pytest.fixture
def coordination(connection: BatchingConnection) -> Coordination:
    return Coordination(connection, new_token=lambda: "token")


async def test_calls_of_one_moment_are_one_round_trip(
    coordination: Coordination, seen: Seen
) -> None:
    await asyncio.gather(*(coordination.heartbeat(f"pod-{n}") for n in range(300)))
    assert len(await coordination.pods()) == 300
    assert seen.operations == ["scripts", "scripts"]


async def test_more_than_one_batch_holds_everything(coordination: Coordination, seen: Seen) -> None:
    await asyncio.gather(*(coordination.heartbeat(f"pod-{n}") for n in range(1200)))
    assert len(await coordination.pods()) == 1200
    assert len(seen.operations) == 4


async def test_each_caller_gets_its_own_reply_and_its_own_error(
    connection: BatchingConnection, valkey: RealServer
) -> None:
    async with Redis.from_url(valkey.url) as redis:
        await redis.xgroup_create("match:requests", "matchkeeper", mkstream=True)
        await redis.set("match:{a}:broken", "no hash")
    queue = QueueName.of("a")
    stream, matches = RequestStream(connection, me="me"), MatchStore(connection, queues=[queue])
    added, unknown, broken = await asyncio.gather(
        stream.submit("enqueue", b"{}", limit=10),
        matches.decline(queue, "none", epoch=1, pod_id="p", token="t"),
        matches.decline(queue, "broken", epoch=1, pod_id="p", token="t"),
        return_exceptions=True,
    )
    assert isinstance(added, tuple)
    assert (added[0], unknown) == (Submitted.ADDED, HandoffReply.UNKNOWN_MATCH)
    assert isinstance(broken, StoreError)


async def test_a_redis_that_has_forgotten_the_scripts_is_given_them_again(
    coordination: Coordination, valkey: RealServer
) -> None:
    await coordination.heartbeat("pod-1")
    async with Redis.from_url(valkey.url) as redis:
        await redis.script_flush()
    await asyncio.gather(*(coordination.heartbeat(f"pod-{n}") for n in range(50)))
    assert len(await coordination.pods()) == 50


async def test_who_sends_is_cancelled_and_the_others_are_told_and_not_cancelled(
    coordination: Coordination, valkey: RealServer
) -> None:
    await coordination.heartbeat("pod-0")
    async with Redis.from_url(valkey.url) as redis:
        await redis.client_pause(500)
        first = asyncio.ensure_future(coordination.heartbeat("pod-1"))
        second = asyncio.ensure_future(coordination.heartbeat("pod-2"))
        await asyncio.sleep(0.1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        with pytest.raises(StoreUnavailableError):
            await second
    await coordination.heartbeat("pod-3")
    assert "pod-3" in await coordination.pods()


async def test_an_outage_is_told_to_everybody(
    coordination: Coordination, valkey: RealServer
) -> None:
    valkey.kill()
    outcomes = await asyncio.gather(
        *(coordination.heartbeat(f"pod-{n}") for n in range(3)), return_exceptions=True
    )
    assert all(isinstance(each, StoreError) for each in outcomes)
