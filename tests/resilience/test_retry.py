"""Retries: how often, how fast, at whose cost, and when not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchkeeper.errors import CircuitOpenError, StoreTimeoutError, StoreUnavailableError
from matchkeeper.resilience.retry import (
    RetryBudget,
    RetryPolicy,
    retrying,
    sleep_unless_stopped,
)

POLICY = RetryPolicy(
    max_attempts=4, base_delay=timedelta(seconds=1), max_delay=timedelta(seconds=3)
)


class Call:
    """Fails with each of `errors` in turn, then answers "done"."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.attempts: list[int] = []
        self.made = asyncio.Event()

    async def __call__(self, attempt: int) -> str:
        self.attempts.append(attempt)
        self.made.set()
        if self.errors:
            raise self.errors.pop(0)
        return "done"


class Naps:
    """A sleep that takes no time and remembers."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.seconds: list[float] = []
        self.then = then

    async def __call__(self, seconds: float, stop: asyncio.Event) -> None:
        assert not stop.is_set()
        self.seconds.append(seconds)
        self.then()


def seeded(seed: int) -> random.Random:
    return random.Random(seed)


def network(text: str = "reset") -> StoreUnavailableError:
    return StoreUnavailableError(text)


def is_network(error: BaseException) -> bool:
    return isinstance(error, StoreUnavailableError)


async def run(
    call: Call,
    *,
    policy: RetryPolicy = POLICY,
    naps: Naps | None = None,
    stop: asyncio.Event | None = None,
    budget: RetryBudget | None = None,
    on_retry: Callable[[int, Exception], None] | None = None,
    retry_on: Callable[[BaseException], bool] = is_network,
) -> str:
    return await retrying(
        policy,
        "commit",
        call,
        retry_on=retry_on,
        stop=stop or asyncio.Event(),
        rng=seeded(7),
        budget=budget,
        sleep=naps or Naps(),
        on_retry=on_retry,
    )


async def test_a_call_that_works_is_made_once() -> None:
    call, naps = Call(), Naps()
    assert await run(call, naps=naps) == "done"
    assert call.attempts == [1]
    assert naps.seconds == []


async def test_failures_are_repeated_and_told() -> None:
    first, second = network("one"), network("two")
    call = Call(first, second)
    told: list[tuple[int, Exception]] = []
    assert await run(call, on_retry=lambda n, error: told.append((n, error))) == "done"
    assert call.attempts == [1, 2, 3]
    assert told == [(1, first), (2, second)]


async def test_the_last_error_is_raised_when_attempts_are_used_up() -> None:
    errors = [network(str(n)) for n in range(9)]
    call = Call(*errors)
    with pytest.raises(StoreUnavailableError) as caught:
        await run(call)
    assert caught.value is errors[3]
    assert call.attempts == [1, 2, 3, 4]
    assert caught.value.__notes__ == ["Attempt 4 of commit."]


async def test_a_policy_of_one_attempt_never_repeats() -> None:
    call = Call(network())
    with pytest.raises(StoreUnavailableError):
        await run(call, policy=RetryPolicy(max_attempts=1))
    assert call.attempts == [1]


async def test_other_errors_are_not_repeated() -> None:
    call = Call(network(), ValueError("wrong"))
    with pytest.raises(ValueError, match="wrong"):
        await run(call)
    assert call.attempts == [1, 2]


@pytest.mark.parametrize("error", [CircuitOpenError("open"), asyncio.CancelledError()])
async def test_never_repeated_whatever_retry_on_says(error: BaseException) -> None:
    call, naps = Call(error), Naps()
    with pytest.raises(type(error)):
        await run(call, naps=naps, retry_on=lambda _: True)
    assert call.attempts == [1]
    assert naps.seconds == []


async def test_an_attempt_that_was_sent_is_not_reported_as_nothing_sent() -> None:
    sent = StoreTimeoutError("commit timeout after 10s")
    call = Call(sent, CircuitOpenError("open"))
    with pytest.raises(StoreTimeoutError) as caught:
        await run(call, retry_on=lambda _: True)
    assert caught.value is sent
    assert call.attempts == [1, 2]


async def test_delays_double_up_to_the_maximum_with_full_jitter() -> None:
    bounds = [1.0, 2.0, 3.0]
    columns: list[list[float]] = [[], [], []]
    rng = seeded(3)
    for _ in range(300):
        naps = Naps()
        with pytest.raises(StoreUnavailableError):
            await retrying(
                POLICY,
                "read",
                Call(*[network() for _ in range(4)]),
                retry_on=is_network,
                stop=asyncio.Event(),
                rng=rng,
                sleep=naps,
            )
        for column, seconds in zip(columns, naps.seconds, strict=True):
            column.append(seconds)
    for column, bound in zip(columns, bounds, strict=True):
        assert 0 <= min(column) < bound * 0.05
        assert bound * 0.95 < max(column) <= bound


@given(attempt=st.integers(min_value=1, max_value=10**6))
def test_a_delay_is_never_above_the_maximum(attempt: int) -> None:
    assert 1.0 <= POLICY.longest_delay_seconds(attempt) <= 3.0


async def test_a_stop_during_the_wait_raises_at_once_without_another_attempt() -> None:
    stop = asyncio.Event()
    error = network()
    call, naps = Call(error), Naps(then=stop.set)
    told: list[int] = []
    with pytest.raises(StoreUnavailableError) as caught:
        await run(call, naps=naps, stop=stop, on_retry=lambda n, _: told.append(n))
    assert caught.value is error
    assert call.attempts == [1]
    assert len(naps.seconds) == 1
    assert told == []


async def test_after_a_stop_a_call_is_made_once_and_not_waited_for() -> None:
    stop = asyncio.Event()
    stop.set()
    assert await run(Call(), stop=stop) == "done"
    call = Call(network())
    with pytest.raises(StoreUnavailableError):
        await run(call, stop=stop)
    assert call.attempts == [1]


async def test_the_real_sleep_is_woken_by_a_stop() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_soon(stop.set)
    async with asyncio.timeout(5):
        await sleep_unless_stopped(3600, stop)
    assert stop.is_set()


async def test_the_real_sleep_ends_by_itself() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with asyncio.timeout(5):
        await sleep_unless_stopped(0.02, stop)
    # The loop may fire a timer one tick of its clock early.
    assert loop.time() - begun >= 0.019


async def test_the_real_sleep_lets_outer_timeouts_and_cancellation_through() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await sleep_unless_stopped(3600, asyncio.Event())
    task = asyncio.create_task(sleep_unless_stopped(3600, asyncio.Event()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancellation_during_the_wait_ends_it() -> None:
    call = Call(network(), network())
    task = asyncio.create_task(
        retrying(
            RetryPolicy(base_delay=timedelta(hours=1), max_delay=timedelta(hours=1)),
            "read",
            call,
            retry_on=is_network,
            stop=asyncio.Event(),
            rng=seeded(1),
        )
    )
    async with asyncio.timeout(5):
        await call.made.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert call.attempts == [1]


def fixed_clock() -> float:
    return 0.0


async def test_an_outage_does_not_multiply_the_load() -> None:
    budget = RetryBudget(ratio=0.2, floor_per_second=0.0, burst=5.0, clock=fixed_clock)
    attempts = 0
    for _ in range(1000):
        call = Call(*[network() for _ in range(4)])
        with pytest.raises(StoreUnavailableError):
            await run(call, budget=budget)
        attempts += len(call.attempts)
    assert 1195 <= attempts <= 1205


async def test_without_a_budget_only_attempts_count() -> None:
    attempts = 0
    for _ in range(200):
        call = Call(*[network() for _ in range(4)])
        with pytest.raises(StoreUnavailableError):
            await run(call)
        attempts += len(call.attempts)
    assert attempts == 800


def test_a_quiet_server_keeps_its_floor() -> None:
    now = [0.0]
    budget = RetryBudget(ratio=0.0, floor_per_second=0.5, burst=2.0, clock=lambda: now[0])
    assert [budget.withdraw() for _ in range(3)] == [True, True, False]
    now[0] = 1.9
    assert not budget.withdraw()
    now[0] = 2.0
    assert budget.withdraw()
    now[0] = 1000.0
    assert [budget.withdraw() for _ in range(3)] == [True, True, False]


@given(
    steps=st.lists(
        st.one_of(st.just("call"), st.just("retry"), st.floats(min_value=0, max_value=5)),
        max_size=200,
    )
)
def test_retries_never_exceed_the_budget(steps: list[str | float]) -> None:
    now = [0.0]
    budget = RetryBudget(ratio=0.2, floor_per_second=0.5, burst=3.0, clock=lambda: now[0])
    calls = granted = 0
    for step in steps:
        if isinstance(step, float):
            now[0] += step
        elif step == "call":
            budget.deposit()
            calls += 1
        else:
            granted += budget.withdraw()
        assert granted <= 3.0 + 0.2 * calls + 0.5 * now[0] + 1e-6


@pytest.mark.parametrize(
    "make",
    [
        lambda: RetryPolicy(max_attempts=0),
        lambda: RetryPolicy(base_delay=timedelta(seconds=-1)),
        lambda: RetryPolicy(base_delay=timedelta(seconds=3), max_delay=timedelta(seconds=2)),
        lambda: RetryBudget(ratio=-0.1),
        lambda: RetryBudget(floor_per_second=-1.0),
        lambda: RetryBudget(burst=0.5),
    ],
)
def test_impossible_values_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="needs"):
        make()
