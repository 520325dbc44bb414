"""Deadlines, lost replies, retries and durability, against real servers."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import uvloop
from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from matchkeeper.errors import (
    CircuitOpenError,
    StoreError,
    StoreNotReadyError,
    StoreRefusedError,
    StoreTimeoutError,
    StoreUnavailableError,
)
from matchkeeper.store import scripts
from matchkeeper.store.asked import Reply
from matchkeeper.store.committing import commit
from matchkeeper.store.failures import NotDurableError, Outcome, translate
from tests.conftest import RealServer, wait_until
from tests.support.proxy import proxy_to
from tests.support.stores import CHANNEL, NORMAL, open_stores


async def test_a_frozen_server_is_a_timeout_and_recovers(any_server: RealServer) -> None:
    async with open_stores(any_server.url, timeout=0.2, attempts=1) as stores:
        await stores.enqueue("p1")
        any_server.signal(signal.SIGSTOP)
        with pytest.raises(StoreTimeoutError, match=r"^enqueue timeout after 0\.2s$"):
            await stores.enqueue("p2")
        any_server.signal(signal.SIGCONT)
        assert (await stores.enqueue("p3")).reply is Reply.QUEUED
    assert ("enqueue", Outcome.TIMEOUT) in stores.seen.operations


async def test_a_dead_server_is_a_network_error_and_recovers(any_server: RealServer) -> None:
    async with open_stores(any_server.url, attempts=1) as stores:
        await stores.enqueue("p1")
        any_server.kill()
        with pytest.raises(StoreUnavailableError, match="network error"):
            await stores.enqueue("p2")
        any_server.start()
        assert (await stores.enqueue("p1")).reply in (Reply.QUEUED, Reply.ALREADY_IN_QUEUE)


async def test_scripts_that_are_forgotten_again_at_once_are_given_once_more(
    any_server: RealServer, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failover, or a flush, between giving a script and calling it."""
    load, flushes = scripts.load, iter([True, False, False])

    async def load_and_forget(client: Redis, script: scripts.Script[..., Any]) -> None:
        await load(client, script)
        if next(flushes):
            await redis.script_flush()

    monkeypatch.setattr(scripts, "load", load_and_forget)
    async with open_stores(any_server.url) as stores:
        assert (await stores.enqueue("p1")).reply is Reply.QUEUED
    assert ("enqueue", Outcome.NOT_READY) in stores.seen.operations


async def test_connecting_has_a_deadline_too(any_server: RealServer) -> None:
    any_server.signal(signal.SIGSTOP)
    begun = time.monotonic()
    async with open_stores(any_server.url, timeout=0.2, attempts=1) as stores:
        with pytest.raises(StoreTimeoutError):
            await stores.enqueue("p1")
    assert time.monotonic() - begun < 2
    any_server.signal(signal.SIGCONT)


async def test_a_cancelled_command_never_answers_the_next(any_server: RealServer) -> None:
    """The old defect of clients: the late reply of a cancelled command goes to the next one."""
    rng = random.Random(7)
    async with open_stores(any_server.url) as stores:

        async def echo(word: str) -> str:
            async def call(redis: Redis) -> str:
                return bytes(await redis.execute_command("ECHO", word)).decode()

            return await stores.connection.once("echo", call)

        async def one(number: int) -> None:
            task = asyncio.ensure_future(echo(f"w{number}"))
            if rng.random() < 0.5:
                for _ in range(rng.randrange(8)):
                    await asyncio.sleep(0)
                task.cancel()
            try:
                assert await task == f"w{number}"
            except asyncio.CancelledError:
                return

        for first in range(0, 2000, 8):
            await asyncio.gather(*(one(number) for number in range(first, first + 8)))
        assert all(outcome is Outcome.OK for _, outcome in stores.seen.operations)


async def test_a_lost_reply_is_asked_again_and_enqueues_once(any_server: RealServer) -> None:
    async with proxy_to(any_server.port) as proxy, open_stores(proxy.url) as stores:
        await stores.enqueue("warm")
        proxy.lose_replies_to = b"EVALSHA"
        assert (await stores.enqueue("p1")).reply is Reply.QUEUED
        page = await stores.tickets.read(NORMAL, start=0, count=10)
    assert proxy.lost == 1
    assert stores.seen.retries == ["enqueue"]
    assert [ticket.ticket_id for ticket in page.tickets] == ["warm", "p1"]


async def test_what_may_be_forgotten_by_now_is_not_sent_again(any_server: RealServer) -> None:
    """As where the process stood still after it had sent it."""
    ticks = count()
    async with (
        proxy_to(any_server.port) as proxy,
        open_stores(proxy.url, clock=lambda: 1000.0 * next(ticks)) as stores,
    ):
        await stores.enqueue("warm")
        proxy.lose_replies_to = b"EVALSHA"
        with pytest.raises(StoreError):
            await stores.enqueue("p1")
    assert proxy.lost == 1
    assert stores.seen.retries == []


async def test_a_commit_whose_reply_was_lost_makes_one_match(any_server: RealServer) -> None:
    async with (
        proxy_to(any_server.port) as proxy,
        open_stores(proxy.url) as stores,
        Redis.from_url(any_server.url) as redis,
        redis.pubsub() as pubsub,
    ):
        await pubsub.subscribe(CHANNEL)
        await pubsub.get_message(timeout=1)
        for player in ("p1", "p2", "p3", "p4"):
            await stores.enqueue(player)
        match = await stores.new_match()
        proxy.lose_replies_to = commit.sha.encode()
        proxy.lose_at_most = 2
        assert await stores.commit(NORMAL, match) == ["committed"]
        assert await redis.zrange("queue:{normal}", 0, -1) == [b"p3", b"p4"]
        assert await redis.keys("match:{normal}:*") == [
            f"match:{{normal}}:{match.match_id}".encode()
        ]
        offers = 0
        while await pubsub.get_message(timeout=0.05):
            offers += 1
    assert (proxy.lost, offers) == (2, 1)


async def test_redis_py_repeats_nothing_by_itself(any_server: RealServer) -> None:
    async with proxy_to(any_server.port) as proxy, open_stores(proxy.url, attempts=1) as stores:
        await stores.enqueue("warm")
        proxy.lose_replies_to = b"EVALSHA"
        proxy.lose_at_most = 100
        sent = len(proxy.requests)
        with pytest.raises(StoreError):
            await stores.enqueue("p1")
        repeats = [data for data in proxy.requests[sent:] if b"EVALSHA" in data]
    assert len(repeats) == 1


async def test_the_breaker_stops_after_so_many_failures(any_server: RealServer) -> None:
    async with open_stores(any_server.url, attempts=1, failures=3) as stores:
        any_server.kill()
        for _ in range(3):
            with pytest.raises(StoreUnavailableError):
                await stores.enqueue("p1")
        with pytest.raises(CircuitOpenError):
            await stores.enqueue("p1")
    (change,) = stores.seen.changes
    assert change.failures == 3


async def test_what_redis_refuses_is_no_outage(any_server: RealServer) -> None:
    async with (
        open_stores(any_server.url, failures=2) as stores,
        Redis.from_url(any_server.url) as redis,
    ):
        await redis.set("queue:{normal}", "not a queue")
        for _ in range(4):
            with pytest.raises(StoreRefusedError, match="WRONGTYPE"):
                await stores.enqueue("p1")
    assert stores.seen.retries == []
    assert stores.seen.changes == []


async def test_a_full_server_is_not_ready_and_queues_nobody(any_server: RealServer) -> None:
    async with (
        open_stores(any_server.url, attempts=1) as stores,
        Redis.from_url(any_server.url) as redis,
    ):
        await redis.config_set("maxmemory", "1")
        with pytest.raises(StoreError, match="maxmemory"):
            await stores.enqueue("p1")
        await redis.config_set("maxmemory", "0")
        assert await redis.dbsize() == 0
    assert ("enqueue", Outcome.NOT_READY) in stores.seen.operations


async def test_a_connection_that_does_not_close_in_time_hides_no_failure(
    any_server: RealServer, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that is overloaded; it ended the loop that had asked."""

    async def too_late(**_: object) -> None:
        raise RedisTimeoutError("Timed out closing connection after 1.0")

    async with open_stores(any_server.url, attempts=1) as stores:
        await stores.enqueue("p1")
        await redis.config_set("maxmemory", "1")
        pool = stores.connection.redis.connection_pool
        with monkeypatch.context() as patch:
            patch.setattr(pool, "disconnect", too_late)
            with pytest.raises(StoreNotReadyError):
                await stores.enqueue("p2")
        await redis.config_set("maxmemory", "0")


def test_a_write_on_a_lost_connection_is_a_network_error_under_uvloop_too(
    valkey: RealServer,
) -> None:
    async def write() -> Exception:
        _, writer = await asyncio.open_connection("127.0.0.1", valkey.port)
        writer.transport.abort()
        await asyncio.sleep(0)
        try:
            writer.writelines([b"PING\r\n"])
        except Exception as error:  # noqa: BLE001  # whatever uvloop raises
            return error
        raise AssertionError("uvloop writes on a lost connection")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        error = runner.run(write())
    assert isinstance(translate("enqueue", error), StoreUnavailableError)


async def test_stopping_ends_the_retries_at_once(any_server: RealServer) -> None:
    async with open_stores(any_server.url, attempts=50, failures=100) as stores:
        any_server.kill()
        task = asyncio.ensure_future(stores.enqueue("p1"))
        await wait_until(lambda: bool(stores.seen.retries))
        stores.stop.set()
        with pytest.raises(StoreUnavailableError):
            await asyncio.wait_for(task, 1)
        assert len(stores.seen.retries) < 49


async def test_fsync_answers_once_it_is_on_disk(valkey: RealServer) -> None:
    async with open_stores(valkey.url, durability="fsync") as stores:
        assert (await stores.enqueue("p1")).reply is Reply.QUEUED
        valkey.kill()
        valkey.start()
        page = await stores.tickets.read(NORMAL, start=0, count=10)
    assert [ticket.ticket_id for ticket in page.tickets] == ["p1"]


async def test_a_missing_replica_is_told_and_the_player_is_queued(any_server: RealServer) -> None:
    async with open_stores(any_server.url, durability="replicas:1", attempts=1) as stores:
        with pytest.raises(NotDurableError, match="not durable within"):
            await stores.enqueue("p1")
        page = await stores.tickets.read(NORMAL, start=0, count=10)
    assert len(page.tickets) == 1


async def test_a_replica_confirms(
    server_program: str, any_server: RealServer, tmp_path: Path
) -> None:
    folder = tmp_path / "replica"
    folder.mkdir()
    replica = RealServer(server_program, folder, "--replicaof", "127.0.0.1", str(any_server.port))
    replica.start()
    try:
        async with (
            open_stores(any_server.url, durability="replicas:1", timeout=5.0) as stores,
            Redis.from_url(replica.url, decode_responses=True) as copy,
        ):

            async def linked() -> bool:
                return bool((await copy.info("replication"))["master_link_status"] == "up")

            await wait_until(linked)
            assert (await stores.enqueue("p1")).reply is Reply.QUEUED
            assert await copy.zcard("queue:{normal}") == 1
    finally:
        replica.kill()
