"""Waiting for one of two things, and working ahead."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")

MODES_AT_ONCE = 8
"""How many modes are handled at once: they use only a part of the connections to Redis."""


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
    """Work that runs in the background while its caller prepares the next piece. At most `at_once`
    pieces run; they begin and end in their order. A context manager: no piece outlives it.
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
        """Starts a piece as soon as there is room; returns the results of pieces that ended for it.
        If one of them raised, raises the same and starts nothing.
        """
        try:
            ended = await self._ended(but=self._at_once - 1)
        except BaseException:
            work.close()
            raise
        self._under_way.append(asyncio.ensure_future(work))
        await asyncio.sleep(0)  # it runs first: Redis works while the next piece is prepared
        return ended

    async def rest(self) -> list[T]:
        """The results of the pieces still under way. Raises what one of them raised."""
        return await self._ended(but=0)

    async def _ended(self, *, but: int) -> list[T]:
        ended: list[T] = []
        while len(self._under_way) > but:
            ended.append(await self._under_way[0])
            self._under_way.popleft()
        return ended
