"""An event loop whose time passes only when nothing is left to do, and in the same order always."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from itertools import count
from typing import Any


class DeadlockError(Exception):
    """Nothing runs, and nothing will ever be due."""


class _Selector(selectors.SelectSelector):
    """Never waits: hands the time it should have waited to the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.pass_time: Callable[[float], None] = lambda _seconds: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise DeadlockError("no task is ready and no timer is set")
        if timeout > 0:
            self.pass_time(timeout)
        return []


class SimTask(asyncio.Task[Any]):
    """A task whose place in a set does not depend on where it lies in memory."""

    _numbers = count()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._number = next(self._numbers)
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class SimLoop(asyncio.SelectorEventLoop):
    """`on_time` is called with the new time whenever time has passed."""

    def __init__(self, on_time: Callable[[float], None] = lambda _now: None) -> None:
        selector = _Selector()
        self._now = 0.0
        super().__init__(selector)
        selector.pass_time = self._pass
        self.on_time = on_time
        self.set_task_factory(_task)

    def time(self) -> float:
        """Seconds since the start."""
        return self._now

    def _pass(self, seconds: float) -> None:
        # Rounded, so that sums of small waits come out the same however they were cut.
        self._now = round(self._now + max(seconds, 1e-6), 6)
        self.on_time(self._now)


def _task(loop: asyncio.AbstractEventLoop, coroutine: Any, /, **kwargs: Any) -> asyncio.Task[Any]:
    return SimTask(coroutine, loop=loop, **kwargs)
