"""One crash of Valkey under load, and who is missing afterwards."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from proof.chaos.processes import Child
from proof.chaos.proxy import Proxy
from proof.chaos.settings import server_environment
from proof.chaos.valkey import Valkey
from proof.chaos.wire import ask
from proof.durability import power
from proof.durability.load import REQUESTS, Load, at_rest

_START_SECONDS = 20.0
_REST_SECONDS = 1.5
_LONGEST_SECONDS = 30.0


class Crash(StrEnum):
    """How Valkey goes."""

    KILL = "kill -9"
    POWER = "loss of power"
    PROMOTE = "kill -9, replica promoted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One durability, and the settings of Redis behind it."""

    durability: str
    """`redis.durability`."""
    fsync: str
    """`appendfsync`; empty: no append-only file."""
    crash: Crash

    def __str__(self) -> str:
        file = f"AOF {self.fsync}" if self.fsync else "no AOF"
        return f"{self.durability}, {file}, {self.crash}"


SETTINGS = (
    Setting(durability="none", fsync="", crash=Crash.KILL),
    Setting(durability="none", fsync="everysec", crash=Crash.KILL),
    Setting(durability="none", fsync="everysec", crash=Crash.POWER),
    Setting(durability="none", fsync="always", crash=Crash.KILL),
    Setting(durability="none", fsync="always", crash=Crash.POWER),
    Setting(durability="fsync", fsync="always", crash=Crash.KILL),
    Setting(durability="fsync", fsync="always", crash=Crash.POWER),
    Setting(durability="none", fsync="", crash=Crash.PROMOTE),
    Setting(durability="replicas:1", fsync="", crash=Crash.PROMOTE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What came of one crash."""

    accepted: int
    """Players who were told EnQueued."""
    by_stream: int
    by_pubsub: int
    """Of these, missing afterwards, by the way they came."""
    window_seconds: float
    """From the first EnQueued of somebody who is missing to the crash."""

    @property
    def lost(self) -> int:
        """All who are missing."""
        return self.by_stream + self.by_pubsub


class Scene:
    """Valkey, its replica where it has one, and a match server before them."""

    def __init__(self, setting: Setting, folder: Path, *, shared: Path | None) -> None:
        loses_power = shared is not None and setting.crash is Crash.POWER
        self._setting = setting
        self._log = folder / "synced"
        self._primary_folder = folder / "1"
        self._primary = Valkey(
            self._primary_folder,
            appends=bool(setting.fsync),
            fsync=setting.fsync or "always",
            rewrites=not loses_power,  # what is cut back is one file
            variables=power.variables(shared, self._log) if shared and loses_power else {},
        )
        self._replica = Valkey(folder / "2", appends=False)
        self._proxy = Proxy(self._primary.port)
        self._server = Child("server", folder, self._command)

    async def open(self) -> int:
        """Starts everything; returns the port for clients."""
        await self._primary.start()
        if self._setting.crash is Crash.PROMOTE:
            await self._replica.start(replica_of=self._primary.port)
            async with asyncio.timeout(_START_SECONDS):
                while not await self._replica.in_step():
                    await asyncio.sleep(0.01)
        await self._proxy.open()
        self._server.start()
        async with asyncio.timeout(_START_SECONDS):
            while not await ask(self._primary.port, "EXISTS", REQUESTS):
                await asyncio.sleep(0.05)
        return self._proxy.port

    def crash(self) -> None:
        """Valkey is gone, and with the power also what it had not synced."""
        self._primary.kill()
        if self._setting.crash is Crash.POWER:
            power.cut_back(self._primary_folder / "appendonlydir", self._log)

    async def recover(self) -> set[str]:
        """Valkey is there again; returns the players who wait once all has come to rest."""
        if self._setting.crash is Crash.PROMOTE:
            await self._replica.promote()
            self._proxy.target = self._replica.port
        else:
            await self._primary.start()
        return await at_rest(self._proxy.target, seconds=_REST_SECONDS, longest=_LONGEST_SECONDS)

    async def close(self) -> None:
        """Nothing of it runs any more."""
        self._server.end()
        self._primary.close()
        self._replica.close()
        await self._proxy.close()

    def _command(self, _start: int) -> tuple[list[str], dict[str, str]]:
        environment = {
            **server_environment(self._proxy.port, self._setting.durability),
            # Nobody listens for matches, so all players stay in the queue.
            "MATCHKEEPER_MATCHMAKING__TRY_MATCH_TICK_INTERVAL_SECONDS": "60",
            "MATCHKEEPER_MATCHMAKING__REDIS_OPERATION_TIMEOUT_SECONDS": "10",
            "MATCHKEEPER_REDIS__DURABILITY_TIMEOUT_SECONDS": "5",
            "MATCHKEEPER_RETRY__REQUEST_MEMORY_SECONDS": "120",  # longer than all attempts
        }
        return ["matchkeeper", "serve"], environment


async def crash_once(
    setting: Setting, folder: Path, rng: random.Random, *, shared: Path | None
) -> Loss:
    """Lets players come, crashes Valkey, and counts. `shared`: for a loss of power."""
    folder.mkdir(parents=True)
    scene = Scene(setting, folder, shared=shared)
    try:
        load = Load(await scene.open())
        coming = asyncio.ensure_future(load.run())
        await asyncio.sleep(rng.uniform(1.5, 3))
        crashed_at = time.monotonic()
        scene.crash()
        await coming
        left = await scene.recover()
    finally:
        await scene.close()
    return _loss(load.told_at, left, crashed_at)


def _loss(told_at: dict[str, float], left: set[str], crashed_at: float) -> Loss:
    missing = set(told_at) - left
    by_stream = sum(player.startswith("stream") for player in missing)
    return Loss(
        accepted=len(told_at),
        by_stream=by_stream,
        by_pubsub=len(missing) - by_stream,
        window_seconds=max((crashed_at - told_at[each] for each in missing), default=0.0),
    )
