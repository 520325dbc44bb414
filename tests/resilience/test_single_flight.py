"""One at a time, and a second try is turned away."""

from __future__ import annotations

import asyncio

import pytest

from matchkeeper.resilience.single_flight import SingleFlight


def test_a_second_try_is_turned_away_and_counted() -> None:
    flight = SingleFlight()
    assert flight.try_start()
    assert not flight.try_start()
    assert not flight.try_start()
    assert flight.running
    assert flight.skipped == 2
    flight.finish()
    assert not flight.running
    assert flight.try_start()
    assert flight.skipped == 2


def test_finish_without_start_is_a_mistake() -> None:
    flight = SingleFlight()
    with pytest.raises(RuntimeError, match="try_start"):
        flight.finish()


def test_who_was_turned_away_does_not_end_the_holders_turn() -> None:
    flight = SingleFlight()
    with flight.hold() as first:
        with flight.hold() as second:
            assert (first, second) == (True, False)
        assert flight.running
        assert not flight.try_start()
    assert not flight.running


def test_an_error_inside_gives_it_back() -> None:
    flight = SingleFlight()
    with pytest.raises(ValueError, match="inside"), flight.hold():
        raise ValueError("inside")
    assert flight.try_start()


async def test_cancellation_inside_gives_it_back() -> None:
    flight = SingleFlight()
    entered = asyncio.Event()

    async def holder() -> None:
        with flight.hold():
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(holder())
    await entered.wait()
    assert flight.running
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not flight.running


async def test_of_many_tasks_one_runs_at_a_time() -> None:
    flight = SingleFlight()
    inside = 0
    most = 0
    turns = 0

    async def worker() -> None:
        nonlocal inside, most, turns
        with flight.hold() as mine:
            if not mine:
                return
            inside += 1
            most = max(most, inside)
            turns += 1
            await asyncio.sleep(0)
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(worker())
    assert most == 1
    assert turns + flight.skipped == 20
    assert turns >= 1
