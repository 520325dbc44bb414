"""Loops that fail and run again."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest

from matchkeeper.errors import StoreUnavailableError
from matchkeeper.loops import waiting
from matchkeeper.loops.intake import StreamIntake
from matchkeeper.observe.events import Throttle
from matchkeeper.store.stream import Part


class Even(random.Random):
    """Chance that is always in the middle."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long a loop would have waited before it runs again."""
    found: list[float] = []

    async def pause(stop: asyncio.Event, seconds: float) -> bool:
        found.append(seconds)
        return stop.is_set()

    monkeypatch.setattr(waiting, "pause", pause)
    return found


async def _run(
    pauses: list[float],
    monkeypatch: pytest.MonkeyPatch,
    *,
    works_seconds: float,
    times: int,
    error: type[Exception] = StoreUnavailableError,
) -> None:
    stop, now = asyncio.Event(), 0.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)

    async def loop() -> None:
        nonlocal now
        now += works_seconds
        if len(pauses) == times - 1:
            stop.set()
        raise error("away")

    throttle = Throttle(interval=timedelta(seconds=10), clock=lambda: now)
    await waiting.supervised("loop", loop, stop=stop, rng=Even(), throttle=throttle)


async def test_what_fails_at_once_is_tried_less_and_less(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    await _run(pauses, monkeypatch, works_seconds=0, times=7, error=ValueError)
    assert pauses == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5, 5])


async def test_the_end_of_an_outage_is_not_slept_over(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    await _run(pauses, monkeypatch, works_seconds=0, times=4)
    assert pauses == pytest.approx([0.2, 0.4, 0.5, 0.5])


async def test_what_works_for_a_while_is_tried_again_soon(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Redis that crashes every second must not find the server asleep each time it is there."""
    await _run(pauses, monkeypatch, works_seconds=0.25, times=4)
    assert pauses == pytest.approx([0.2, 0.2, 0.2, 0.2])


class Failing:
    """A stream whose reads fail: a Redis that is there, and gone before anything can be read."""

    def __init__(self) -> None:
        self.took_over = 0

    async def prepare(self) -> None:
        return None

    async def reread(self, *, after: str, count: int) -> Part:
        return Part(entries=[], after="")

    async def take_over(self, *, idle: timedelta, after: str, count: int) -> Part:
        self.took_over += 1
        return Part(entries=[], after="")

    async def read(self, *, count: int, block: timedelta) -> list[Any]:
        raise StoreUnavailableError("away")


async def test_requests_of_dead_servers_are_looked_for_although_reads_fail() -> None:
    stream: Any = Failing()
    nothing: Any = None
    intake = StreamIntake(
        nothing, stream, batch=1, take_over_after=timedelta(seconds=1), stop=asyncio.Event()
    )
    for _ in range(3):
        with pytest.raises(StoreUnavailableError):
            await intake.run()
    assert stream.took_over == 1, "at once, and then at its interval"
