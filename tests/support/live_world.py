"""Players and game servers for looking at the live page: many modes, waits and troubles at once."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from matchkeeper.cli.demo.day import share_of_peak
from matchkeeper.client import GameServer, Offer
from matchkeeper.domain.mode import Handoff
from matchkeeper.errors import MatchkeeperError
from tests.conftest import wait_until
from tests.support.harness import Outside

PODS = ("eu-west-1", "eu-west-2", "us-east-1")
_NAMES = ("frost", "ember", "quill", "raven")
_RATES = {"Normal": 2.5, "Ranked": 3.0, "Squad": 3.0}
"""Players a second, at the evening's peak."""
_QUIETEST = 0.1
_BEGINS_AT = 21.5
"""The hour of the day: at the end, a day later, the evening's peak is not long ago."""
_DECLINED = 0.02
MODES = [
    {
        "game_mode": "Normal",
        "required_players": 2,
        "use_mmr_matching": True,
        "mmr_window_start": 20,
        "mmr_window_growth_per_second": 3,
    },
    {
        "game_mode": "Ranked",
        "required_players": 2,
        "use_mmr_matching": True,
        "mmr_window_start": 5,
        "mmr_window_growth_per_second": 1,
        "handoff": "claim",
    },
    {
        "game_mode": "Squad",
        "required_players": 8,
        "teams": 2,
        "use_mmr_matching": True,
        "mmr_window_start": 100,
        "mmr_window_growth_per_second": 10,
        "handoff": "claim",
    },
]


class World:
    """Players who come as by day and by night, and pods that play their matches until they rest.

    A day takes `day_seconds`.
    """

    def __init__(self, url: str, *, rng: random.Random, day_seconds: float) -> None:
        self._url = url
        self._rng = rng
        self._day_seconds = day_seconds
        self._ids = itertools.count(1000)
        self._redis: Redis | None = None
        self._playing: list[asyncio.Future[None]] = []
        self.declined: str | None = None
        """A player whose match was declined, of late: one with a history."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Game servers play and players come meanwhile."""
        async with Redis.from_url(self._url, decode_responses=True) as redis:
            self._redis = redis
            self._playing = [asyncio.ensure_future(self._play(pod)) for pod in PODS]
            await wait_until(self._all_listen, what="all pods listen")
            coming = [asyncio.ensure_future(self._come(mode)) for mode in _RATES]
            try:
                yield
            finally:
                await _end(coming)
                await self.rest()

    async def rest(self) -> None:
        """The game servers end; players go on coming."""
        await _end(self._playing)

    async def spoil(self, mode: str, player_id: str, metadata: str) -> None:
        """A ticket that cannot be read."""
        assert self._redis is not None
        now = (await self._redis.time())[0]
        await self._redis.hset(f"metadata:{{{mode}}}", player_id, metadata)
        await self._redis.zadd(f"queue:{{{mode}}}", {player_id: now})

    async def _all_listen(self) -> bool:
        assert self._redis is not None
        ((_, listening),) = await self._redis.pubsub_numsub("battle:request")
        return bool(listening == len(PODS))

    async def _come(self, mode: str) -> None:
        assert self._redis is not None
        wire = Outside(self._redis)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while True:
            hour = (_BEGINS_AT + 24 * (loop.time() - begun) / self._day_seconds) % 24
            share = max(_QUIETEST, share_of_peak(hour))
            await asyncio.sleep(self._rng.expovariate(_RATES[mode] * share))
            name = f"{self._rng.choice(_NAMES)}-{next(self._ids)}"
            rating = round(self._rng.gauss(1500, 260))
            with suppress(OSError, RedisError, MatchkeeperError):
                await wire.enqueue(name, mode, pod=self._rng.choice(PODS), mmr=rating)

    async def _play(self, pod_id: str) -> None:
        async with GameServer(self._url, pod_id=pod_id) as pod, asyncio.TaskGroup() as group:
            async for offer in pod.battle_requests():
                # A match is played where its first player is, so that they do not race for it.
                first = offer.request.players[0]
                if offer.request.handoff == Handoff.CLAIM and first.pod_id == pod_id:
                    group.create_task(self._take(offer))

    async def _take(self, offer: Offer) -> None:
        await asyncio.sleep(self._rng.uniform(0.05, 0.6))
        with suppress(MatchkeeperError):
            if not await offer.claim():
                return
            await asyncio.sleep(self._rng.uniform(0.2, 1))
            if self._rng.random() < _DECLINED:
                await offer.decline()
                self.declined = offer.request.players[0].player_id
            else:
                await offer.started()


async def _end(tasks: Sequence[asyncio.Future[None]]) -> None:
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome  # else the pictures would be of an empty world
