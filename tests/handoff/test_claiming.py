"""The game server's side: the client library against the real server, with pods that fail."""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from matchkeeper.client import GameServer, Offer, RefusedError
from matchkeeper.errors import StoreError
from tests.conftest import RealServer, wait_until
from tests.support.harness import Server, outside, players, serving

QUICK: dict[str, object] = {
    "matchmaking__offer_timeout_seconds": 0.5,
    "matchmaking__max_offers": 2,
}


async def next_offer(pod: GameServer) -> Offer:
    async with asyncio.timeout(10):
        async for offer in pod.battle_requests():
            return offer
    raise AssertionError("battle requests never end")


async def test_enqueue_claim_confirm_and_the_players_are_told(
    any_server: RealServer, tmp_path: Path
) -> None:
    with serving(any_server.url, tmp_path) as server:
        await server.ready()
        async with GameServer(any_server.url, pod_id="pod-a") as pod:
            await pod.enqueue("p1", "Squad", {"mmr": 1})
            await pod.enqueue("p2", "Squad")
            offer = await next_offer(pod)
            assert [player.player_id for player in offer.request.players] == ["p1", "p2"]
            assert await offer.claim()
            with pytest.raises(RefusedError, match="match_pending"):
                await pod.enqueue("p1", "Normal")
            assert await offer.started()
            assert await offer.started(), "a lost reply may be asked for again"
            told = {}
            async with asyncio.timeout(5):
                async for answer in pod.results():
                    told[answer.player_id] = answer
                    if len(told) == 2:
                        break
            assert {answer.kind for answer in told.values()} == {"MatchFound"}
        await wait_until(lambda: _metric_is(server, "matchkeeper_pending_handoffs", 0))
        waited = 'matchkeeper_wait_seconds_count{mode="Squad",until="claim"} 2.0'
        await wait_until(lambda: _tells(server, waited))


async def _tells(server: Server, line: str) -> bool:
    return line in (await server.get("/metrics")).text


async def _metric_is(server: Server, name: str, value: float) -> bool:
    return await server.metric(name) == value


async def test_of_many_pods_one_gets_the_match(any_server: RealServer, tmp_path: Path) -> None:
    with serving(any_server.url, tmp_path) as server:
        await server.ready()
        async with (
            GameServer(any_server.url, pod_id="a") as a,
            GameServer(any_server.url, pod_id="b") as b,
            GameServer(any_server.url, pod_id="c") as c,
        ):
            await a.enqueue("p1", "Squad")
            await b.enqueue("p2", "Squad")
            offers = await asyncio.gather(next_offer(a), next_offer(b), next_offer(c))
            claims = await asyncio.gather(*(offer.claim() for offer in offers))
            assert sorted(claims) == [False, False, True]
            assert await asyncio.gather(*(offer.started() for offer in offers)) == claims


async def test_unclaimed_is_offered_again_then_given_back_with_the_place(
    valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path, **QUICK) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            for number in range(2):
                await wire.redis.zadd("queue:{squad}", {f"p{number}": 1_700_000_000 + number})
                await wire.redis.set(f"metadata:p{number}", '{"pod_id":"a"}')
            await wait_until(lambda: len(wire.offers) >= 2)
            assert [offer["epoch"] for offer in wire.offers[:2]] == [1, 2]
            assert wire.offers[0]["match_id"] == wire.offers[1]["match_id"]
            await server.logged('"cause": "unclaimed"')
            await wait_until(lambda: _waits(wire.redis, [1_700_000_000.0, 1_700_000_001.0]))
            await server.logged("go unclaimed, 3 in a row", seconds=20)
            assert wire.told("p0") == []
        assert await server.metric("matchkeeper_unclaimed_matches_total") >= 3


async def _waits(redis: Redis, scores: list[float]) -> bool:
    found: Any = await redis.zrange("queue:{squad}", 0, -1, withscores=True)
    return [score for _, score in found] == scores


async def test_a_pod_that_dies_between_claim_and_start_loses_nobody(
    valkey: RealServer, tmp_path: Path
) -> None:
    modes = [{"game_mode": "Squad", "handoff": "claim", "claim_lease_seconds": 0.5}]
    with serving(valkey.url, tmp_path, **QUICK, matchmaking__game_modes=modes) as server:
        await server.ready()
        async with GameServer(valkey.url, pod_id="a") as pod:
            await pod.enqueue("p1", "Squad")
            await pod.enqueue("p2", "Squad")
            offer = await next_offer(pod)
            assert offer.request.lease_seconds == 0.5
            assert await offer.claim()
            await server.logged('"cause": "lease_expired"')
            assert not await offer.started(), "too late: the players are elsewhere by now"
            again = await next_offer(pod)
            assert again.request.match_id != offer.request.match_id
            assert await again.claim()
            assert await again.started()
        await wait_until(lambda: _metric_is(server, "matchkeeper_late_claims_total", 1))


async def test_a_declined_match_goes_to_another_pod(valkey: RealServer, tmp_path: Path) -> None:
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        async with (
            GameServer(valkey.url, pod_id="a") as a,
            GameServer(valkey.url, pod_id="b") as b,
        ):
            await a.enqueue("p1", "Squad")
            await a.enqueue("p2", "Squad")
            first = await next_offer(a)
            await next_offer(b)
            assert await first.claim()
            assert await first.decline()
            second = await next_offer(b)
            assert second.request.epoch == 2
            assert second.request.match_id == first.request.match_id
            assert await second.claim()
            assert not await first.started()
            assert await second.started()
        assert await server.metric("matchkeeper_declined_matches_total") == 1
        # Heard over Pub/Sub, a moment after the claim itself.
        await wait_until(lambda: _claimed(server, 2))


async def _claimed(server: Server, times: int) -> bool:
    return await server.metric("matchkeeper_claimed_matches_total") == times


async def test_who_leaves_a_pending_match_is_told_once_it_falls_through(
    valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path, **QUICK) as server:
        await server.ready()
        async with GameServer(valkey.url, pod_id="a") as pod, outside(valkey.url) as wire:
            await pod.enqueue("p1", "Squad")
            await pod.enqueue("p2", "Squad")
            await next_offer(pod)
            with pytest.raises(RefusedError, match="match_pending"):
                await pod.dequeue("p1", "Squad")
            await wire.is_told("p1", "DeQueued")
            assert await wire.redis.zrange("queue:{squad}", 0, -1) == ["p2"]


async def test_tickets_of_a_silent_pod_wait_for_it(valkey: RealServer, tmp_path: Path) -> None:
    with serving(valkey.url, tmp_path, matchmaking__pod_heartbeat_timeout_seconds=2) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            now = (await wire.redis.time())[0]
            await wire.redis.zadd("pods", {"gone": now - 60})
            await server.logged("Pod gone sends no heartbeats any more")
            await wire.enqueue("p1", pod="gone")
            await wire.enqueue("p2", pod="here")
            await wire.enqueue("p3", pod="here")
            await wire.is_told("p3", "MatchFound")
            assert players(wire.offers[0]) == ["p2", "p3"]
            await wire.enqueue("p4", pod="here")
            await wire.is_told("p4", "EnQueued")
            async with GameServer(valkey.url, pod_id="gone"):
                await server.logged("Pod gone is back")
                await wire.is_told("p1", "MatchFound")


async def test_the_client_comes_back_after_redis_was_away(
    valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        async with GameServer(valkey.url, pod_id="a", timeout=timedelta(milliseconds=500)) as pod:
            await pod.enqueue("p1", "Squad")
            valkey.signal(signal.SIGSTOP)
            with pytest.raises(StoreError):
                await pod.enqueue("p2", "Squad")
            valkey.signal(signal.SIGCONT)
            await server.ready()
            while True:
                try:
                    await pod.enqueue("p2", "Squad")
                    break
                except (StoreError, RefusedError) as error:
                    if getattr(error, "code", "") in ("already_in_queue", "match_pending"):
                        break
            offer = await next_offer(pod)
            assert {player.player_id for player in offer.request.players} == {"p1", "p2"}


async def test_an_unknown_mode_is_refused_at_once(valkey: RealServer, tmp_path: Path) -> None:
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        async with GameServer(valkey.url, pod_id="a") as pod:
            with pytest.raises(RefusedError, match="invalid_game_mode"):
                await pod.enqueue("p1", "Chess")
            with pytest.raises(RefusedError, match="not_in_queue"):
                await pod.dequeue("p1", "Normal")
            with pytest.raises(RefusedError, match="invalid_player_id"):
                await pod.enqueue("", "Normal")


async def test_a_match_answers_an_enqueue_whose_answer_was_lost(valkey: RealServer) -> None:
    requests, result = "match:requests", "pod:a:match_result"
    async with Redis.from_url(valkey.url) as redis, GameServer(valkey.url, pod_id="a") as pod:
        await redis.xgroup_create(requests, "matchkeeper", mkstream=True)
        asking = asyncio.ensure_future(pod.enqueue("p1", "Squad"))

        async def asked(times: int) -> bool:
            return await redis.xlen(requests) == times

        async def tell(match_id: str, mode: str) -> None:
            found = {"match_id": match_id, "game_mode": mode, "opponent_id": "p2", "teams": []}
            message = {"player_id": "p1", "result_type": {"MatchFound": found}}
            await redis.publish(result, json.dumps(message))
            async for news in pod.results():
                assert news.kind == "MatchFound"
                break

        async with asyncio.timeout(10):
            await wait_until(lambda: asked(1))
            await tell("m1", "Squad")
            await wait_until(lambda: asked(2))
            assert not asking.done(), "a match that came before it could be missed is another's"
            await tell("m2", "Normal")
            assert not asking.done(), "a match of another mode"
            await tell("m3", "Squad")
            await asking
