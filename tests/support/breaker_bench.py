"""A circuit breaker on a bench: with a clock to turn, and a list of what it told."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from matchkeeper.errors import CircuitOpenError, StoreUnavailableError
from matchkeeper.resilience.breaker import BreakerState, Change, CircuitBreaker, Permit

CLOSED, OPEN = BreakerState.CLOSED, BreakerState.OPEN
HALF_OPEN, FORCED = BreakerState.HALF_OPEN, BreakerState.FORCED_OPEN


@dataclass
class Bench:
    """A breaker, its clock in seconds, and what it told."""

    settings: dict[str, Any] = field(default_factory=dict)
    now: float = 1000.0
    changes: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.breaker = CircuitBreaker(
            **{"failures": 3, "jitter": 0.0, **self.settings},
            clock=lambda: self.now,
            rng=random.Random(5),
            on_change=self.changes.append,
        )

    def fail(self, times: int = 1) -> None:
        for _ in range(times):
            self.breaker.acquire().failure()

    def refused(self) -> CircuitOpenError:
        with pytest.raises(CircuitOpenError) as caught:
            self.breaker.acquire()
        return caught.value


def opened(**settings: Any) -> Bench:
    bench = Bench(settings)
    bench.fail(3)
    assert bench.breaker.state is OPEN
    return bench


def probing(**settings: Any) -> tuple[Bench, Permit]:
    bench = opened(**settings)
    bench.now += 60
    return bench, bench.breaker.acquire()


def is_outage(error: Exception) -> bool:
    return isinstance(error, StoreUnavailableError)
