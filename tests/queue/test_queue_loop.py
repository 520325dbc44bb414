"""When a tick is left out: only where a round really takes longer than a tick."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.realm import QueueName
from matchkeeper.domain.ticket import Ticket
from matchkeeper.observe.facts import Facts
from matchkeeper.observe.metrics import Metrics
from matchkeeper.queue.queues import Queues
from matchkeeper.queue.round import RoundResult
from matchkeeper.queue.rounds import Rounds
from matchkeeper.resilience.breaker import BreakerState
from tests.conftest import wait_until
from tests.support.runtimes import runtime
from tests.support.tickets import party

TICK_SECONDS = 0.01
SETTINGS = MatchmakingSettings(try_match_tick_interval_seconds=TICK_SECONDS)

NORMAL = QueueName.of("Normal")


class World:
    """A loop over rounds that end when they are let go; ticks are real, their time is not."""

    def __init__(self) -> None:
        self.now = 0.0
        self.looks = 0
        self.rounds = 0
        self.defects: list[Exception] = []
        self.go = asyncio.Event()
        self.metrics = Metrics()
        self.stop = asyncio.Event()
        world: Any = self
        round_: Any = SimpleNamespace(mode=GameMode(name="Normal"), run=self._run, view=world)
        queues: dict[QueueName, Rounds] = {}
        facts = Facts(self.metrics.hears())
        given = runtime(facts, clock=lambda: self.now, stop=self.stop)
        self.queues = Queues(
            queues,
            world,
            SETTINGS,
            given,
        )
        queues[NORMAL] = Rounds(
            round_,
            SETTINGS,
            given,
            breaker=world,
            game_servers=world,
            fleet=world,
            when_due=self.queues.begin,
        )
        self.loop = queues[NORMAL]

    @property
    def state(self) -> BreakerState:
        """Of the breaker, which every tick looks at."""
        self.looks += 1
        return BreakerState.CLOSED

    def matches(self, queue: QueueName) -> bool:
        """Of the fleet."""
        return queue == NORMAL

    knows_somebody = True
    """Of the view."""

    async def somebody_waits(self) -> bool:
        """Of the view."""
        return True

    async def present(self) -> set[QueueName]:
        """Of the tickets."""
        return {NORMAL}

    async def _run(self) -> RoundResult:
        self.rounds += 1
        if self.defects:
            raise self.defects.pop()
        await self.go.wait()
        return RoundResult()

    def skipped(self) -> float:
        labels = {"mode": "Normal", "why": "running"}
        found = self.metrics.registry.get_sample_value("matchkeeper_skipped_ticks_total", labels)
        return found or 0.0

    async def ticks(self, count: int) -> None:
        until = self.looks + count
        await wait_until(lambda: _soon(self.looks >= until))


async def _soon(holds: bool) -> bool:
    return holds


async def test_a_round_that_merely_runs_at_a_tick_is_not_told_as_slow() -> None:
    world = World()
    async with asyncio.TaskGroup() as group:
        group.create_task(world.queues.ticks())
        group.create_task(world.queues.run())
        await wait_until(lambda: _soon(world.rounds == 1))
        world.now += 0.9 * TICK_SECONDS
        await world.ticks(3)
        assert world.skipped() == 0
        world.now += 0.2 * TICK_SECONDS
        await wait_until(lambda: _soon(world.skipped() > 0))
        told = world.skipped()
        world.go.set()
        # What the ticks left to do is done by one more round.
        await wait_until(lambda: _soon(world.rounds >= 2))
        await world.ticks(3)
        assert world.skipped() <= told + 1
        world.stop.set()


async def test_what_is_due_before_the_start_or_ended_by_a_defect_is_done() -> None:
    world = World()
    world.go.set()
    world.defects.append(ValueError("of one strategy"))
    world.loop.try_now()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(world.queues.run())
        await wait_until(lambda: _soon(world.rounds == 2))
        world.loop.try_now()
        world.loop.try_now()
        await wait_until(lambda: _soon(world.rounds == 3))
        world.stop.set()
        await running
        world.loop.try_now()
    assert world.rounds == 3, "none begins once the server stops"


async def test_arrivals_start_a_round_if_their_players_may_fill_a_match() -> None:
    world, came = World(), list[Ticket]()
    enough = False
    view: Any = world
    view.arrived = came.extend
    view.may_fill_a_match = lambda _: enough
    view.missing = False
    world.loop.arrived(1, [party("x", 2)])
    assert not world.loop.due
    enough = True
    world.loop.arrived(1, [party("y", 2)])
    assert world.loop.due, "a queue of one ticket may hold a match"
    assert [each.ticket_id for each in came] == ["x", "y"]
