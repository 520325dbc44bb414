"""Waiting for one of two things, working ahead, and running a loop again when it failed."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, Self, TypeVar

from matchkeeper.errors import CircuitOpenError, StoreError
from matchkeeper.observe.events import Event, Throttle, emit

T = TypeVar("T")

MODES_AT_ONCE = 8
"""Of those looked at one after the other, far from Redis: a part of its connections."""
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_IN_OUTAGE_SECONDS = 0.5
"""The end of an outage must not be slept over."""


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`, or None when `stop` is set first; `work` is cancelled then."""
    task = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for each in (task, stopped):
            each.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


async def pause(stop: asyncio.Event, seconds: float) -> bool:
    """Waits; True as soon as `stop` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True


class Behind(Generic[T]):
    """Work that runs behind its caller, who makes the next piece ready meanwhile: `at_once` pieces
    at most, begun and ended in their order. A context manager: no piece outlives it.
    """

    def __init__(self, *, at_once: int = 1) -> None:
        self._at_once = at_once
        self._under_way: deque[asyncio.Future[T]] = deque()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._under_way:
            each.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def start(self, work: Coroutine[Any, Any, T]) -> list[T]:
        """Starts a piece as soon as there is room; returns what came of those that ended for it.
        Raises what one of them raised, and starts nothing then.
        """
        try:
            ended = await self._ended(but=self._at_once - 1)
        except BaseException:
            work.close()
            raise
        self._under_way.append(asyncio.ensure_future(work))
        await asyncio.sleep(0)  # it comes first, so that Redis works while the next is made ready
        return ended

    async def rest(self) -> list[T]:
        """What came of the pieces still under way. Raises what one of them raised."""
        return await self._ended(but=0)

    async def _ended(self, *, but: int) -> list[T]:
        ended: list[T] = []
        while len(self._under_way) > but:
            ended.append(await self._under_way[0])
            self._under_way.popleft()
        return ended


async def supervised(
    name: str,
    loop: Callable[[], Awaitable[None]],
    *,
    stop: asyncio.Event,
    rng: random.Random,
    throttle: Throttle,
) -> None:
    """Runs a loop until it returns, again after a pause whenever it fails."""
    pause_seconds = _FIRST_PAUSE_SECONDS
    while True:
        begun = asyncio.get_running_loop().time()
        long_seconds, longest = _FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_IN_OUTAGE_SECONDS
        try:
            await loop()
        except CircuitOpenError:
            pass  # told when it opened
        except StoreError as error:
            throttle.emit(Event.LOOP_INTERRUPTED, key=name, loop=name, error=error.message)
        except Exception as error:  # noqa: BLE001  # the last line of defence: told, then run again
            emit(Event.LOOP_FAILED, loop=name, error=repr(error), exc_info=error)
            long_seconds = 10 * _LONGEST_PAUSE_SECONDS  # a defect comes again
            longest = _LONGEST_PAUSE_SECONDS
        else:
            return
        if asyncio.get_running_loop().time() - begun > long_seconds:
            # It worked for a while. A Redis that fails again and again must not be slept through.
            pause_seconds = _FIRST_PAUSE_SECONDS
        # Jitter, so that several servers do not come back in one moment.
        if await pause(stop, pause_seconds * rng.uniform(0.5, 1.5)):
            return
        pause_seconds = min(2 * pause_seconds, longest)
