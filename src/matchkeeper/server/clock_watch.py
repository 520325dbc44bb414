"""Looks at the clock of Redis: bridges and tells its steps, and tells when a data set went back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from matchkeeper.errors import StoreRefusedError
from matchkeeper.observe.board.problems import Problem, Severity, problem
from matchkeeper.observe.runtime import Runtime
from matchkeeper.resilience.waiting import pause, unless
from matchkeeper.store.clock import Look, RedisClock

_EVERY_SECONDS = 1.0
_DOUBT_SECONDS = 0.5
_TOLD_SECONDS = 1.0
_REMEMBERED_SECONDS = 600.0


def step_between(earlier: Look, later: Look) -> float:
    """Seconds by which the clock of Redis has stepped; 0 where the step is too small to be sure."""
    moved = (later.clock - earlier.clock) - (later.steady - earlier.steady)
    return moved if abs(moved) > _DOUBT_SECONDS + earlier.doubt + later.doubt else 0.0


class ClockWatch:
    """Watches the clock of Redis and the data set that the clock is kept in."""

    def __init__(
        self,
        redis_clock: RedisClock,
        runtime: Runtime,
    ) -> None:
        self._redis_clock = redis_clock
        self._clock = runtime.clock
        self._facts = runtime.facts
        self._stop = runtime.stop
        self._last: Look | None = None
        self._went_back_at: float | None = None
        self._believed = asyncio.Event()

    async def then(self, run: Callable[[], Awaitable[None]]) -> None:
        """Runs `run`, which needs the present time, once the clock is believed. If no server ran
        for a while, time stands still for scripts until this server has looked twice.
        """
        await unless(self._stop, self._believed.wait())
        await run()

    async def run(self) -> None:
        """Runs until the server stops. Raises StoreError; starting again is safe."""
        while True:
            try:
                await self.look()
            except StoreRefusedError:
                self._believed.set()  # the key is not ours: scripts take the clock as it is
                raise
            if await pause(self._stop, _EVERY_SECONDS):
                return

    async def look(self) -> None:
        """One look. Raises StoreError."""
        look, last = await self._redis_clock.look(), self._last
        # A server that has not looked before, or not since the last step, cannot know the step.
        # Another server may know it, or the next look will tell.
        if look.astray and last is not None and last.steps == look.steps:
            look = await self._redis_clock.bridge(step_between(last, look), look)
        if last is not None:
            self._tell(last, look)
        self._facts.clock_offset(seconds=look.offset)
        self._last = look
        if not look.astray:
            self._believed.set()

    def _tell(self, last: Look, look: Look) -> None:
        if look.looks <= last.looks:
            self._went_back_at = self._clock()
            self._facts.state_went_back(seen=last.looks, found=look.looks)
        elif look.steps > last.steps and abs(look.step) >= _TOLD_SECONDS:
            self._facts.clock_stepped(seconds=f"{look.step:+.1f}")

    def problems(self) -> list[Problem]:
        """The present problems, for readiness and for the live page."""
        since, last = self._went_back_at, self._last
        found = []
        if since is not None and self._clock() - since < _REMEMBERED_SECONDS:
            found.append(_WENT_BACK)
        if last is not None and abs(last.offset) >= _TOLD_SECONDS:
            found.append(_stepped(last.step))
        return found


_WENT_BACK = problem(
    "state_went_back", Severity.CRITICAL,
    "The data in Redis went back within the last 10 minutes",
    "Players and matches may be gone: Redis was emptied, or has older data now. Players who are "
    "gone wait for a match that does not come, unless their game server asks again.",
    "state-went-back",
)  # fmt: skip


def _stepped(seconds: float) -> Problem:
    return problem(
        "clock_stepped", Severity.WARNING,
        f"The clock of Redis has stepped by {seconds:+,.0f} seconds",
        "No wait and no deadline ends early or late by it, and everybody keeps their place. Until "
        "it is made up for, 3 seconds a minute, the times that game servers are told are off.",
        "clock-stepped",
    )  # fmt: skip
