"""An attempt under the circuit breaker: measured, counted, and given back when it is cancelled."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from matchkeeper.errors import CircuitOpenError, StoreRefusedError, StoreUnavailableError
from tests.support.breaker_bench import (
    CLOSED,
    HALF_OPEN,
    OPEN,
    Bench,
    is_outage,
    opened,
)


def test_an_attempt_measures_and_counts() -> None:
    bench = Bench({"slow_call": timedelta(seconds=2), "failures": 1})
    with bench.breaker.attempt(is_failure=is_outage):
        bench.now += 1.9
    assert bench.breaker.state is CLOSED
    with bench.breaker.attempt(is_failure=is_outage):
        bench.now += 2.0
    assert bench.breaker.state is OPEN
    entered = False
    with pytest.raises(CircuitOpenError), bench.breaker.attempt(is_failure=is_outage):
        entered = True
    assert not entered


def test_an_attempt_tells_outages_from_answers() -> None:
    bench = Bench()
    bench.fail(1)
    with (
        pytest.raises(StoreUnavailableError),
        bench.breaker.attempt(is_failure=is_outage),
    ):
        raise StoreUnavailableError("reset")
    assert bench.breaker.failures == 2
    with pytest.raises(StoreRefusedError), bench.breaker.attempt(is_failure=is_outage):
        raise StoreRefusedError("WRONGTYPE")
    assert bench.breaker.failures == 0


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(1)], ids=repr
)
def test_an_attempt_that_is_cancelled_gives_the_probe_back(error: BaseException) -> None:
    bench = opened()
    bench.now += 60
    with pytest.raises(type(error)), bench.breaker.attempt(is_failure=lambda _: True):
        raise error
    assert bench.breaker.state is HALF_OPEN
    bench.breaker.acquire().success(0.1)
    assert bench.breaker.state is CLOSED


def test_an_is_failure_that_fails_gives_the_probe_back() -> None:
    def broken(_: Exception) -> bool:
        raise LookupError("bug")

    bench = opened()
    bench.now += 60
    with pytest.raises(LookupError), bench.breaker.attempt(is_failure=broken):
        raise ValueError
    bench.breaker.acquire()


async def test_of_many_tasks_at_once_one_probes() -> None:
    bench = opened()
    bench.now += 60
    all_tried, go = asyncio.Event(), asyncio.Event()
    sent = refused = 0

    async def caller() -> None:
        nonlocal sent, refused
        try:
            with bench.breaker.attempt(is_failure=is_outage):
                sent += 1
                await go.wait()
        except CircuitOpenError:
            refused += 1
            if sent + refused == 50:
                all_tried.set()

    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(caller())
        async with asyncio.timeout(5):
            await all_tried.wait()
        assert (sent, refused) == (1, 49)
        go.set()
    assert bench.breaker.state is CLOSED
