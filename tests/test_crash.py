"""`kill -9` of the server at ten points of a busy run: nobody lost, nobody doubled.

The judge reads only what players and pods were told, and at the end who still stands in Redis.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from matchkeeper.client import GameServer, Offer
from matchkeeper.errors import MatchkeeperError
from tests.conftest import RealServer, wait_until
from tests.harness import outside, serving

KILLS = 10
PLAYERS = 1500


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_ten_kills_of_a_busy_server(valkey: RealServer, tmp_path: Path) -> None:
    rng = random.Random(11)
    started: Counter[str] = Counter()
    accepted: set[str] = set()
    settings = {"matchmaking__offer_timeout_seconds": 1, "matchmaking__commit_batch_size": 5}

    async def play(offer: Offer) -> None:
        if await offer.claim() and await offer.started():
            started.update(player.player_id for player in offer.request.players)

    async def battles(pod: GameServer, group: asyncio.TaskGroup) -> None:
        async for offer in pod.battle_requests():
            if offer.request.handoff == "claim":
                group.create_task(play(offer))

    async def ask(pod: GameServer, player: str, mode: str) -> None:
        while player not in accepted:
            try:
                await pod.enqueue(player, mode)
            except MatchkeeperError as error:
                # Asked again after a crash ate the answer: the player is where it should be.
                if getattr(error, "code", "") not in ("already_in_queue", "match_pending"):
                    continue
            accepted.add(player)

    async def arrivals(pod: GameServer, group: asyncio.TaskGroup) -> None:
        for number in range(PLAYERS):
            mode = rng.choice(["Normal", "Squad"])
            group.create_task(ask(pod, f"p{number}", mode))
            await asyncio.sleep(rng.expovariate(200))

    async with outside(valkey.url) as wire, asyncio.TaskGroup() as group:
        server = serving(valkey.url, tmp_path, **settings)
        running = server.__enter__()
        await running.ready()
        async with GameServer(valkey.url, pod_id="pod-x") as pod:
            tasks = [group.create_task(battles(pod, group))]
            coming = group.create_task(arrivals(pod, group))
            for _ in range(KILLS):
                await asyncio.sleep(rng.uniform(0.05, 0.8))
                running.process.kill()
                server.__exit__(None, None, None)
                server = serving(valkey.url, tmp_path, **settings)
                running = server.__enter__()
            await running.ready()
            await coming
            await wait_until(lambda: len(accepted) == PLAYERS, seconds=60, what="all accepted")

            async def drained() -> bool:
                names = ("queue:{normal}", "queue:{squad}", "pending:{squad}")
                sizes = [await wire.redis.zcard(name) for name in names]
                return sizes[0] <= 1 and sizes[1] <= 1 and sizes[2] == 0

            await wait_until(drained, seconds=60, what="everybody who can be is matched")
            still = {
                player
                for tag in ("normal", "squad")
                for player in await wire.redis.zrange(f"queue:{{{tag}}}", 0, -1)
            }
            found = Counter(
                answer["player_id"]
                for _, answer in wire.answers
                if isinstance(answer["result_type"], dict) and "MatchFound" in answer["result_type"]
            )
            await asyncio.sleep(0)
            lost = accepted - set(found) - still
            assert lost == set()
            assert [player for player, times in found.items() if times > 1] == []
            assert [player for player, times in started.items() if times > 1] == []
            assert not still & set(found)
            for task in tasks:
                task.cancel()
        server.__exit__(None, None, None)
