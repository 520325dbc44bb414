"""A start is told once it is as durable as the server asks, by the client that ships."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from matchkeeper.client import GameServer, Offer
from tests.conftest import RealServer, wait_until
from tests.support.harness import outside, serving
from tests.support.proxy import Proxy, proxy_to

MODE = {"game_mode": "Squad", "required_players": 2, "handoff": "claim", "claim_lease_seconds": 2}
SETTINGS: dict[str, object] = {
    "redis__durability": "replicas:1",
    "redis__durability_timeout_seconds": 2,
    "matchmaking__game_modes": [MODE],
    "matchmaking__offer_timeout_seconds": 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A primary and a replica, in step; while `link.held` the replica falls behind."""

    primary: RealServer
    replica: RealServer
    link: Proxy


@pytest.fixture
async def pair(any_server: RealServer, server_program: str, tmp_path: Path) -> AsyncIterator[Pair]:
    folder = tmp_path / "replica"
    folder.mkdir()
    async with proxy_to(any_server.port) as link:
        options = ("--replicaof", "127.0.0.1", str(link.port), "--repl-timeout", "3600")
        replica = RealServer(server_program, folder, *options)
        try:
            await asyncio.to_thread(replica.start)
            async with Redis.from_url(replica.url, decode_responses=True) as redis:

                async def in_step() -> bool:
                    return bool((await redis.info("replication"))["master_link_status"] == "up")

                await wait_until(in_step, seconds=30)
            yield Pair(primary=any_server, replica=replica, link=link)
        finally:
            replica.kill()


def _game_server(redis: RealServer) -> GameServer:
    return GameServer(redis.url, pod_id="a", timeout=timedelta(seconds=1))


async def _offer_of_two(pod: GameServer) -> Offer:
    await pod.enqueue("p1", "Squad")
    await pod.enqueue("p2", "Squad")
    return await _next_offer(pod)


async def _next_offer(pod: GameServer) -> Offer:
    async with asyncio.timeout(20):
        return await anext(aiter(pod.battle_requests()))


async def test_a_replica_that_is_behind_and_promoted_starts_nobody_again(
    pair: Pair, tmp_path: Path
) -> None:
    with serving(pair.primary.url, tmp_path, **SETTINGS) as server:
        await server.ready()
        async with _game_server(pair.primary) as pod:
            offer = await _offer_of_two(pod)
            assert await offer.claim()
            pair.link.held = True
            starts = [await offer.started()]
        pair.primary.kill()
    async with Redis.from_url(pair.replica.url) as redis:
        await redis.execute_command("REPLICAOF", "NO", "ONE")
    with serving(pair.replica.url, tmp_path, **SETTINGS | {"redis__durability": "none"}) as server:
        await server.ready()
        async with GameServer(pair.replica.url, pod_id="b") as pod:
            again = await _next_offer(pod)
            assert {player.player_id for player in again.request.players} == {"p1", "p2"}
            starts += [await again.claim() and await again.started()]
    assert starts == [False, True], "the same two players in two battles"


async def test_players_hear_of_a_start_once_the_replica_has_it(pair: Pair, tmp_path: Path) -> None:
    mode = MODE | {"claim_lease_seconds": 30}
    settings = SETTINGS | {"matchmaking__game_modes": [mode]}
    with serving(pair.primary.url, tmp_path, **settings) as server:
        await server.ready()
        async with (
            GameServer(pair.primary.url, pod_id="a") as pod,
            outside(pair.primary.url) as wire,
        ):
            offer = await _offer_of_two(pod)
            assert offer.request.lease_seconds == 30
            assert await offer.claim()
            pair.link.held = True
            starting = asyncio.ensure_future(offer.started())
            match = f"match:{{squad}}:{offer.request.match_id}"

            async def is_confirmed() -> bool:
                return bool(await wire.redis.hget(match, "state") == "confirmed")

            await wait_until(is_confirmed)
            await asyncio.sleep(0.2)  # that nothing happens can only be waited for
            assert not starting.done()
            assert wire.told("p1") == ["EnQueued"]
            pair.link.held = False
            assert await starting
            for player in ("p1", "p2"):
                await wire.is_told(player, "MatchFound")
            assert await wire.redis.hget(match, "state") == "started"
            assert await offer.started(), "asked again, because the reply was lost"
            assert wire.told("p1") == ["EnQueued", "MatchFound"]
            answers = [came["reply"] for _, _, came in wire.handed if came["kind"] == "confirm"]
            assert answers == ["started", "started"], "one for each time it was asked"


async def test_who_does_not_start_in_time_gives_the_players_back(
    pair: Pair, tmp_path: Path
) -> None:
    with serving(pair.primary.url, tmp_path, **SETTINGS) as server:
        await server.ready()
        async with (
            GameServer(pair.primary.url, pod_id="a") as pod,
            outside(pair.primary.url) as wire,
        ):
            offer = await _offer_of_two(pod)
            assert await offer.claim()
            pair.link.held = True
            assert not await offer.started()
            again = await _next_offer(pod)
            assert (again.request.match_id, again.request.epoch) == (offer.request.match_id, 2)
            pair.link.held = False
            assert await again.claim()
            assert await again.started()
            await wire.is_told("p2", "MatchFound")
            assert wire.told("p1") == ["EnQueued", "MatchFound"]


async def test_the_server_tells_the_start_of_a_pod_that_died_before_it_could(
    pair: Pair, tmp_path: Path
) -> None:
    with serving(pair.primary.url, tmp_path, **SETTINGS) as server:
        await server.ready()
        async with (
            GameServer(pair.primary.url, pod_id="a") as pod,
            outside(pair.primary.url) as wire,
        ):
            offer = await _offer_of_two(pod)
            assert await offer.claim()
            starting = asyncio.ensure_future(offer.started())
            pair.link.held = True
            match = f"match:{{squad}}:{offer.request.match_id}"

            async def is_confirmed() -> bool:
                return bool(await wire.redis.hget(match, "state") == "confirmed")

            await wait_until(is_confirmed)
            starting.cancel()
            pair.link.held = False
            await wire.is_told("p1", "MatchFound")
            assert await wire.redis.exists("pending:{squad}", "matched:{squad}") == 0
