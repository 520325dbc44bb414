"""Many modes, of which few have anything to do: what they cost."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from matchkeeper.config import load
from matchkeeper.domain.realm import QueueName
from matchkeeper.errors import StoreError
from matchkeeper.server.wiring import build
from matchkeeper.store import keys
from matchkeeper.store.present import Present
from tests.conftest import RealServer, wait_until
from tests.support.harness import outside, serving
from tests.support.proxy import proxy_to
from tests.support.stores import open_stores

QUEUES = [QueueName.of(f"mode{number}") for number in range(1000)]
MODE7, MODE999 = QUEUES[7], QUEUES[999]


async def calls(redis: Redis, *, but: tuple[str, ...] = ("info",)) -> int:
    """Commands done so far, those of scripts included."""
    stats: dict[str, Any] = await redis.info("commandstats")
    left_out = [f"cmdstat_{name}" for name in but]
    return sum(each["calls"] for name, each in stats.items() if name not in left_out)


async def test_what_exists_is_found_and_what_goes_is_noticed(any_server: RealServer) -> None:
    async with (
        open_stores(any_server.url) as stores,
        Redis.from_url(any_server.url, decode_responses=True) as redis,
    ):
        present = Present(stores.connection, keys.queue, keys.dead, queues=QUEUES)
        assert await present.look() == set()
        before = await calls(redis)
        assert await present.look() == set()
        assert await calls(redis) - before == 1
        await redis.zadd("queue:{mode7}", {"p1": 1})
        await redis.set("dead:{mode999}", "of a foreign type")
        assert await present.look() == {MODE7, MODE999}
        before = await calls(redis)
        assert await present.look() == {MODE7, MODE999}
        assert await calls(redis) - before == 2
        await redis.delete("queue:{mode7}")
        assert await present.look() == {MODE999}
        for queue in QUEUES:
            await redis.zadd(keys.queue(queue), {"p1": 1})
        assert await present.look() == set(QUEUES)


async def test_where_nothing_was_there_is_looked_at_seldom_unless_something_is_written(
    any_server: RealServer,
) -> None:
    async with (
        open_stores(any_server.url) as stores,
        Redis.from_url(any_server.url, decode_responses=True) as redis,
    ):
        keys_of, hour = (keys.pending, keys.claimers), timedelta(hours=1)
        present = Present(stores.connection, *keys_of, queues=QUEUES, others_every=hour)
        assert await present.look() == set()
        before = await calls(redis)
        assert await present.look() == set()
        assert await calls(redis) == before
        await redis.zadd("pending:{mode7}", {"m1": 1})
        await redis.zadd("pending:{mode8}", {"m2": 1})
        present.written(MODE7)
        assert await present.look() == {MODE7}
        # What gives back a match writes the other key, and nobody says so.
        await redis.delete("pending:{mode7}")
        await redis.hset("claimers:{mode7}", "pod-a", "1 2 3")
        assert await present.look() == {MODE7}
        any_server.kill()
        with pytest.raises(StoreError):
            await present.look()
        any_server.start()
        await redis.connection_pool.disconnect()
        await redis.zadd("pending:{mode8}", {"m2": 1})
        assert QueueName.of("mode8") in await present.look(), "a look that failed is made up for"


async def test_a_mode_without_players_has_no_task_of_its_own(valkey: RealServer) -> None:
    modes = [{"game_mode": f"Mode{number}"} for number in range(200)]
    context = build(load(None, {"matchmaking.game_modes": modes}, {}), valkey.url)

    async def is_idle() -> bool:
        agreed = all(context.fleet.matches(mode.queue) for mode in context.modes)
        return agreed and len(asyncio.all_tasks()) < len(modes) / 2

    async with asyncio.TaskGroup() as group:
        group.create_task(context.server.run())
        try:
            await wait_until(is_idle)
        finally:
            context.server.stop()
    await context.stores.connection.close()
    await context.people.connection.close()


async def test_modes_without_players_cost_redis_nothing_and_the_others_are_served(
    valkey: RealServer, tmp_path: Path
) -> None:
    """300 modes, 40 ms away: ready, answered and matched as if there was one."""
    names = [f"Mode{number}" for number in range(300)]
    modes = [
        {"game_mode": name, "handoff": "claim" if number % 2 else "publish"}
        for number, name in enumerate(names)
    ]
    settings: dict[str, object] = {
        "matchmaking__game_modes": modes,
        "matchmaking__redis_operation_timeout_seconds": 10,
    }
    async with (
        proxy_to(valkey.port) as proxy,
        Redis.from_url(valkey.url) as redis,
        outside(valkey.url) as wire,
    ):
        proxy.delay_seconds = 0.04
        with serving(proxy.url, tmp_path, **settings) as server:
            await server.ready()

            async def looks() -> float:
                name = 'matchkeeper_redis_operations_total{operation="look at keys",outcome="ok"}'
                lines = (await server.get("/metrics")).text.splitlines()
                return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

            begun, before = await looks(), await calls(redis, but=("info", "ping"))

            async def some_looks_on() -> bool:
                return await looks() >= begun + 20

            await wait_until(some_looks_on, seconds=60)
            spent = await calls(redis, but=("info", "ping")) - before
            assert spent < len(names), "not one command for each mode, in many looks at all"
            await wire.enqueue("p1", "Mode42")
            await wire.is_told("p1", "EnQueued")
            await redis.zadd("queue:{mode42}", {"p2": 1_700_000_000})  # by hand: found at a tick
            await redis.set("metadata:p2", '{"pod_id":"pod-a"}')
            await wire.is_told("p2", "MatchFound")
