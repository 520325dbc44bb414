"""Loops that fail and run again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import MagicMock

import pytest

from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.domain.realm import QueueName
from matchkeeper.errors import StoreRefusedError, StoreUnavailableError
from matchkeeper.handoff.pods import PodRecords
from matchkeeper.handoff.reaper import Reaper
from matchkeeper.observe import supervision
from matchkeeper.queue.stream_intake import StreamIntake
from matchkeeper.resilience.waiting import MODES_AT_ONCE
from matchkeeper.server.watch import Watch
from matchkeeper.store.pending import Overdue
from matchkeeper.store.stream import Part
from tests.conftest import wait_until
from tests.support.runtimes import runtime

MANY = [GameMode(name=f"Mode{number}", handoff=Handoff.CLAIM) for number in range(30)]


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

    monkeypatch.setattr(supervision, "pause", pause)
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

    await supervision.supervised("loop", loop, runtime(stop=stop, rng=Even()))


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

    async def mend(self) -> None:
        pass

    async def take_over(self, *, idle: timedelta, after: str, count: int) -> Part:
        self.took_over += 1
        return Part(entries=[], after="")

    async def read(self, *, count: int, block: timedelta) -> list[Any]:
        raise StoreUnavailableError("away")


async def test_requests_of_dead_servers_are_looked_for_although_reads_fail() -> None:
    stream: Any = Failing()
    nothing: Any = None
    settings, stop = MatchmakingSettings(), asyncio.Event()
    intake = StreamIntake(nothing, stream, settings, runtime(stop=stop))
    for _ in range(3):
        with pytest.raises(StoreUnavailableError):
            await intake.run()
    assert stream.took_over == 1, "at once, and then at its interval"


class Far:
    """A Redis far away, where all modes are busy: each look takes a round trip of its own."""

    def __init__(self) -> None:
        self.looked_at = 0
        self.at_once = 0
        self.most_at_once = 0

    async def present(self) -> set[QueueName]:
        return {mode.queue for mode in MANY}

    async def overdue(self, queue: QueueName, **_: int) -> Overdue:
        await self._round_trip()
        return Overdue(pending=0, match_ids=(), claimers=())

    async def length_and_oldest(self, queue: QueueName) -> tuple[int, float | None]:
        await self._round_trip()
        return 0, None

    async def look(self, queue: QueueName) -> tuple[int, tuple[float, ...]]:
        return 0, ()

    async def pods(self) -> dict[str, float]:
        return {}

    async def subscribers(self, channel: str) -> int:
        return 0

    async def _round_trip(self) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        self.looked_at += 1
        if self.looked_at == len(MANY) // 2:
            raise StoreRefusedError("of this mode alone")


def _watch(far: Any, stop: asyncio.Event) -> Watch:
    pods = PodRecords(MatchmakingSettings(), clock=lambda: 0.0)
    nothing: Any = MagicMock()
    return Watch(
        MANY, runtime(stop=stop), channel="", tickets=far, dead_letters=far, coordination=far,
        pods=pods, game_servers=nothing,
    )  # fmt: skip


def _reaper(far: Any, stop: asyncio.Event) -> Reaper:
    nothing: Any = MagicMock()
    return Reaper(
        MANY, runtime(stop=stop), matches=far, notices=nothing, pods=nothing, requests=nothing,
        claimers=nothing,
        settings=nothing, traces=nothing, wake=nothing,
    )  # fmt: skip


@pytest.mark.parametrize("loop_of", [_watch, _reaper])
async def test_busy_modes_are_looked_at_several_at_once(
    loop_of: Callable[[Any, asyncio.Event], Watch | Reaper],
) -> None:
    far, stop = Far(), asyncio.Event()

    async def all_seen() -> bool:
        return far.looked_at >= len(MANY)

    running = asyncio.ensure_future(loop_of(far, stop).run())
    await wait_until(all_seen)
    stop.set()
    await running
    assert far.most_at_once == MODES_AT_ONCE
