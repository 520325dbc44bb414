"""Servers and game servers of two realms on one Redis: they share nothing but the Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from matchkeeper.client import GameServer, RefusedError
from matchkeeper.domain.realm import NO_REALM
from matchkeeper.errors import MatchkeeperError
from tests.conftest import RealServer, wait_until
from tests.server.test_live import reading
from tests.support.harness import PATIENT, Server, outside, players, serving

EU = {"matchmaking__realm": "eu", **PATIENT}


@asynccontextmanager
async def _two_servers(url: str, folder: Path) -> AsyncIterator[tuple[Server, Server]]:
    """One of the realm `eu`, and one of none."""
    with serving(url, folder, **EU) as there, serving(url, folder, **PATIENT) as here:
        await there.ready()
        await here.ready()
        yield there, here


async def _hold(server: Server, mode: str, how: str) -> None:
    headers = {"Authorization": "Bearer test-token"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http:
        reply = await http.post(f"/api/v1/queues/{mode}/{how}", headers=headers)
        assert reply.is_success, reply.text


async def test_two_realms_match_and_answer_only_their_own(
    any_server: RealServer, tmp_path: Path
) -> None:
    url = any_server.url
    async with (
        _two_servers(url, tmp_path) as (there, here),
        outside(url, realm="eu") as of_eu,
        outside(url) as of_none,
    ):
        # One queue of both would match these two.
        await of_eu.enqueue("p1")
        await of_none.enqueue("p2")
        await of_eu.is_told("p1", "EnQueued")
        await of_none.is_told("p2", "EnQueued")
        await of_eu.enqueue("p2")
        await of_eu.is_told("p1", "MatchFound")
        await of_eu.is_told("p2", "MatchFound")
        assert [sorted(players(offer)) for offer in of_eu.offers] == [["p1", "p2"]]
        # The same player still waits in the other realm, and is matched there.
        assert of_none.told("p2") == ["EnQueued"]
        await of_none.enqueue("p3")
        await of_none.is_told("p2", "MatchFound")
        assert [sorted(players(offer)) for offer in of_none.offers] == [["p2", "p3"]]
        assert of_eu.told("p3") == of_none.told("p1") == []
        for server in (here, there):
            assert "Servers run different settings" not in (await server.get("/health/ready")).text


async def test_one_queue_at_a_time_holds_over_the_modes_of_a_realm(
    any_server: RealServer, tmp_path: Path
) -> None:
    url = any_server.url
    async with (
        _two_servers(url, tmp_path),
        outside(url, realm="eu") as of_eu,
        outside(url) as of_none,
    ):
        await of_eu.enqueue("p1", "Normal")
        await of_eu.is_told("p1", "EnQueued")
        await of_eu.enqueue("p1", "Ranked")
        await of_eu.is_told("p1", "Error in_other_queue")
        await of_none.enqueue("p1", "Ranked")
        await of_none.is_told("p1", "EnQueued")
        await of_eu.dequeue("p1", "Normal")
        await of_eu.is_told("p1", "DeQueued")
        assert await of_none.redis.zscore("queue:{ranked}", "p1") is not None
        assert await of_none.redis.exists("queue:{eu}:normal") == 0


async def test_what_operators_decide_holds_in_their_realm(
    valkey: RealServer, tmp_path: Path
) -> None:
    url = valkey.url
    async with (
        _two_servers(url, tmp_path) as (there, here),
        outside(url, realm="eu") as of_eu,
        outside(url) as of_none,
    ):
        await _hold(there, "Normal", "pause")
        await there.logged("paused")
        for player in ("p1", "p2"):
            await of_eu.enqueue(player)
            await of_eu.is_told(player, "EnQueued")
            await of_none.enqueue(player)
        await of_none.is_told("p1", "MatchFound")
        await asyncio.sleep(0.5)
        assert of_eu.offers == []
        async with reading(there) as (page,):
            await page.until("live")
            assert page.live["realm"] == "eu"
        await there.logged("in the realm eu on redis")
        assert here.lines("paused") == []


async def test_pods_of_two_realms_may_have_one_name(valkey: RealServer, tmp_path: Path) -> None:
    url = valkey.url
    async with (
        _two_servers(url, tmp_path),
        GameServer(url, pod_id="pod", realm="eu") as of_eu,
        GameServer(url, pod_id="pod") as of_none,
    ):
        for player in ("p1", "p2"):
            await of_eu.enqueue(player, "Squad")
        offer = await anext(of_eu.battle_requests())
        # Who knows the match, and is of another realm, cannot take it.
        assert not await of_none.claim(offer.request)
        assert await offer.claim()
        assert await offer.started()
        found = await anext(of_eu.results())
        assert found.kind == "MatchFound"
        with pytest.raises(RefusedError, match="not_in_queue"):
            await of_none.dequeue("p1", "Squad")
        async with Redis.from_url(url, decode_responses=True) as redis:
            assert await redis.zrange("pods", 0, -1) == ["pod"]
            assert await redis.zrange("pods:{eu}", 0, -1) == ["pod"]


async def _is_there(redis: Redis, key: str) -> bool:
    return bool(await redis.exists(key))


async def _keys(redis: Redis) -> set[str]:
    return {str(key) for key in await redis.keys("*")}


@pytest.mark.parametrize("several", [False, True])
async def test_all_keys_of_a_realm_share_its_hash_tag(
    several: bool, any_server: RealServer, tmp_path: Path, redis: Redis
) -> None:
    settings = {**EU, "matchmaking__allow_multiple_queues": several}
    with serving(any_server.url, tmp_path, **settings) as server:
        await server.ready()
        async with outside(any_server.url, realm="eu") as wire:
            # By hand, too: one with metadata beside it, and one whose metadata nobody can read.
            await redis.set("metadata:{eu}::p1", '{"pod_id":"pod-a"}')
            await redis.set("metadata:{eu}::bad", "{oops")
            await redis.zadd("queue:{eu}:normal", {"p1": 1_700_000_000, "bad": 1_700_000_001})
            await wire.enqueue("p2", request_id="first")
            await wire.enqueue("p2", request_id="second")
            await wire.is_told("p1", "MatchFound")
            await wire.is_told("p2", "MatchFound")
            await wait_until(lambda: _is_there(redis, "dead:{eu}:normal"), what="a dead letter")
            async with GameServer(any_server.url, pod_id="pod", realm="eu") as pod:
                await pod.enqueue("p3", "Squad", {"mmr": 1})
                await pod.enqueue("p4", "Squad")
                offer = await anext(pod.battle_requests())
                assert await offer.claim()
                found = await _keys(redis)
                assert await offer.started()
            found |= await _keys(redis)
    assert len(found) > 15
    assert {key.partition("{")[2].partition("}")[0] for key in found} == {"eu"}, found


async def test_a_bad_name_of_a_realm_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MatchkeeperError, match="lower-case letters"):
        GameServer("redis://localhost", pod_id="pod", realm="EU")
    with serving("redis://localhost", tmp_path, matchmaking__realm="a:b") as server:
        assert await server.ended() == 2
        assert server.lines("matchmaking.realm")
    assert GameServer("redis://localhost", pod_id="pod", realm=NO_REALM).pod_id == "pod"
