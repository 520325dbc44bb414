"""The rounds of all queues: a queue where nothing waits has no task and no timer of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Set

from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.realm import QueueName
from matchkeeper.errors import StoreError
from matchkeeper.observe.runtime import Runtime
from matchkeeper.observe.supervision import supervised
from matchkeeper.queue.rounds import Rounds
from matchkeeper.resilience.waiting import pause
from matchkeeper.store.tickets import TicketStore


class Queues:
    """Runs the rounds of each queue, in a task of their own, while they are due. At every tick it
    makes rounds due where somebody waits.
    """

    def __init__(
        self,
        queues: Mapping[QueueName, Rounds],
        tickets: TicketStore,
        settings: MatchmakingSettings,
        runtime: Runtime,
    ) -> None:
        self._queues = queues
        self._tickets = tickets
        self._tick_seconds = settings.try_match_tick_interval_seconds
        self._runtime = runtime
        self._stop = runtime.stop
        self._group: asyncio.TaskGroup | None = None
        self._running: set[Rounds] = set()

    async def run(self) -> None:
        """Runs until the server stops and the rounds that run then are over."""
        async with asyncio.TaskGroup() as self._group:
            for queue in self._queues.values():
                if queue.due:
                    self.begin(queue)
            await self._stop.wait()

    def begin(self, queue: Rounds) -> None:
        """A round of this queue is due. Rounds that are due before `run` start with it."""
        if self._group is None or queue in self._running or self._stop.is_set():
            return
        self._running.add(queue)
        self._group.create_task(self._rounds(queue))

    async def _rounds(self, queue: Rounds) -> None:
        name = f"rounds of {queue.mode.queue.mode}"
        try:
            await supervised(name, queue.rounds, self._runtime)
        finally:  # no `await` since nothing was due: no due round is lost
            self._running.discard(queue)

    async def ticks(self) -> None:
        """Makes rounds due at every tick, until the server stops."""
        while not await pause(self._stop, self._tick_seconds):
            # Queues that skip this tick are told first: Redis may be slow to say where players
            # wait.
            going = [queue for queue in self._queues.values() if not queue.skips_tick()]
            waiting = await self._waiting() if going else frozenset()
            for queue in going:
                if queue.mode.queue in waiting or queue.knows_somebody:
                    queue.try_now()

    async def _waiting(self) -> Set[QueueName]:
        try:
            return await self._tickets.present()
        except StoreError:  # the connection has told it; queues known to have players are tried
            return frozenset()
