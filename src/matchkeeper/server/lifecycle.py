"""The running server: what starts, what stops, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from matchkeeper.observe.runtime import Runtime
from matchkeeper.observe.supervision import supervised


class Phase(StrEnum):
    """Where the server is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A loop and its name. `finishes`: on stop it ends by itself, and the server waits for it."""

    name: str
    run: Callable[[], Awaitable[None]]
    finishes: bool = True


class MatchServer:
    """Runs its tasks until it is told to stop; then lets them finish what they are doing.

    `runtime.stop` is set first: intakes stop reading and empty their backlog, rounds end between
    commits. Tasks that run at the deadline, or at a second `stop()`, are cancelled. That is safe at
    any time, since no player is held in memory alone.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        runtime: Runtime,
        *,
        deadline: timedelta,
    ) -> None:
        self._tasks = tasks
        self._runtime = runtime
        self._stopping = runtime.stop
        self._deadline = deadline
        self._facts = runtime.facts
        self._at_once = asyncio.Event()
        self.phase = Phase.STARTING

    def stop(self) -> None:
        """Ends the server in good order; a second call ends it at once."""
        if self._stopping.is_set():
            self._at_once.set()
            self._facts.shutdown_at_once()
            return
        self.phase = Phase.STOPPING
        self._facts.shutdown_started(seconds=self._deadline.total_seconds())
        self._stopping.set()

    async def run(self) -> None:
        """Runs until stopped. Never raises because a task failed: tasks are supervised."""
        async with asyncio.TaskGroup() as group:
            running = {
                group.create_task(self._supervise(task), name=task.name): task
                for task in self._tasks
            }
            if self.phase is Phase.STARTING:
                self.phase = Phase.RUNNING
            await self._stopping.wait()
            self.phase = Phase.STOPPING
            finishing = [each for each, task in running.items() if task.finishes]
            await self._wait_for(finishing)
            for each in running:
                each.cancel()
        self.phase = Phase.STOPPED
        self._facts.shutdown_done()

    async def _wait_for(self, finishing: Sequence[asyncio.Task[None]]) -> None:
        at_once = asyncio.ensure_future(self._at_once.wait())
        everything = asyncio.gather(*finishing)
        await asyncio.wait(
            (everything, at_once),
            timeout=self._deadline.total_seconds(),
            return_when=asyncio.FIRST_COMPLETED,
        )
        at_once.cancel()
        cut_off = [each.get_name() for each in finishing if not each.done()]
        if cut_off:
            self._facts.shutdown_cut_off(tasks=", ".join(cut_off))
            everything.cancel()
        await asyncio.gather(everything, return_exceptions=True)

    async def _supervise(self, task: Task) -> None:
        await supervised(task.name, task.run, self._runtime)
