"""Who is started twice, and who is missing, when a replica that is behind takes over."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from crowd.history import History, State, What
from crowd.judge import Fault, judge
from matchkeeper.client import GameServer, Offer, RefusedError
from matchkeeper.errors import StoreError
from proof.chaos.processes import Child
from proof.chaos.proxy import Proxy
from proof.chaos.settings import server_environment
from proof.chaos.valkey import Valkey
from proof.chaos.wire import ask
from proof.durability.load import REQUESTS, at_rest
from proof.durability.relay import Relay

_MODE = "Duel"
_PODS = 2
_PLAYERS_AT_ONCE = 40
_START_SECONDS = 30.0
_PAUSE_SECONDS = 0.05
_BEHIND_SECONDS = (0.3, 1.0)
_REST_SECONDS = 4.0
"""Longer than a lease, and what follows when it has run out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failover:
    """What servers wait for, and how many replicas there are; the one that is behind takes over."""

    durability: str
    replicas: int

    @property
    def is_promised(self) -> bool:
        """Whether servers wait for as many replicas as could be promoted."""
        return self.durability == f"replicas:{self.replicas}"


FAILOVERS = (
    Failover(durability="none", replicas=1),
    Failover(durability="replicas:1", replicas=1),
    Failover(durability="replicas:1", replicas=2),
    Failover(durability="replicas:2", replicas=2),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What came of one failover, in players."""

    told: int
    """Players who were told EnQueued."""
    started: int
    twice: int
    """In two battles, or in one and in the queue, by what `started()` returned to game servers."""
    missing: int
    """Told EnQueued, never started, and not in the queue."""


class Game:
    """Game servers with the client that ships, and players who come as fast as they are told."""

    def __init__(self, port: int) -> None:
        self.history = History()
        self._pods = [
            GameServer(
                f"redis://127.0.0.1:{port}/0", pod_id=f"pod-{number}", timeout=timedelta(seconds=1)
            )
            for number in range(_PODS)
        ]
        self._exit = AsyncExitStack()
        self._players = count(1)
        self._coming: list[asyncio.Task[None]] = []
        self._playing: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Matches are played until `close`, and players come until `stop`."""
        for pod in self._pods:
            await self._exit.enter_async_context(pod)
        self._playing = [asyncio.create_task(self._play(pod)) for pod in self._pods]
        self._coming = [
            asyncio.create_task(self._come(self._pods[number % _PODS]))
            for number in range(_PLAYERS_AT_ONCE)
        ]

    async def stop(self) -> None:
        """Nobody comes any more."""
        await _ended(self._coming)

    async def close(self) -> None:
        """Nothing of it runs any more."""
        await _ended([*self._coming, *self._playing])
        await self._exit.aclose()

    async def _come(self, pod: GameServer) -> None:
        while True:
            player = f"p{next(self._players)}"
            self.note(What.ASKED, player=player, mode=_MODE, word="enqueue")
            try:
                await pod.enqueue(player, _MODE)
                self.note(What.TOLD, player=player, word="EnQueued")
            except (RefusedError, StoreError):
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _play(self, pod: GameServer) -> None:
        async with asyncio.TaskGroup() as battles:
            async for offer in pod.battle_requests():
                battles.create_task(self._start(offer))

    async def _start(self, offer: Offer) -> None:
        with suppress(StoreError):
            if await offer.claim() and await offer.started():
                players = tuple((each.player_id, each.score) for each in offer.request.players)
                self.note(What.STARTED, match=offer.request.match_id, players=players)

    def note(self, what: What, **fields: Any) -> None:
        """What somebody sees now."""
        self.history.add(what, time.monotonic(), **fields)


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Site:
    """A primary, its replicas, of which the first can fall behind, and a match server."""

    def __init__(self, failover: Failover, folder: Path) -> None:
        self._failover = failover
        self._primary = Valkey(folder / "primary", appends=False)
        self._link = Relay(self._primary.port)
        self._replicas = [
            Valkey(folder / f"replica-{number}", appends=False)
            for number in range(2 * failover.replicas)
        ]
        self.proxy = Proxy(self._primary.port)
        self._server = Child("server", folder, self._command)

    async def open(self) -> None:
        """Starts everything."""
        await self._primary.start()
        await self._link.open()
        await self._follow(self._replicas[:1], self._link.port)
        await self._follow(self._replicas[1 : self._failover.replicas], self._primary.port)
        await self.proxy.open()
        self._server.start()
        async with asyncio.timeout(_START_SECONDS):
            while not await ask(self._primary.port, "EXISTS", REQUESTS):
                await asyncio.sleep(0.05)

    async def fail_over(self, behind_seconds: float) -> None:
        """The first replica falls behind, and takes over with as many new ones behind it."""
        self._link.hold()
        await asyncio.sleep(behind_seconds)
        self._primary.kill()
        self._link.close()
        await self._replicas[0].promote()
        await self._follow(self._replicas[self._failover.replicas :], self._replicas[0].port)
        self.proxy.target = self._replicas[0].port
        self.proxy.cut_all()

    async def close(self) -> None:
        """Nothing of it runs any more."""
        self._server.end()
        self._link.close()
        for valkey in (self._primary, *self._replicas):
            valkey.close()
        await self.proxy.close()

    def _command(self, _start: int) -> tuple[list[str], dict[str, str]]:
        environment = server_environment(self.proxy.port, self._failover.durability)
        return ["matchkeeper", "serve"], environment

    async def _follow(self, replicas: list[Valkey], port: int) -> None:
        for replica in replicas:
            await replica.start(replica_of=port)
            async with asyncio.timeout(_START_SECONDS):
                while not await replica.in_step():
                    await asyncio.sleep(0.01)


async def fail_over_once(failover: Failover, folder: Path, rng: random.Random) -> Undone:
    """Lets matches be played, promotes the replica that is behind, and counts."""
    folder.mkdir(parents=True)
    site = Site(failover, folder)
    game = None
    try:
        await site.open()
        game = Game(site.proxy.port)
        await game.open()
        await asyncio.sleep(rng.uniform(1.5, 3))
        await site.fail_over(rng.uniform(*_BEHIND_SECONDS))
        await game.stop()
        left = await at_rest(site.proxy.target, seconds=_REST_SECONDS, longest=30.0)
    finally:
        if game is not None:
            await game.close()
        await site.close()
    game.note(What.LOOKED, state=State(queues={_MODE: dict.fromkeys(left, 0.0)}))
    return undone(game.history)


def undone(history: History) -> Undone:
    """Counts players by what the judge finds."""
    verdict = judge(history)
    started = {player for each in history if each.match for player, _ in each.players}
    return Undone(
        told=verdict.acknowledged,
        started=len(started),
        twice=len(verdict.about(Fault.DOUBLED) & started),
        missing=len(verdict.about(Fault.LOST)),
    )
