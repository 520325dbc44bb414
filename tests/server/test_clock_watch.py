"""What a server makes of its looks at the clock of Redis: steps, and data that went back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis

from matchkeeper.server.clock_watch import ClockWatch, step_between
from matchkeeper.store import keys
from matchkeeper.store.clock import Look, RedisClock
from tests.conftest import RealServer, wait_until
from tests.support.harness import serving
from tests.support.runtimes import runtime

HOUR = 3600.0


def _look(*, clock: float, steady: float, doubt: float = 0.0) -> Look:
    return Look(
        clock=clock, steady=steady, doubt=doubt, astray=True, offset=0, steps=0, step=0, looks=1
    )


@pytest.mark.parametrize(
    ("clock", "steady", "doubt", "step"),
    [
        (1001.0, 1.0, 0.0, 0.0),
        (4601.0, 1.0, 0.0, HOUR),
        (-2599.0, 1.0, 0.0, -HOUR),
        (1600.0, 600.0, 0.0, 0.0),  # this server stood still
        (1001.4, 1.0, 0.0, 0.0),
        (1003.0, 1.0, 3.0, 0.0),  # the answer came late: nobody knows when it was made
        (1008.0, 1.0, 3.0, 7.0),
    ],
)
def test_a_step_is_what_the_steady_clock_does_not_know_of(
    clock: float, steady: float, doubt: float, step: float
) -> None:
    earlier = _look(clock=1000.0, steady=0.0)
    assert step_between(earlier, _look(clock=clock, steady=steady, doubt=doubt)) == step


class _Given(RedisClock):
    """Looks that a test gives."""

    def __init__(self, *looks: Look) -> None:
        self.looks = list(looks)
        self.bridged: list[float] = []

    async def look(self) -> Look:
        return self.looks.pop(0)

    async def bridge(self, step_seconds: float, look: Look) -> Look:
        self.bridged.append(step_seconds)
        return replace(look, astray=False, offset=-step_seconds, steps=look.steps + 1)


def _watch(*looks: Look) -> tuple[ClockWatch, _Given]:
    given = _Given(*looks)
    watch = ClockWatch(given, runtime(clock=lambda: 0.0))
    return watch, given


async def test_who_has_not_looked_since_the_last_step_bridges_nothing() -> None:
    well, astray = _look(clock=1000, steady=0), _look(clock=4602, steady=2)
    well = replace(well, astray=False)
    watch, given = _watch(astray, well, replace(astray, steps=1, looks=2), replace(astray, looks=3))
    for _ in range(3):
        await watch.look()
    assert given.bridged == []
    await watch.look()
    assert given.bridged == []


async def test_a_data_set_that_went_back_is_told(valkey: RealServer, tmp_path: Path) -> None:
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        async with Redis.from_url(valkey.url) as redis:
            await wait_until(lambda: _looked(redis, 3), what="some looks")
            await redis.flushall()
        await server.logged('"kind": "state_went_back"')
        assert await server.metric("matchkeeper_state_went_back_total") == 1
        warnings = (await server.get("/health/ready")).json()["warnings"]
        assert "The data in Redis went back within the last 10 minutes." in warnings


async def _looked(redis: Redis, times: int) -> bool:
    return int(await redis.hget(keys.clock(), "looks") or 0) >= times
