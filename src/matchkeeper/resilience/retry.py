"""The one place where a failed call is made again.

The loop is our own. stamina sleeps without a way to wake it, adds jitter instead of using it in
full, and draws it from the global random source. tenacity takes a sleep that can be woken, but then
makes another attempt before it looks at its stop condition: at shutdown one more full deadline.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from ..errors import CircuitOpenError

T = TypeVar("T")
Sleep = Callable[[float, asyncio.Event], Awaitable[None]]
"""Returns after so many seconds, or as soon as the event is set."""

_MOST_DOUBLINGS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how fast a call is repeated. Raises ValueError for impossible values."""

    max_attempts: int = 3
    """All attempts, the first included."""
    base_delay: timedelta = timedelta(milliseconds=100)
    max_delay: timedelta = timedelta(seconds=2)

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise ValueError("A retry policy needs at least 1 attempt.")
        if not timedelta(0) <= self.base_delay <= self.max_delay:
            raise ValueError("A retry policy needs 0 <= base_delay <= max_delay.")

    def longest_delay_seconds(self, attempt: int) -> float:
        """The upper bound of the wait after the failed `attempt` (1 is the first)."""
        doublings = min(attempt - 1, _MOST_DOUBLINGS)
        return min(self.max_delay.total_seconds(), self.base_delay.total_seconds() * 2.0**doublings)


class RetryBudget:
    """Keeps an outage from multiplying the load: over many calls, retries are at most `ratio` of
    the calls plus `floor_per_second`, with bursts of up to `burst` retries.

    Shared by all calls to one server. `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        *,
        ratio: float = 0.2,
        floor_per_second: float = 1.0,
        burst: float = 100.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if ratio < 0 or floor_per_second < 0 or burst < 1:
            raise ValueError("A retry budget needs ratio, floor_per_second >= 0 and burst >= 1.")
        self._ratio = ratio
        self._floor_per_second = floor_per_second
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._filled_at = clock()

    def deposit(self) -> None:
        """A call is made."""
        self._tokens = min(self._burst, self._tokens + self._ratio)

    def withdraw(self) -> bool:
        """Whether one retry may be made; if so, the budget pays for it."""
        now = self._clock()
        earned = (now - self._filled_at) * self._floor_per_second
        self._tokens = min(self._burst, self._tokens + earned)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


async def sleep_unless_stopped(seconds: float, stop: asyncio.Event) -> None:
    """Sleeps; returns early when `stop` is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def retrying(
    policy: RetryPolicy,
    operation: str,
    call: Callable[[int], Awaitable[T]],
    *,
    retry_on: Callable[[BaseException], bool],
    stop: asyncio.Event,
    rng: random.Random,
    budget: RetryBudget | None = None,
    sleep: Sleep = sleep_unless_stopped,
    on_retry: Callable[[int, Exception], None] | None = None,
) -> T:
    """Returns what `call(attempt)` returns (attempt 1 is the first). Calls again after errors for
    which `retry_on` is true, with exponential delays and full jitter.

    Raises the last error when attempts or budget are used up or `stop` is set. `stop` also ends a
    wait at once. `on_retry(attempt, error)` is told of each failed attempt just before the next.
    CancelledError and CircuitOpenError are never retried. Without `budget` only attempts count.
    When an attempt was sent and the breaker refuses the next, the attempt's own error is raised:
    "nothing was sent" would be untrue. An error of a later attempt carries a note that says which
    attempt of `operation` it was.
    """
    if budget is not None:
        budget.deposit()
    attempt = 1
    sent: Exception | None = None
    while True:
        try:
            return await call(attempt)
        except CircuitOpenError:
            if sent is not None:
                raise sent from None
            raise
        except Exception as error:
            if attempt > 1:
                error.add_note(f"Attempt {attempt} of {operation}.")
            over = attempt >= policy.max_attempts or stop.is_set() or not retry_on(error)
            if over or not (budget is None or budget.withdraw()):
                raise
            await sleep(rng.uniform(0, policy.longest_delay_seconds(attempt)), stop)
            if stop.is_set():
                raise
            if on_retry is not None:
                on_retry(attempt, error)
            sent = error
            attempt += 1
