"""`kill -9` of the server at ten points of a busy run: nobody lost, nobody doubled.

The judge reads only what players and pods were told, and at the end who still stands in Redis.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis.asyncio import Redis

from matchkeeper.client import GameServer, Offer, RefusedError
from matchkeeper.errors import MatchkeeperError, StoreUnavailableError
from tests.conftest import RealServer, wait_until
from tests.support.harness import Outside, Server, outside, serving

KILLS = 10
PLAYERS = 1500
_THERE_ALREADY = ("already_in_queue", "match_pending")
SETTINGS: dict[str, object] = {
    "matchmaking__offer_timeout_seconds": 1,
    "matchmaking__commit_batch_size": 5,
}


@dataclass
class Crowd:
    """A pod and its players, who ask until they are answered."""

    pod: GameServer
    rng: random.Random
    accepted: set[str] = field(default_factory=set)
    asked_anew: Counter[str] = field(default_factory=Counter)
    """Players who heard nothing for so long that they gave up: what they had asked counts, too."""
    started: Counter[str] = field(default_factory=Counter)

    def too_often(self, times: Counter[str]) -> list[str]:
        """Players to whom it happened more often than they asked for it."""
        return [player for player, count in times.items() if count > 1 + self.asked_anew[player]]

    async def run(self) -> None:
        """All players come, and all offers are taken, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._battles(group))
            for number in range(PLAYERS):
                mode = self.rng.choice(["Normal", "Squad"])
                group.create_task(self._ask(f"p{number}", mode))
                await asyncio.sleep(self.rng.expovariate(200))

    async def _battles(self, group: asyncio.TaskGroup) -> None:
        async for offer in self.pod.battle_requests():
            if offer.request.handoff == "claim":
                group.create_task(self._play(offer))

    async def _play(self, offer: Offer) -> None:
        if await offer.claim() and await offer.started():
            self.started.update(player.player_id for player in offer.request.players)

    async def _ask(self, player: str, mode: str) -> None:
        while player not in self.accepted:
            try:
                await self.pod.enqueue(player, mode)
            except MatchkeeperError as error:
                if isinstance(error, StoreUnavailableError):
                    self.asked_anew[player] += 1
                # After a crash ate the answer the player may be where it should be already.
                if not (isinstance(error, RefusedError) and error.code in _THERE_ALREADY):
                    continue
            self.accepted.add(player)


async def everybody_is_matched(redis: Redis) -> bool:
    """At most one odd player is left in each queue, and no match is pending."""
    left = [await redis.zcard(f"queue:{{{tag}}}") for tag in ("normal", "squad")]
    return max(left) <= 1 and await redis.zcard("pending:{squad}") == 0


async def judge(wire: Outside, crowd: Crowd) -> None:
    """Every accepted player has exactly one outcome: one match, or a place in a queue."""
    waiting = {
        player
        for tag in ("normal", "squad")
        for player in await wire.redis.zrange(f"queue:{{{tag}}}", 0, -1)
    }
    told = {
        (answer["player_id"], answer["result_type"]["MatchFound"]["match_id"])
        for _, answer in wire.answers
        if isinstance(answer["result_type"], dict) and "MatchFound" in answer["result_type"]
    }
    found = Counter(player for player, _ in told)
    assert crowd.accepted - set(found) - waiting == set(), "lost"
    assert crowd.too_often(found) == [], "matched twice"
    assert crowd.too_often(crowd.started) == [], "started twice"
    assert waiting & set(found) <= set(crowd.asked_anew), "matched and still waiting"


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_ten_kills_of_a_busy_server(valkey: RealServer, tmp_path: Path) -> None:
    rng = random.Random(11)
    with ExitStack() as stack:

        def start() -> Server:
            return stack.enter_context(serving(valkey.url, tmp_path, **SETTINGS))

        server = start()
        await server.ready()
        async with outside(valkey.url) as wire, GameServer(valkey.url, pod_id="pod-x") as pod:
            crowd = Crowd(pod, rng)
            task = asyncio.ensure_future(crowd.run())
            for _ in range(KILLS):
                await asyncio.sleep(rng.uniform(0.3, 1.2))
                server.kill()
                server = start()
            await wait_until(lambda: len(crowd.accepted) == PLAYERS, seconds=90, what="accepted")
            await wait_until(lambda: everybody_is_matched(wire.redis), seconds=60, what="matched")
            await judge(wire, crowd)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
