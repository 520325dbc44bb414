"""The wire, end to end: the real server process on real servers, seen from outside."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

from redis.asyncio import Redis

from matchkeeper.store.embedded import executable
from tests.conftest import RealServer, wait_until
from tests.support.harness import PATIENT, outside, players, serving


async def test_two_players_of_an_existing_game_server_meet_at_once(
    any_server: RealServer, tmp_path: Path
) -> None:
    slow_tick = {"matchmaking__try_match_tick_interval_seconds": 60}
    with serving(any_server.url, tmp_path, **slow_tick) as server:
        await server.ready()
        async with outside(any_server.url) as wire:
            await wire.enqueue("p1", pod="pod-a", mmr=1)
            await wire.enqueue("p2", pod="pod-b")
            for player in ("p1", "p2"):
                await wire.is_told(player, "MatchFound")
                assert wire.told(player) == ["EnQueued", "MatchFound"]
            (offer,) = wire.offers
            assert players(offer) == ["p1", "p2"]
            assert offer["player1"]["metadata"] == {"pod_id": "pod-a", "mmr": 1}
            assert isinstance(offer["player1"]["score"], int)
        assert await server.metric("matchkeeper_matches_total") == 1


async def test_the_documented_refusals(valkey: RealServer, tmp_path: Path) -> None:
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            await wire.enqueue("p1")
            await wire.is_told("p1", "EnQueued")
            await wire.enqueue("p1", mmr=7)
            await wire.is_told("p1", "Error already_in_queue")
            await wire.enqueue("p1", "Ranked", mmr=7)
            await wire.is_told("p1", "Error in_other_queue")
            await wire.enqueue("p2", "Chess")
            await wire.is_told("p2", "Error invalid_game_mode")
            await wire.enqueue("p3", "Ranked", mmr="high")
            await wire.is_told("p3", "Error invalid_metadata")
            await wire.redis.publish(
                "match:dequeue:request",
                json.dumps({"player_id": "p4", "game_mode": "Normal", "pod_id": "pod-a"}),
            )
            await wire.is_told("p4", "Error not_in_queue")
            await wire.enqueue("p5", big="x" * 70_000)
            await wire.redis.publish("match:enqueue:request", b"\xff{{{")
            await wire.redis.publish("match:enqueue:request", '{"player_id":"p6","pod_id":"a"}')
            await wire.is_told("p6", "Error invalid_message_format")
            await wire.dequeue("p1")
            await wire.is_told("p1", "DeQueued")
        refused = await server.metric("matchkeeper_refused_requests_total")
        assert refused == 8


async def test_the_same_request_twice_counts_once_and_is_no_error(
    valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            for _ in range(3):
                await wire.enqueue("p1", request_id="r1")
            await wait_until(lambda: wire.told("p1").count("EnQueued") == 3)
            assert set(wire.told("p1")) == {"EnQueued"}
            # Without an id it is another wish.
            await wire.enqueue("p1")
            await wire.is_told("p1", "Error already_in_queue")
            assert await wire.redis.zcard("queue:{normal}") == 1
        assert await server.metric("matchkeeper_duplicate_requests_total") == 2


async def test_two_servers_answer_once_and_match_once(valkey: RealServer, tmp_path: Path) -> None:
    with serving(valkey.url, tmp_path) as one, serving(valkey.url, tmp_path) as two:
        await one.ready()
        await two.ready()
        names = [f"p{number}" for number in range(200)]
        async with outside(valkey.url) as wire:
            for name in names:
                await wire.enqueue(name)
            await wait_until(
                lambda: all("MatchFound" in wire.told(name) for name in names), seconds=30
            )
            await asyncio.gather(*(wire.enqueue("stays", "Ranked") for _ in range(1)))
            await wire.is_told("stays", "EnQueued")
            for name in names:
                assert wire.told(name).count("EnQueued") == 1, wire.told(name)
                assert wire.told(name).count("MatchFound") == 1
                assert len(wire.matches_of(name)) == 1
            await wire.enqueue("bad", "Chess")
            await wire.is_told("bad", "Error invalid_game_mode")
            await wire.dequeue("stays", "Ranked")
            await wire.is_told("stays", "DeQueued")
            assert wire.told("bad") == ["Error invalid_game_mode"]
            assert wire.told("stays") == ["EnQueued", "DeQueued"]


async def test_who_waits_too_long_expires_and_is_told(valkey: RealServer, tmp_path: Path) -> None:
    modes = [{"game_mode": "Normal", "required_players": 3, "max_wait_seconds": 1}]
    with serving(valkey.url, tmp_path, matchmaking__game_modes=modes) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            await wire.enqueue("p1", pod="pod-a")
            await wire.enqueue("p2", pod="pod-b")
            for name in ("p1", "p2"):
                await wire.is_told(name, "Expired")
            assert {(channel, answer["player_id"]) for channel, answer in wire.answers} == {
                ("pod:pod-a:match_result", "p1"), ("pod:pod-b:match_result", "p2"),
            }  # fmt: skip
            assert await wire.redis.keys("[^h]*:{normal}") == []
        assert await server.metric("matchkeeper_expired_total") == 2


async def test_by_hand_with_two_commands(any_server: RealServer, tmp_path: Path) -> None:
    with serving(any_server.url, tmp_path) as server:
        await server.ready()
        async with outside(any_server.url) as wire:
            now = int((await wire.redis.time())[0])
            await wire.redis.zadd("queue:{normal}", {"p1": now})
            await wire.redis.set("metadata:p1", '{"pod_id": "pod-a"}')
            await wire.enqueue("p2")
            await wire.is_told("p1", "MatchFound")
            assert await wire.redis.exists("metadata:p1") == 0


async def test_stopping_is_orderly_and_keeps_everybody(valkey: RealServer, tmp_path: Path) -> None:
    with serving(valkey.url, tmp_path, **PATIENT) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            await wire.enqueue("p1")
            await wire.is_told("p1", "EnQueued")
            before = await wire.redis.zrange("queue:{normal}", 0, -1, withscores=True)
            server.signal(signal.SIGTERM)
            assert await server.ended() == 0
            assert await wire.redis.zrange("queue:{normal}", 0, -1, withscores=True) == before
            await wire.redis.xadd(
                "match:requests",
                {"kind": "enqueue", "body": '{"player_id":"p2","game_mode":"Normal","pod_id":"b"}'},
            )
            with serving(valkey.url, tmp_path, **PATIENT) as again:
                await again.ready()
                await wire.is_told("p2", "MatchFound")
                await wire.is_told("p1", "MatchFound")


async def test_a_second_signal_stops_at_once(valkey: RealServer, tmp_path: Path) -> None:
    with serving(valkey.url, tmp_path, server__shutdown_deadline_seconds=60) as server:
        await server.ready()
        valkey.signal(signal.SIGSTOP)  # nothing can end in good order now
        server.signal(signal.SIGTERM)
        await server.logged("shutdown_started")
        server.signal(signal.SIGTERM)
        assert await server.ended(seconds=30) == 0
        valkey.signal(signal.SIGCONT)


async def test_a_bounded_round_reads_on_behind_those_who_cannot_be_matched(
    valkey: RealServer, tmp_path: Path
) -> None:
    settings: dict[str, object] = {
        "matchmaking__max_tickets_per_round": 10,
        "matchmaking__try_match_tick_interval_seconds": 0.1,
        "matchmaking__game_modes": [
            {"game_mode": "Ranked", "use_mmr_matching": True, "mmr_window_max": 100}
        ],
    }
    with serving(valkey.url, tmp_path, **settings) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            far = {f"far{number}": number * 10_000 for number in range(25)}
            ratings = {**far, "near1": 1_000_000, "near2": 1_000_050}
            await wire.redis.mset(
                {
                    f"metadata:{player}": json.dumps({"pod_id": "a", "mmr": mmr})
                    for player, mmr in ratings.items()
                }
            )
            await wire.redis.zadd(
                "queue:{ranked}",
                {player: 1_700_000_000 + number for number, player in enumerate(ratings)},
            )
            await wire.is_told("near2", "MatchFound")
            assert await wire.redis.zcard("queue:{ranked}") == 25
        assert await server.metric("matchkeeper_round_bound_hit_total") > 0


async def test_a_player_by_hand_in_a_queue_beside_a_pending_match_keeps_nobody_up(
    valkey: RealServer, tmp_path: Path
) -> None:
    settings = {"matchmaking__try_match_tick_interval_seconds": 0.1}
    with serving(valkey.url, tmp_path, **settings) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            await wire.enqueue("p1", "Squad")
            await wire.enqueue("p2", "Squad")
            await wait_until(lambda: bool(wire.offers))
            await wire.redis.hset("metadata:{normal}", "p1", '{"pod_id":"a"}')
            await wire.redis.zadd("queue:{normal}", {"p1": 1_700_000_000})
            await wire.enqueue("p3")
            await wire.enqueue("p4")
            await wire.is_told("p3", "MatchFound")
            assert wire.told("p1") == ["EnQueued"]


async def test_a_start_while_redis_loads_its_data_waits(tmp_path: Path) -> None:
    """Until then Redis says of itself that it has no append-only file."""
    patient = {"redis__durability": "fsync", "matchmaking__redis_operation_timeout_seconds": 2}
    valkey = RealServer(str(executable()), tmp_path, "--key-load-delay", "100")
    valkey.fsync = "always"
    valkey.start()
    async with Redis.from_url(valkey.url) as redis, redis.pipeline() as pipe:
        for number in range(30_000):
            pipe.set(f"other:{number}", 1)
        await pipe.execute()
    valkey.kill()
    valkey.launch()
    try:
        with serving(valkey.url, tmp_path, **patient) as server:
            await server.logged('"redis_not_ready"')
            await server.ready()
    finally:
        valkey.kill()


async def test_what_can_never_work_is_found_when_redis_comes_later(tmp_path: Path) -> None:
    valkey = RealServer(str(executable()), tmp_path)  # with appendfsync everysec
    with serving(valkey.url, tmp_path, redis__durability="fsync") as server:
        await server.logged('"started"')
        valkey.start()
        try:
            assert await server.ended() == 2
        finally:
            valkey.kill()
        assert server.lines("durability: appendfsync everysec")


async def test_a_signal_ends_a_start_that_waits_for_redis(
    valkey: RealServer, tmp_path: Path
) -> None:
    slow = {"matchmaking__redis_operation_timeout_seconds": 20}
    with serving(valkey.url, tmp_path, **slow) as server:
        valkey.signal(signal.SIGSTOP)
        # It has nothing to log yet, and no port.
        await wait_until(server.catches_sigterm, seconds=15, what="its signal handler")
        server.signal(signal.SIGTERM)
        assert await server.ended(seconds=15) == 0
        valkey.signal(signal.SIGCONT)


async def test_two_who_match_meet_in_a_queue_of_which_a_round_sees_only_a_part(
    valkey: RealServer, tmp_path: Path
) -> None:
    settings: dict[str, object] = {
        "matchmaking__max_tickets_per_round": 10,
        "matchmaking__try_match_tick_interval_seconds": 0.05,
        "matchmaking__game_modes": [
            {
                "game_mode": "Ranked",
                "use_mmr_matching": True,
                "mmr_window_start": 1,
                "mmr_window_growth_per_second": 0,
            }
        ],
    }
    with serving(valkey.url, tmp_path, **settings) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            for number in range(40):
                rating = 50 if number in (3, 37) else 100 * number
                await wire.enqueue(f"p{number}", "Ranked", mmr=rating)
            await wire.is_told("p3", "MatchFound")
            await wire.is_told("p37", "MatchFound")
            assert await wire.redis.zcard("queue:{ranked}") == 38
