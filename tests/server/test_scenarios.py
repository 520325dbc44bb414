"""The four scenarios of the mission, and the causes that send players back: real processes only."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RealServer, wait_until
from tests.support.harness import Server, outside, serving
from tests.support.proxy import proxy_to
from tests.support.webhooks import webhook

ONE_AT_A_TIME = {"matchmaking__try_match_tick_interval_seconds": 0.2}


@pytest.mark.parametrize("how", ["frozen", "killed"])
async def test_redis_stops_and_comes_back(how: str, any_server: RealServer, tmp_path: Path) -> None:
    any_server.kill()
    any_server.fsync = "always"
    any_server.start()
    with serving(any_server.url, tmp_path, redis__breaker_failures=3) as server:
        await server.ready()
        async with outside(any_server.url) as wire:
            await wire.enqueue("p1")
            await wire.is_told("p1", "EnQueued")
        if how == "frozen":
            any_server.signal(signal.SIGSTOP)
            await server.logged("timeout after 0.5s")
        else:
            any_server.kill()
            await server.logged("network error")
        await server.logged("Circuit breaker OPEN! 3 consecutive failures. Blocking operations")
        await server.logged("Redis circuit open, skipping TryMatch")
        await server.unready()
        if how == "frozen":
            any_server.signal(signal.SIGCONT)
        else:
            any_server.start()
        await server.logged("Circuit breaker CLOSED (recovered after")
        await server.ready()
        async with outside(any_server.url) as wire:
            await wire.enqueue("p2")
            await wire.is_told("p1", "MatchFound")
            await wire.is_told("p2", "MatchFound")


async def test_slow_redis_skips_ticks_and_still_matches(
    any_server: RealServer, tmp_path: Path
) -> None:
    async with proxy_to(any_server.port) as proxy, outside(any_server.url) as wire:
        settings = {
            "matchmaking__try_match_tick_interval_seconds": 0.1,
            "matchmaking__redis_operation_timeout_seconds": 5,
        }
        with serving(proxy.url, tmp_path, **settings) as server:
            await server.ready()
            await wire.enqueue("p0")
            await wire.is_told("p0", "EnQueued")
            proxy.delay_seconds = 0.25
            await server.logged("TryMatch already running, skipping this tick")
            assert await server.metric("matchkeeper_skipped_ticks_total") > 0
            await wire.enqueue("p1")
            await wire.is_told("p1", "MatchFound", seconds=30)


async def test_a_poisoned_player_among_good_ones(any_server: RealServer, tmp_path: Path) -> None:
    tick = {"matchmaking__try_match_tick_interval_seconds": 2}
    with serving(any_server.url, tmp_path, **tick) as server:
        await server.ready()
        async with outside(any_server.url) as wire:
            for number, player in enumerate(("good1", "bad", "nopod", "good2")):
                await wire.redis.zadd("queue:{normal}", {player: 1_700_000_000 + number})
            await wire.redis.mset(
                {
                    "metadata:good1": '{"pod_id":"a"}',
                    "metadata:bad": "{oops",
                    "metadata:nopod": "{}",
                    "metadata:good2": '{"pod_id":"b"}',
                }
            )
            for player in ("good1", "good2"):
                await wire.is_told(player, "MatchFound")
            await server.logged("Poisoned candidate bad: Invalid JSON: ")
            await server.logged("Poisoned candidate nopod: pod_id not found")
            letters: Any = await wire.redis.xrange("dead:{normal}")
            assert [fields["player_id"] for _, fields in letters] == ["bad", "nopod"]
            assert letters[0][1]["reason"].startswith("Invalid JSON: ")
            assert await wire.redis.keys("queue:*") == []
            assert await wire.redis.keys("metadata:*") == []
        rounds = [line for line in server.lines('"match_committed"') if "good1" in line]
        assert len(rounds) == 1
        assert await server.metric("matchkeeper_poisoned_total") == 2


async def test_no_game_server_alerts_once_and_tells_the_recovery(
    any_server: RealServer, tmp_path: Path
) -> None:
    async with webhook() as hook:
        settings: dict[str, object] = {
            "matchmaking__try_match_tick_interval_seconds": 0.1,
            "alerts__urls": [hook.apprise_url],
        }
        with serving(any_server.url, tmp_path, **settings) as server:
            await server.ready()
            async with outside(any_server.url, pods=False) as wire:
                await wire.enqueue("p1")
                await wire.enqueue("p2")
                await server.logged(
                    "CRITICAL: Game Server unavailable for 10 consecutive attempts! "
                    "No subscribers on battle:request channel."
                )
                await wait_until(lambda: len(hook.bodies) == 1)
                before = await wire.redis.zrange("queue:{normal}", 0, -1, withscores=True)
                await server.logged('"game_server_missing"', times=20)
                assert len(hook.bodies) == 1, "once an interval"
                assert await wire.redis.zrange("queue:{normal}", 0, -1, withscores=True) == before
            async with outside(any_server.url) as wire:
                await server.logged("Game Server recovered! 1 subscriber(s) available. (Was down")
                await wait_until(lambda: len(hook.bodies) == 2)
                assert "recovered" in hook.bodies[1]["message"]
                await wire.is_told("p1", "MatchFound")
        assert len(server.lines('"kind": "game_server_unavailable"')) == 1


async def test_an_odd_player_keeps_the_place(valkey: RealServer, tmp_path: Path) -> None:
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            for number in range(3):
                await wire.redis.zadd("queue:{normal}", {f"p{number}": 1_700_000_000 + number})
                await wire.redis.set(f"metadata:p{number}", '{"pod_id":"a"}')
            await wire.is_told("p1", "MatchFound")
            left = await wire.redis.zrange("queue:{normal}", 0, -1, withscores=True)
            assert left == [("p2", 1_700_000_002.0)]
            await wait_until(lambda: _counted(server, "odd_player"))


async def _counted(server: Server, cause: str) -> bool:
    return f'cause="{cause}"' in (await server.get("/metrics")).text


async def test_a_failed_publish_keeps_the_place(valkey: RealServer, tmp_path: Path) -> None:
    """PUBLISH is refused by the server's rights: the whole commit is, and nobody moves."""
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            await wire.redis.execute_command("ACL", "SETUSER", "default", "-publish")
            for number in range(2):
                await wire.redis.zadd("queue:{normal}", {f"p{number}": 1_700_000_000 + number})
                await wire.redis.set(f"metadata:p{number}", '{"pod_id":"a"}')
            await server.logged('"publish_failed"')
            left = await wire.redis.zrange("queue:{normal}", 0, -1, withscores=True)
            assert left == [("p0", 1_700_000_000.0), ("p1", 1_700_000_001.0)]
            await wire.redis.execute_command("ACL", "SETUSER", "default", "+publish")
            await wire.is_told("p0", "MatchFound")
            assert len(wire.matches_of("p0")) == 1


async def test_shutdown_in_the_middle_of_a_round_keeps_the_place(
    valkey: RealServer, tmp_path: Path
) -> None:
    async with proxy_to(valkey.port) as proxy, outside(valkey.url) as wire:
        settings = {
            "matchmaking__commit_batch_size": 1,
            "matchmaking__redis_operation_timeout_seconds": 5,
        }
        with serving(proxy.url, tmp_path, **settings) as server:
            await server.ready()
            proxy.delay_seconds = 0.1
            places = {f"p{number}": 1_700_000_000 + number for number in range(40)}
            await wire.redis.mset({f"metadata:{player}": '{"pod_id":"a"}' for player in places})
            await wire.redis.zadd("queue:{normal}", places)
            await wait_until(lambda: len(wire.offers) >= 2)
            server.signal(signal.SIGTERM)
            assert await server.ended() == 0
            await server.logged('"cause": "shutdown"')
        found: Any = await wire.redis.zrange("queue:{normal}", 0, -1, withscores=True)
        left = dict(found)
        assert left, "it stopped between two commits"
        for player, since in places.items():
            assert (player in left) is not bool(wire.matches_of(player))
            assert left.get(player, since) == since
