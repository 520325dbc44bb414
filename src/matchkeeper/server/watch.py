"""Looks at everything now and then, for metrics and for changes that others make."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.realm import QueueName
from matchkeeper.errors import StoreRefusedError
from matchkeeper.handoff.game_servers import GameServers
from matchkeeper.handoff.pods import PodRecords
from matchkeeper.observe.runtime import Runtime
from matchkeeper.resilience.waiting import MODES_AT_ONCE, Behind, pause
from matchkeeper.store.coordination import Coordination
from matchkeeper.store.dead_letters import DeadLetterStore
from matchkeeper.store.tickets import TicketStore

_EVERY_SECONDS = 2.0
_EVERY_SECONDS_IN_OUTAGE = 1.0
_LAG_EVERY_SECONDS = 0.25
_LOOKS_TO_SWEEP = 5
"""The index of players in parties is looked at so much less often than all else."""


class Watch:
    """Updates gauges, and looks for heartbeats and for the return of game servers."""

    def __init__(
        self,
        modes: Sequence[GameMode],
        runtime: Runtime,
        *,
        channel: str,
        tickets: TicketStore,
        dead_letters: DeadLetterStore,
        coordination: Coordination,
        pods: PodRecords,
        game_servers: GameServers,
    ) -> None:
        self._modes = modes
        self._channel = channel
        self._tickets = tickets
        self._dead_letters = dead_letters
        self._coordination = coordination
        self._pods = pods
        self._game_servers = game_servers
        self._facts = runtime.facts
        self._stop = runtime.stop
        self._looks = 0
        self._there: set[QueueName] = set()
        """Modes that had tickets or dead letters at the last look."""

    async def run(self) -> None:
        """Runs until the server stops. Raises StoreError; starting again is safe."""
        for mode in self._modes:
            self._facts.oldest_wait(mode=mode.name, seconds=0.0)
            self._facts.dead_letters(mode=mode.name, length=0, newest=())
        while True:
            await self.look()
            every = _EVERY_SECONDS_IN_OUTAGE if self._game_servers.missing else _EVERY_SECONDS
            if await pause(self._stop, every):
                return

    async def look(self) -> None:
        """Takes one look at everything. Raises StoreError."""
        await self._look_at_pods()
        self._looks += 1
        if self._looks % _LOOKS_TO_SWEEP == 0:
            swept = await self._tickets.parties.sweep()
            if swept:
                self._facts.parties_swept(players=swept)
        there = await self._tickets.present() | await self._dead_letters.present()
        # A mode that has become empty is looked at once more, so that this is told.
        looked_at, self._there = there | self._there, there
        async with Behind[None](at_once=MODES_AT_ONCE) as behind:
            for mode in self._modes:
                if mode.queue in looked_at:
                    await behind.start(self._look_at_queue(mode))
                else:
                    self._facts.queue_read(mode=mode.name, length=0)
            await behind.rest()

    async def _look_at_queue(self, mode: GameMode) -> None:
        # The connection has told it; the other modes are looked at all the same.
        with suppress(StoreRefusedError):
            length, oldest = await self._tickets.length_and_oldest(mode.queue)
            self._facts.queue_read(mode=mode.name, length=length)
            self._facts.oldest_wait(mode=mode.name, seconds=oldest or 0.0)
            dead, newest = await self._dead_letters.look(mode.queue)
            self._facts.dead_letters(mode=mode.name, length=dead, newest=newest)

    async def _look_at_pods(self) -> None:
        subscribers = await self._coordination.subscribers(self._channel)
        self._facts.subscribers(count=subscribers)
        if subscribers and self._game_servers.missing:
            self._game_servers.succeeded(subscribers)
        fell, came_back = self._pods.heard(await self._coordination.pods())
        self._facts.pods_silent(count=len(self._pods.silent))
        for pod_id in sorted(fell):
            self._facts.pod_silent(pod_id=pod_id)
        for pod_id in sorted(came_back):
            self._facts.pod_back(pod_id=pod_id)


async def watch_lag(runtime: Runtime) -> None:
    """Measures how late the event loop runs what is due."""
    clock = runtime.clock
    while True:
        begun = clock()
        if await pause(runtime.stop, _LAG_EVERY_SECONDS):
            return
        late = max(0.0, clock() - begun - _LAG_EVERY_SECONDS)
        runtime.facts.loop_lagged(seconds=late)
