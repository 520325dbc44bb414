"""A deadline of our own, told apart from everybody else's."""

from __future__ import annotations

import asyncio

import pytest

from matchkeeper.errors import StoreTimeoutError, StoreUnavailableError
from matchkeeper.resilience.deadline import within

LONG = 60.0


async def forever() -> None:
    await asyncio.Event().wait()


async def test_a_result_in_time_is_returned() -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        return 7

    assert await within(LONG, "read", answer()) == 7


@pytest.mark.parametrize(("seconds", "text"), [(0.01, "0.01s"), (0.0, "0s")])
async def test_our_deadline_names_operation_and_seconds(seconds: float, text: str) -> None:
    with pytest.raises(StoreTimeoutError) as caught:
        await within(seconds, "commit", forever())
    assert caught.value.message == f"commit timeout after {text}"
    assert caught.value.hint


async def test_whole_seconds_are_written_without_a_fraction() -> None:
    loop = asyncio.get_running_loop()

    real = loop.time

    async def while_ten_seconds_pass() -> None:
        loop.time = lambda: real() + 10  # type: ignore[method-assign]  # the clock jumps
        try:
            await forever()
        finally:
            loop.time = real  # type: ignore[method-assign]  # and jumps back

    with pytest.raises(StoreTimeoutError, match=r"^read timeout after 10s$"):
        await within(10.0, "read", while_ten_seconds_pass())


async def test_our_deadline_ends_the_awaitable() -> None:
    ended: list[bool] = []

    async def call() -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            ended.append(True)
            raise

    with pytest.raises(StoreTimeoutError):
        await within(0.0, "read", call())
    assert ended == [True]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_cancellation_from_outside_stays_cancellation() -> None:
    task = asyncio.create_task(within(LONG, "read", forever()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancellation_wins_over_a_deadline_in_the_same_moment() -> None:
    begun = asyncio.Event()

    async def call() -> None:
        begun.set()
        await forever()

    task = asyncio.create_task(within(0.0, "read", call()))
    asyncio.get_running_loop().call_soon(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_timeout_from_outside_stays_a_timeout_of_the_outside() -> None:
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.01):
            await within(LONG, "read", forever())
    assert not isinstance(caught.value, StoreTimeoutError)


async def test_of_two_deadlines_the_one_that_passed_is_named() -> None:
    with pytest.raises(StoreTimeoutError, match=r"^outer timeout after 0\.01s$"):
        await within(0.01, "outer", within(LONG, "inner", forever()))
    with pytest.raises(StoreTimeoutError, match=r"^inner timeout after 0\.01s$"):
        await within(LONG, "outer", within(0.01, "inner", forever()))


async def test_a_timeout_from_inside_tells_the_seconds_it_really_took() -> None:
    async def times_out() -> None:
        raise TimeoutError("the system gave up")

    with pytest.raises(StoreTimeoutError) as caught:
        await within(LONG, "connect", times_out())
    assert caught.value.message.startswith("connect timeout after ")
    assert "60" not in caught.value.message
    assert isinstance(caught.value.__cause__, TimeoutError)


async def test_other_errors_pass_unchanged() -> None:
    error = StoreUnavailableError("refused")

    async def fails() -> None:
        raise error

    with pytest.raises(StoreUnavailableError) as caught:
        await within(LONG, "connect", fails())
    assert caught.value is error


async def hides_cancellation() -> None:
    try:
        await forever()
    except asyncio.CancelledError:
        raise ConnectionError("connection lost") from None


async def test_our_deadline_is_seen_through_a_library_that_hides_it() -> None:
    with pytest.raises(StoreTimeoutError, match=r"^read timeout after 0\.01s$"):
        await within(0.01, "read", hides_cancellation())


async def test_cancellation_is_seen_through_a_library_that_hides_it() -> None:
    task = asyncio.create_task(within(LONG, "read", hides_cancellation()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_cancellation_before_the_call_does_not_colour_its_errors() -> None:
    """A task that cleans up after its own cancellation may still call, and sees real errors."""

    async def refused() -> None:
        raise ConnectionError("refused")

    async def cleans_up() -> str:
        try:
            await forever()
        except asyncio.CancelledError:
            with pytest.raises(ConnectionError, match="refused"):
                await within(LONG, "close", refused())
            return "cleaned"
        return "never"

    task = asyncio.create_task(cleans_up())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "cleaned"
