"""An event loop whose time passes only when nothing is left to do. Its order is always the same.

Each process has a pace: while it is held back, none of its steps run, neither timers nor what has
arrived for it; afterwards everything that piled up is done, in the order in which it was due.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import deque
from collections.abc import Callable
from contextvars import Context, ContextVar
from itertools import count
from typing import Any


class DeadlockError(Exception):
    """Nothing runs, and nothing will ever be due."""


class Pace:
    """How fast one process runs."""

    def __init__(self) -> None:
        self.step_seconds = 0.0
        """What each of its steps takes."""
        self.resumes_at = 0.0
        """Nothing of it runs before this time."""
        self.held: deque[asyncio.Handle] = deque()
        self.timer: asyncio.TimerHandle | None = None

    def context(self) -> Context:
        """What runs in it runs at this pace, and so does all that it starts."""
        context = Context()
        context.run(_PACE.set, self)
        return context


_PACE: ContextVar[Pace] = ContextVar("pace")


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


class _Ready(deque[asyncio.Handle]):
    """The steps that are due; those of a process that is held back are kept for later."""

    def __init__(self, may_run: Callable[[asyncio.Handle], bool]) -> None:
        super().__init__()
        self._may_run = may_run

    def popleft(self) -> asyncio.Handle:
        handle = super().popleft()
        return handle if self._may_run(handle) else _NOTHING


class _Nothing:
    """Stands in for a step that is not run now."""

    _cancelled = True


_NOTHING: Any = _Nothing()


class SimTask(asyncio.Task[Any]):
    """A task whose place in a set does not depend on where it lies in memory."""

    numbers = count()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._number = next(self.numbers)
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
        self._ready = _Ready(self._may_run)
        selector.pass_time = self._pass
        self.on_time = on_time
        self.set_task_factory(_task)

    def time(self) -> float:
        """Seconds since the start."""
        return self._now

    def hold_back(self, pace: Pace, seconds: float) -> None:
        """Freezes a process for `seconds`, from this very step on."""
        pace.resumes_at = max(pace.resumes_at, self._now + seconds)

    def let_go(self, pace: Pace) -> None:
        """It runs again at once, and at full speed."""
        pace.resumes_at = pace.step_seconds = 0.0
        self._release(pace)

    def _may_run(self, handle: asyncio.Handle) -> bool:
        pace = handle._context.get(_PACE)  # type: ignore[attr-defined]  # noqa: SLF001
        if pace is None or handle._cancelled:  # noqa: SLF001
            return True
        if self._now < pace.resumes_at:
            pace.held.append(handle)
            if pace.timer is None:
                pace.timer = self.call_at(pace.resumes_at, self._release, pace, context=Context())
            return False
        pace.resumes_at = self._now + pace.step_seconds
        return True

    def _release(self, pace: Pace) -> None:
        if pace.timer is not None:
            pace.timer.cancel()
            pace.timer = None
        held, pace.held = pace.held, deque()
        self._ready.extend(held)

    def _pass(self, seconds: float) -> None:
        # Rounded, so that sums of small waits come out the same however they were cut.
        self._now = round(self._now + max(seconds, 1e-6), 6)
        self.on_time(self._now)


def _task(loop: asyncio.AbstractEventLoop, coroutine: Any, /, **kwargs: Any) -> asyncio.Task[Any]:
    return SimTask(coroutine, loop=loop, **kwargs)
