"""`matchkeeper swarm` against a real server: behaviours, thresholds, signals, and its manners."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from crowd.behaviours import Behaviour
from matchkeeper.client import GameServer
from matchkeeper.store.embedded import executable
from tests.conftest import RealServer, wait_until
from tests.support.acl import guarded
from tests.support.harness import PATIENT, Server, outside, serving
from tests.support.swarm_command import SOON, started, swarm

EVERYTHING = ",".join(f"{each}=1" for each in Behaviour)
EVERYTHING_ELSE = ",".join(f"{each}=1" for each in Behaviour if each not in ("normal", "quits"))
BOTH = ("--mode", "Normal", "--mode", "Squad")


@pytest.fixture
async def server(valkey: RealServer, tmp_path: Path) -> AsyncIterator[Server]:
    """A real server that offers matches briefly, ready."""
    settings = {"matchmaking__offer_timeout_seconds": 2, "matchmaking__max_offers": 2}
    with serving(valkey.url, tmp_path, **PATIENT, **settings) as started:
        await started.ready()
        yield started


async def nobody_is_left(url: str) -> None:
    """In no queue and in no pending match."""
    async with Redis.from_url(url) as redis:
        for tag in ("normal", "ranked", "squad", "raid"):
            assert await redis.zcard(f"queue:{{{tag}}}") == 0
            assert await redis.zcard(f"pending:{{{tag}}}") == 0


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize("via", ["pubsub", "stream"])
async def test_every_behaviour_ends_as_it_should(
    valkey: RealServer, server: Server, tmp_path: Path, via: str
) -> None:
    figures, page = tmp_path / "out.json", tmp_path / "out.html"
    done = await swarm(
        *("--redis-url", valkey.url, "--players", "120", "--rate", "60", "--ramp", "1"),
        *("--mix", EVERYTHING, "--via", via, "--seed", "5", "--min-success", "100", *BOTH),
        *("--timeout", "60", "--json", str(figures), "--report", str(page)),
        *("--metadata-bytes", "300", "--max-errors", "0", "--max-p95-wait", "60"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = read(figures)
    assert found["good"]
    assert found["asked"] == 120
    rows = {each["behaviour"]: each for each in found["behaviours"]}
    assert rows.keys() == set(Behaviour)
    for each in rows.values():
        assert each["right"] + sum(each["not_judged"].values()) == each["players"]
        assert each["right"] > 0
    for code in ("invalid_game_mode", "invalid_message_format", "invalid_metadata"):
        assert found["expected_errors"][code] > 0
    assert found["expected_errors"]["not_in_queue"] >= rows["leaves_late"]["right"]
    checked = {each["name"]: each["checked"] for each in found["invariants"]}
    assert min(checked[name] for name in ("one_match", "nobody_lost", "one_starter")) > 0
    assert "All invariants held" in page.read_text()
    assert "success: 100 %" in done.stdout
    await nobody_is_left(valkey.url)


RAID = [
    {"game_mode": "Normal"},
    {"game_mode": "Raid", "required_players": 6, "teams": 2, "handoff": "claim"},
]


@pytest.mark.parametrize("via", ["pubsub", "stream"])
async def test_parties_of_every_behaviour_end_as_they_should(
    valkey: RealServer, tmp_path: Path, via: str
) -> None:
    figures, page = tmp_path / "out.json", tmp_path / "out.html"
    with serving(valkey.url, tmp_path, matchmaking__game_modes=RAID) as server:
        await server.ready()
        done = await swarm(
            *("--redis-url", valkey.url, "--players", "240", "--rate", "80", "--seed", "5"),
            *("--mode", "Raid=5", "--mode", "Normal", "--parties", "1=40,2=30,3=30"),
            *("--mix", f"normal=4,quits=4,{EVERYTHING_ELSE}", "--via", via, "--timeout", "60"),
            *("--min-success", "100", "--max-errors", "0"),
            *("--json", str(figures), "--report", str(page)),
            MATCHKEEPER_MATCHMAKING__GAME_MODES=json.dumps(RAID),
        )
    assert done.returncode == 0, done.stdout + done.stderr
    found = read(figures)
    checked = {each["name"]: each["checked"] for each in found["invariants"]}
    assert min(checked[name] for name in ("party_whole", "left_by", "own_pod")) > 0
    rows = {each["together"]: each for each in found["parties"]}
    assert rows.keys() == {1, 2, 3, 4}  # four are too many for a team of three
    assert sum(each["players"] for each in rows.values()) == found["asked"]
    assert min(rows[size]["waits"]["count"] for size in (1, 2, 3)) > 0
    assert rows[4]["waits"]["count"] == 0
    for code in ("party_refused", "party_does_not_fit"):
        assert found["expected_errors"][code] > 0
    assert "in parties of 2" in done.stdout
    assert "Waits by party size" in page.read_text()
    await nobody_is_left(valkey.url)


async def test_troubled_game_servers_break_nothing(
    valkey: RealServer, server: Server, tmp_path: Path
) -> None:
    figures = tmp_path / "out.json"
    done = await swarm(
        *("--redis-url", valkey.url, "--players", "150", "--rate", "60", "--mode", "Squad"),
        *("--mix", "normal=9,quits=1", "--pods", "12", "--timeout", "45", "--seed", "3"),
        *("--pod-mix", "claims=8,never_claims=1,claims_late=1,dies=1,declines=1"),
        *("--min-success", "50", "--json", str(figures)),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = read(figures)
    assert sum(each["broken"] for each in found["invariants"]) == 0
    saw = found["pods_saw"]
    for what in ("matches started", "offers not claimed on purpose", "died after a claim"):
        assert saw[what] > 0
    assert saw["declined"] > 0
    late = [each for each in found["invariants"] if each["name"] == "late_claim_refused"]
    assert late[0]["checked"] > 0
    await nobody_is_left(valkey.url)


async def test_a_missed_threshold_is_exit_code_1(valkey: RealServer, server: Server) -> None:
    done = await swarm(
        *("--redis-url", valkey.url, "--players", "10", "--rate", "100", "--mode", "Normal"),
        *("--mix", "normal", "--max-p95-wait", "0"),
    )
    assert done.returncode == 1
    assert "✗ p95 wait" in done.stdout
    assert "Not good enough: p95 wait" in done.stderr
    await nobody_is_left(valkey.url)


async def test_a_lost_player_is_found(valkey: RealServer, server: Server, tmp_path: Path) -> None:
    figures = tmp_path / "out.json"
    # The swarm does not know this mode, so it cannot know that one player is too few.
    others = json.dumps([{"game_mode": "Other"}])
    running = asyncio.ensure_future(
        swarm(
            *("--redis-url", valkey.url, "--players", "1", "--mode", "Squad", "--timeout", "6"),
            *("--mix", "normal", "--min-success", "0", "--late", "2", "--json", str(figures)),
            MATCHKEEPER_MATCHMAKING__GAME_MODES=others,
        )
    )
    async with Redis.from_url(valkey.url) as redis:
        queue = "queue:{squad}"
        await wait_until(lambda: exists(redis, queue), seconds=60, what="a player")
        await redis.delete(queue)
    done = await running
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Not good enough: nobody_lost" in done.stderr
    found = read(figures)
    assert found["accounts"] == {"lost": 1}
    assert [each["name"] for each in found["invariants"] if each["broken"]] == ["nobody_lost"]


async def exists(redis: Redis, name: str) -> bool:
    return bool(await redis.exists(name))


async def test_where_no_server_runs_nobody_is_answered(valkey: RealServer, tmp_path: Path) -> None:
    figures = tmp_path / "out.json"
    done = await swarm(
        *("--redis-url", valkey.url, "--players", "4", "--rate", "100", *SOON),
        *("--mix", "normal", "--json", str(figures)),
    )
    assert done.returncode == 1
    found = read(figures)
    assert (found["success"], found["errors"]) == (0.0, {"no answer": 4})
    assert found["remaining"] == 4
    assert "4 players may still be in the queue" in done.stdout


async def test_by_stream_where_no_server_runs_nothing_is_written(
    valkey: RealServer, tmp_path: Path
) -> None:
    figures = tmp_path / "out.json"
    done = await swarm(
        *("--redis-url", valkey.url, "--players", "2", "--via", "stream", *SOON),
        *("--mix", "normal", "--json", str(figures)),
    )
    assert done.returncode == 1
    assert read(figures)["errors"] == {"not sent: no_stream": 2}


async def test_real_game_servers_alone(valkey: RealServer, server: Server, tmp_path: Path) -> None:
    """Without simulated ones, nobody else listens on the channel of battle requests."""
    figures = tmp_path / "out.json"
    async with GameServer(valkey.url, pod_id="real") as pod, asyncio.TaskGroup() as group:

        async def play() -> None:
            async for offer in pod.battle_requests():
                if offer.request.handoff == "claim" and await offer.claim():
                    await offer.started()

        playing = group.create_task(play())
        running = asyncio.ensure_future(
            swarm(
                *("--redis-url", valkey.url, "--players", "30", "--rate", "30", "--pods", "0"),
                *("--mix", "normal", "--timeout", "60", "--json", str(figures), *BOTH),
            )
        )
        async with Redis.from_url(valkey.url) as redis:
            await wait_until(lambda: redis_knows(redis), seconds=30, what="pods of the swarm")
            ((_, listeners),) = await redis.pubsub_numsub("battle:request")
        done = await running
        playing.cancel()
    assert done.returncode == 0, done.stdout + done.stderr
    assert listeners == 1
    assert "not observable from outside" in done.stdout
    assert read(figures)["pods_saw"] == {}


async def redis_knows(redis: Redis) -> bool:
    return bool(await redis.pubsub_channels("pod:swarm-*"))


async def test_it_needs_no_more_rights_than_a_game_server(tmp_path: Path) -> None:
    with (
        guarded(str(executable()), tmp_path) as guard,
        serving(guard.url("matchkeeper"), tmp_path, **PATIENT) as server,
    ):
        await server.ready()
        for via in ("pubsub", "stream"):
            done = await swarm(
                *("--redis-url", guard.url("gameserver"), "--players", "24", "--via", via, *BOTH),
                *("--mix", EVERYTHING, "--pods", "6", "--pod-mix", "claims=5,declines=1"),
                *("--timeout", "60", "--min-success", "100"),
            )
            assert done.returncode == 0, done.stdout + done.stderr
        assert guard.denials() == []


async def test_ctrl_c_ends_early_with_what_was_seen(
    valkey: RealServer, server: Server, tmp_path: Path
) -> None:
    figures = tmp_path / "out.json"
    process = started(
        *("--redis-url", valkey.url, "--players", "100000", "--rate", "20", "--mode", "Normal"),
        *("--mix", "normal", "--json", str(figures), "--timeout", "60"),
    )
    try:
        async with outside(valkey.url) as wire:
            await wait_until(lambda: len(wire.answers) > 20, seconds=30, what="answers")
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.to_thread(process.communicate, timeout=60)
    finally:
        process.kill()
        process.wait(10)
    assert process.returncode == 130, out + err
    found = read(figures)
    assert found["interrupted"]
    assert 0 < found["asked"] < 100000
    assert "normal" in out
    await nobody_is_left(valkey.url)
