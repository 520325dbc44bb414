"""Everything that runs in one phase: Valkey, the proxy, match servers, pods."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from crowd.history import State, What
from matchkeeper.store import keys
from proof.chaos.look import Looker
from proof.chaos.notes import Notes
from proof.chaos.processes import Child
from proof.chaos.proxy import Proxy
from proof.chaos.settings import ANNOUNCED, SHARES, PodOptions, server_environment, sizes
from proof.chaos.valkey import Valkey
from proof.chaos.wire import WireError, ask
from proof.versions.release import HERE, Release

_DEFECTS = ('"loop_failed"', "Traceback (most recent")
_SERVERS = 2
_POD_PROCESSES = ("pod0", "pod1", "pod2")
_SETTLED_SECONDS = 2.0
_ARRIVED_SECONDS = 4.0
"""After this time everybody has heard what was published, unless cut off."""
_PATIENCE_SECONDS = 90.0
_IN_STEP_SECONDS = 20.0


class Site:
    """The processes of a phase, all of one realm. `replicas`: how many Valkeys follow the first
    one, 0 or 1. `durability`: what servers wait for before they tell.
    """

    def __init__(
        self,
        folder: Path,
        *,
        realm: str,
        replicas: int,
        players_per_second: float,
        seed: int,
        durability: str = "fsync",
    ) -> None:
        self.realm = realm
        self.replicas = replicas
        self._durability = durability
        self.primary = Valkey(folder / "valkey-1", appends=not replicas)
        self.replica = Valkey(folder / "valkey-2", appends=False)
        self.proxy = Proxy(self.primary.port)
        self.servers: list[Child] = []
        self.pods: list[Child] = []
        self.ended: list[str] = []
        """Processes that ended although nobody had killed them."""
        self._folder = folder
        self._run = f"{random.SystemRandom().randrange(16**4):04x}"
        self._rate = players_per_second / len(_POD_PROCESSES)
        self._seed = seed
        self._looker = Looker(tuple(sizes(0)), realm=realm, replicas=replicas)
        self._stop = folder / "stop"
        self._editions: dict[str, int] = {}
        """The edition of the settings of each server."""
        self.quiet = False
        """No other faults now."""
        self.rolls_out = False
        """Servers have different settings, or had a moment ago."""
        self.settled = asyncio.Lock()
        """Held while a server starts with another edition, and while all of them have to serve."""

    async def open(self, releases: Mapping[str, Release] = MappingProxyType({})) -> None:
        """Starts everything, processes of `releases` in another version than this one; returns once
        players are matched.
        """
        self._folder.mkdir(parents=True)
        self.notes = Notes(self._folder / "driver.jsonl")
        await self.primary.start()
        if self.replicas:
            await self.replica.start(replica_of=self.primary.port)
            await self.in_step()
        self.proxy.deaf = lambda pod: self.notes.now(What.DEAF, who=pod)
        await self.proxy.open()
        self.servers = [self._server(f"server-{number}") for number in range(_SERVERS)]
        self.pods = [self._pod(name) for name in _POD_PROCESSES]
        for child in (*self.servers, *self.pods):
            child.release = releases.get(child.name, HERE)
            child.start()
        self.allow_matches_of(0)

    def close(self) -> None:
        """Nothing of it runs any more."""
        for child in (*self.servers, *self.pods):
            child.end()
        self.primary.close()
        self.replica.close()

    async def in_step(self) -> None:
        """Returns once the replica has all that the primary has. Raises TimeoutError."""
        async with asyncio.timeout(_IN_STEP_SECONDS):
            while not await self.replica.in_step():
                await asyncio.sleep(0.005)

    def fail_over(self) -> None:
        """The replica is the primary now; the old one's place is free for a new replica."""
        self.primary, self.replica = self.replica, self.primary
        self.proxy.target = self.primary.port

    def restart(self, child: Child) -> None:
        """kill -9 and a new process."""
        child.kill()
        self.notes.now(What.DIED, who=f"{self._run}.{child.name}")
        child.start()

    def freeze(self, child: Child) -> None:
        """SIGSTOP."""
        self.notes.now(What.FROZE, who=f"{self._run}.{child.name}")
        child.freeze()

    def thaw(self, child: Child) -> None:
        """SIGCONT."""
        self.notes.now(What.THAWED, who=f"{self._run}.{child.name}")
        child.thaw()

    async def replace(
        self, server: Child, *, newer: bool = False, release: Release | None = None
    ) -> None:
        """SIGTERM, and another process, perhaps with newer settings or of another version; returns
        once it serves.
        """
        async with self.settled:
            self._editions[server.name] += newer
            server.release = release or server.release
            server.stop()
            server.start()
            await self.all_serve()

    async def hearing(self) -> list[Child]:
        """The server that hears Pub/Sub now, if it can be told."""
        holder = b""
        with suppress(WireError):
            holder = await ask(self.primary.port, "HGET", keys.hearing(self.realm), "holder") or b""
        return [each for each in self.servers if f"-{each.pid}-" in holder.decode()]

    async def all_gone(self) -> None:
        """Returns once the servers that were replaced have ended, and what they published has come.

        Raises TimeoutError.
        """
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while any(server.lingering for server in self.servers):
                await asyncio.sleep(0.05)
        await asyncio.sleep(_ARRIVED_SECONDS)

    def swallow(self, pods: Child, *, on: bool) -> None:
        """Whether the pods of a process claim every match and start none."""
        if on:
            self._swallow(pods.name).touch()
        else:
            self._swallow(pods.name).unlink(missing_ok=True)

    @property
    def newest(self) -> int:
        """The edition of the newest settings that a server has, or is about to have."""
        return max(self._editions.values())

    def allow_matches_of(self, *editions: int) -> None:
        """Matches that are heard of from now on are made by these settings."""
        each = [sizes(edition) for edition in editions]
        allowed = {tag: tuple({wanted[tag] for wanted in each}) for tag in each[0]}
        self.notes.now(What.SIZED, who="operator", sizes=allowed)

    def tend(self) -> None:
        """Starts again what has ended by itself, and remembers that it did."""
        for child in (*self.servers, *self.pods):
            self.ended += child.failures()
            if not child.up:
                child.start()

    def end(self) -> None:
        """No more match servers and pods; remembers what went wrong with them since the storm."""
        self.proxy.deaf = lambda _pod: None  # now it is no news that they hear nothing more
        for child in (*self.servers, *self.pods):
            self.ended += child.failures()
            self.ended += [f"{child.name}, told to stop, which never did"] * child.lingering
            child.end()

    async def all_serve(self) -> None:
        """Returns once every match server has started to work. Raises TimeoutError."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not all(server.said('"started"') for server in self.servers):
                await asyncio.sleep(0.05)

    async def look(self) -> State | None:
        """A look at Redis, noted where there was one to be had."""
        since = time.monotonic()
        state = await self._looker.look(self.primary.port)
        if state is not None:
            self.notes.now(What.LOOKED, who="operator", state=state, since=since)
        return state

    async def settle(self) -> float:
        """No more players come; returns after how long everything had come to rest."""
        self._stop.touch()
        begun = rest_since = time.monotonic()
        while (now := time.monotonic()) - begun < _PATIENCE_SECONDS:
            if not self._at_rest(await self.look()):
                rest_since = now
            elif now - rest_since > _SETTLED_SECONDS:
                break
            await asyncio.sleep(0.2)
        return rest_since - begun

    def defects(self) -> list[str]:
        """Errors that nobody expected, as the processes told them."""
        told = (
            line
            for child in (*self.servers, *self.pods)
            for line in child.log.read_text("utf-8", "replace").splitlines()
        )
        return [line for line in told if any(sign in line for sign in _DEFECTS)]

    def histories(self) -> list[Path]:
        """The files that say what was seen."""
        return sorted(self._folder.glob("*.jsonl"))

    def _swallow(self, name: str) -> Path:
        return self._folder / f"{name}-swallow"

    def _at_rest(self, state: State | None) -> bool:
        if state is None or any(state.pending.values()) or self._looker.requests:
            return False
        return all(len(state.queues[tag]) < n for tag, n in sizes(self.newest).items())

    def _server(self, name: str) -> Child:
        self._editions[name] = 0

        def command(_start: int) -> tuple[list[str], dict[str, str]]:
            edition = self._editions[name]
            return ["matchkeeper", "serve"], server_environment(
                self.proxy.port, self._durability, edition, realm=self.realm
            )

        return Child(name, self._folder, command)

    def _pod(self, name: str) -> Child:
        durable = not self.replicas
        others = [each for each in _POD_PROCESSES if each != name]

        def command(start: int) -> tuple[list[str], dict[str, str]]:
            options = PodOptions(
                # No other run has these names, so that nobody confuses the players of two runs.
                name=f"{self._run}.{name}",
                neighbours=tuple(f"{self._run}.{each}" for each in others),
                start=start,
                port=self.proxy.port,
                realm=self.realm,
                notes=str(self._folder / f"{name}.jsonl"),
                stop=str(self._stop),
                swallow=str(self._swallow(name)),
                shares={mode: n for mode, n in SHARES.items() if durable or mode != ANNOUNCED},
                players_per_second=self._rate,
                seed=f"{self._seed} {name} {start}",
            )
            return ["proof.chaos.pod", options.text()], {}

        return Child(name, self._folder, command)
