"""Players and game servers for looking at the live page: many modes, waits and troubles at once."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from redis.asyncio import Redis

from matchkeeper.client import GameServer, Offer
from matchkeeper.errors import MatchkeeperError
from tests.harness import Outside

PODS = ("eu-west-1", "eu-west-2", "us-east-1")
_RATES = {"Normal": 1.4, "Ranked": 1.2, "Squad": 0.9}
"""Players a second, on average."""
_WAVE_SECONDS = 240.0


class World:
    """Players who come in waves, and pods that play their matches until they are told to rest."""

    def __init__(self, url: str, *, rng: random.Random) -> None:
        self._url = url
        self._rng = rng
        self._names = itertools.count(1000)
        self._redis: Redis | None = None

    @asynccontextmanager
    async def players(self) -> AsyncIterator[None]:
        """Players come meanwhile."""
        async with Redis.from_url(self._url, decode_responses=True) as redis:
            self._redis = redis
            coming = [asyncio.ensure_future(self._come(mode)) for mode in _RATES]
            try:
                yield
            finally:
                await _end(coming)

    @asynccontextmanager
    async def pods(self) -> AsyncIterator[None]:
        """Game servers play meanwhile."""
        playing = [asyncio.ensure_future(self._play(pod)) for pod in PODS]
        try:
            yield
        finally:
            await _end(playing)

    async def spoil(self) -> None:
        """A few tickets that cannot be read."""
        assert self._redis is not None
        now = (await self._redis.time())[0]
        for mode, player, metadata in (
            ("ranked", "frost-3310", '{"mmr": "gold", "pod_id": "eu-west-1"}'),
            ("ranked", "ember-0042", '{"mmr": 1480, "region": "eu"}'),
            ("normal", "quill-7781", '{"pod_id": "us-east-1"'),
        ):
            await self._redis.hset(f"metadata:{{{mode}}}", player, metadata)
            await self._redis.zadd(f"queue:{{{mode}}}", {player: now})

    async def _come(self, mode: str) -> None:
        assert self._redis is not None
        wire = Outside(self._redis)
        while True:
            at = asyncio.get_running_loop().time()
            wave = 1 + 0.6 * math.sin(2 * math.pi * at / _WAVE_SECONDS)
            await asyncio.sleep(self._rng.expovariate(_RATES[mode] * wave))
            name = f"{self._rng.choice(('frost', 'ember', 'quill', 'raven'))}-{next(self._names)}"
            rating = round(self._rng.gauss(1500, 260))
            with suppress(OSError, MatchkeeperError):
                await wire.enqueue(name, mode, pod=self._rng.choice(PODS), mmr=rating)

    async def _play(self, pod_id: str) -> None:
        async with GameServer(self._url, pod_id=pod_id) as pod, asyncio.TaskGroup() as group:
            async for offer in pod.battle_requests():
                group.create_task(self._take(offer, pod_id))

    async def _take(self, offer: Offer, pod_id: str) -> None:
        if offer.request.game_mode != "Squad":
            return
        await asyncio.sleep(self._rng.uniform(0.05, 0.6))
        with suppress(MatchkeeperError):
            if not await offer.claim():
                return
            await asyncio.sleep(self._rng.uniform(0.2, 1))
            if pod_id == PODS[-1] and self._rng.random() < 0.15:
                await offer.decline()
            else:
                await offer.started()


async def _end(tasks: Sequence[asyncio.Future[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
