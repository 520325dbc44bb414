"""Waiting for one of two things, working ahead, and running a loop again when it failed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, Self, TypeVar

from matchkeeper.errors import CircuitOpenError, StoreError
from matchkeeper.observe.events import Event, emit

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_CIRCUIT_PAUSE_SECONDS = 1.0


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
    """One piece of work at a time that runs behind its caller, who makes the next one ready
    meanwhile. A context manager: no piece outlives it.
    """

    def __init__(self) -> None:
        self._under_way: asyncio.Future[T] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.gather(self._under_way, return_exceptions=True)

    async def start(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Starts a piece once the one before is done; returns what came of that one, None when
        there was none. Raises what that one raised, and starts nothing then.
        """
        try:
            before = await self.done()
        except BaseException:
            work.close()
            raise
        self._under_way = asyncio.ensure_future(work)
        await asyncio.sleep(0)  # it comes first, so that Redis works while the next is made ready
        return before

    async def done(self) -> T | None:
        """What came of the piece under way; None when there is none. Raises what it raised."""
        under_way, self._under_way = self._under_way, None
        return None if under_way is None else await under_way


async def supervised(
    name: str,
    loop: Callable[[], Awaitable[None]],
    *,
    stop: asyncio.Event,
    rng: random.Random,
) -> None:
    """Runs a loop until it returns, again after a pause whenever it fails."""
    pause_seconds = _FIRST_PAUSE_SECONDS
    while True:
        begun = asyncio.get_running_loop().time()
        long_seconds = _FIRST_PAUSE_SECONDS
        try:
            await loop()
        except CircuitOpenError:
            # Told when it opened; looked at often, so that the end of the outage is not slept over.
            pause_seconds = _CIRCUIT_PAUSE_SECONDS / 2
        except StoreError as error:
            emit(Event.LOOP_INTERRUPTED, loop=name, error=error.message)
        except Exception as error:  # noqa: BLE001  # the last line of defence: told, then run again
            emit(Event.LOOP_FAILED, loop=name, error=repr(error), exc_info=error)
            long_seconds = 10 * _LONGEST_PAUSE_SECONDS  # a defect comes again
        else:
            return
        if asyncio.get_running_loop().time() - begun > long_seconds:
            # It worked for a while. A Redis that fails again and again must not be slept through.
            pause_seconds = _FIRST_PAUSE_SECONDS
        # Jitter, so that several servers do not come back in one moment.
        if await pause(stop, pause_seconds * rng.uniform(0.5, 1.5)):
            return
        pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
