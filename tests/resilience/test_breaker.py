"""The circuit breaker, rule by rule, driven by a clock of our own."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from matchkeeper.resilience.breaker import Change, CircuitBreaker, Permit
from tests.support.breaker_bench import (
    CLOSED,
    FORCED,
    HALF_OPEN,
    OPEN,
    Bench,
    is_outage,
    opened,
    probing,
)


def test_failures_in_a_row_open_it() -> None:
    bench = Bench()
    bench.fail(2)
    assert bench.breaker.state is CLOSED
    bench.fail()
    assert bench.breaker.state is OPEN
    assert bench.changes == [Change(old=CLOSED, new=OPEN, failures=3, cooldown_seconds=60.0)]


def test_the_defaults_are_five_failures_and_sixty_seconds() -> None:
    changes: list[Change] = []
    breaker = CircuitBreaker(
        clock=lambda: 0.0,
        rng=random.Random(1),
        on_change=changes.append,
    )
    for _ in range(4):
        breaker.acquire().failure()
    assert changes == []
    breaker.acquire().failure()
    assert [(c.failures, c.cooldown_seconds) for c in changes] == [(5, 60.0)]


def test_a_success_between_starts_the_count_anew() -> None:
    bench = Bench()
    for _ in range(10):
        bench.fail(2)
        bench.breaker.acquire().success(0.1)
    assert bench.breaker.state is CLOSED
    assert bench.breaker.failures == 0


def test_cancellation_neither_counts_nor_forgives() -> None:
    bench = Bench()
    bench.fail(2)
    for _ in range(10):
        bench.breaker.acquire().cancelled()
    assert bench.breaker.state is CLOSED
    bench.fail()
    assert bench.breaker.state is OPEN


def test_while_open_calls_are_refused_with_the_seconds_left() -> None:
    bench = opened()
    bench.now += 18.5
    assert "42 s" in bench.refused().hint
    assert bench.breaker.seconds_until_probe() == 41.5
    bench.now += 41.4
    bench.refused()
    assert bench.breaker.state is OPEN


def test_after_the_cooldown_exactly_one_probe_goes_through() -> None:
    bench = opened()
    bench.now += 60
    assert bench.breaker.seconds_until_probe() == 0
    # Whoever only looks must see that it is worth trying, else nobody would.
    assert bench.breaker.state is HALF_OPEN
    bench.breaker.acquire()
    for _ in range(5):
        assert "30 s" in bench.refused().hint
    assert bench.changes[-1] == Change(old=OPEN, new=HALF_OPEN, failures=3, cooldown_seconds=0.0)


def test_a_probe_that_succeeds_closes_it() -> None:
    bench, probe = probing()
    probe.success(0.1)
    assert bench.breaker.state is CLOSED
    assert bench.changes[-1] == Change(old=HALF_OPEN, new=CLOSED, failures=3, cooldown_seconds=0.0)
    assert bench.breaker.seconds_until_probe() == 0
    bench.fail(2)
    assert bench.breaker.state is CLOSED


def test_each_failed_probe_makes_the_cooldown_longer_up_to_the_maximum() -> None:
    bench = opened()
    for expected in (90.0, 120.0, 120.0):
        bench.now += bench.breaker.seconds_until_probe()
        bench.fail()
        assert bench.changes[-1].new is OPEN
        assert bench.changes[-1].cooldown_seconds == expected
        assert bench.breaker.seconds_until_probe() == expected
    bench.now += 120
    bench.breaker.acquire().success(0.1)
    assert bench.changes[-1].failures == 6  # three opened it, three probes failed
    bench.fail(3)
    assert bench.changes[-1].cooldown_seconds == 60.0


def test_jitter_only_ever_adds_to_the_cooldown() -> None:
    bench = Bench({"jitter": 0.5, "failures": 1})
    waits = []
    for _ in range(200):
        bench.fail()
        assert bench.changes[-1].cooldown_seconds == 60.0
        waits.append(bench.breaker.seconds_until_probe())
        bench.now += waits[-1]
        bench.breaker.acquire().success(0.1)
    assert 60 <= min(waits) < 62
    assert 88 < max(waits) <= 90


def test_a_cancelled_probe_makes_room_for_the_next() -> None:
    bench, probe = probing()
    bench.refused()
    probe.cancelled()
    assert bench.breaker.state is HALF_OPEN
    assert bench.breaker.seconds_until_probe() == 0
    second = bench.breaker.acquire()
    bench.refused()
    second.success(0.1)
    assert bench.breaker.state is CLOSED
    assert [change.new for change in bench.changes] == [OPEN, HALF_OPEN, CLOSED]


def test_a_probe_that_never_ends_loses_its_lease_and_its_say() -> None:
    bench, lost = probing(probe_lease=timedelta(seconds=20))
    bench.now += 19.9
    bench.refused()
    bench.now += 0.1
    second = bench.breaker.acquire()
    bench.refused()
    lost.success(20.5)
    assert bench.breaker.state is HALF_OPEN
    lost.failure()
    assert bench.breaker.state is HALF_OPEN
    second.success(0.1)
    assert bench.breaker.state is CLOSED


def test_a_late_probe_that_nobody_replaced_still_has_its_say() -> None:
    bench, probe = probing(probe_lease=timedelta(seconds=20))
    bench.now += 500
    probe.success(500)
    assert bench.breaker.state is CLOSED


def test_a_lost_probe_that_is_cancelled_does_not_let_a_third_in() -> None:
    bench, lost = probing(probe_lease=timedelta(seconds=20))
    bench.now += 20
    bench.breaker.acquire()
    lost.cancelled()
    bench.refused()


@pytest.mark.parametrize("end", ["success", "failure", "cancelled"])
def test_a_call_begun_before_it_opened_has_no_say(end: str) -> None:
    bench = Bench()
    old = [bench.breaker.acquire() for _ in range(3)]
    bench.fail(3)
    ends: dict[str, Callable[[Permit], None]] = {
        "success": lambda permit: permit.success(0.1),
        "failure": Permit.failure,
        "cancelled": Permit.cancelled,
    }
    ends[end](old[0])
    assert bench.breaker.state is OPEN
    assert bench.breaker.failures == 3
    assert bench.breaker.seconds_until_probe() == 60
    bench.now += 60
    probe = bench.breaker.acquire()
    ends[end](old[1])
    assert bench.breaker.state is HALF_OPEN
    bench.refused()
    probe.success(0.1)
    bench.fail(2)
    ends[end](old[2])
    assert bench.breaker.state is CLOSED
    assert bench.breaker.failures == 2


def test_a_permit_counts_once() -> None:
    bench = Bench()
    permit = bench.breaker.acquire()
    for _ in range(5):
        permit.failure()
    assert bench.breaker.failures == 1
    permit.success(0.1)
    permit.cancelled()
    assert bench.breaker.failures == 1


def test_slow_answers_count_when_asked_to() -> None:
    bench = Bench({"slow_call": timedelta(seconds=2)})
    for _ in range(5):
        bench.breaker.acquire().success(1.99)
    assert bench.breaker.failures == 0
    for _ in range(3):
        bench.breaker.acquire().success(2.0)
    assert bench.breaker.state is OPEN
    bench.now += 60
    bench.breaker.acquire().success(2.0)
    assert bench.breaker.state is OPEN
    assert bench.changes[-1].cooldown_seconds == 90.0


def test_time_waited_on_purpose_is_not_slowness() -> None:
    bench = Bench({"slow_call": timedelta(seconds=2)})
    bench.breaker.acquire().success(6.9, allowance_seconds=5.0)
    assert bench.breaker.failures == 0
    bench.breaker.acquire().success(7.0, allowance_seconds=5.0)
    assert bench.breaker.failures == 1
    with bench.breaker.attempt(is_failure=is_outage, allowance_seconds=5.0):
        bench.now += 6.9
    assert bench.breaker.failures == 0


def test_by_default_no_answer_is_too_slow() -> None:
    bench = Bench()
    for _ in range(5):
        bench.breaker.acquire().success(1e9)
    assert bench.breaker.failures == 0


def test_an_operator_forces_it_open_until_released() -> None:
    bench = Bench()
    running = bench.breaker.acquire()
    bench.fail(2)
    bench.breaker.force_open()
    bench.breaker.force_open()
    assert bench.breaker.state is FORCED
    assert bench.breaker.seconds_until_probe() == math.inf
    assert "release" in bench.refused().hint
    bench.now += 1e9
    bench.refused()
    running.success(0.1)
    assert bench.breaker.state is FORCED
    bench.breaker.release()
    assert bench.breaker.state is HALF_OPEN
    probe = bench.breaker.acquire()
    bench.refused()
    probe.success(0.1)
    assert [(change.new, change.failures) for change in bench.changes] == [
        (FORCED, 0),
        (HALF_OPEN, 0),
        (CLOSED, 0),
    ]


def test_a_released_breaker_whose_probe_fails_opens_with_the_first_cooldown() -> None:
    bench = opened()
    bench.now += 60
    bench.fail()
    bench.breaker.force_open()
    bench.breaker.release()
    bench.fail()
    assert bench.breaker.state is OPEN
    assert bench.changes[-1].cooldown_seconds == 60.0
    assert bench.changes[-1].failures == 5


def test_after_a_release_one_failure_is_enough_to_open() -> None:
    bench = Bench()
    bench.breaker.force_open()
    bench.breaker.release()
    bench.fail()
    assert bench.breaker.state is OPEN
    assert bench.changes[-1] == Change(old=HALF_OPEN, new=OPEN, failures=1, cooldown_seconds=60.0)


def test_releasing_what_was_not_forced_does_nothing() -> None:
    bench = opened()
    bench.breaker.release()
    assert bench.breaker.state is OPEN
    closed = Bench()
    closed.breaker.release()
    assert closed.breaker.state is CLOSED
    assert closed.changes == []


def test_closed_early_it_has_recovered() -> None:
    bench = opened(early_probe=timedelta(seconds=1))
    bench.now += 4
    bench.breaker.close_early()
    assert bench.breaker.state is CLOSED
    assert bench.changes[-1] == Change(old=OPEN, new=CLOSED, failures=3, cooldown_seconds=0.0)
    bench.fail(3)
    assert bench.breaker.seconds_until_probe() == 60.0, "the cooldown is the first again"


def test_closed_too_early_it_is_looked_past_less_and_less() -> None:
    bench = opened(early_probe=timedelta(seconds=1))
    seen = []
    for _ in range(8):
        seen.append(bench.breaker.early_probe_seconds)
        bench.breaker.close_early()
        bench.now += 59
        bench.fail(3)
    assert seen == [1, 2, 4, 8, 16, 32, 60, 60]
    bench.breaker.close_early()
    bench.now += 60
    bench.fail(3)
    assert bench.breaker.early_probe_seconds == 1


def test_what_an_operator_holds_open_is_not_closed_early() -> None:
    bench = opened(early_probe=timedelta(seconds=1))
    bench.breaker.force_open()
    bench.breaker.close_early()
    assert bench.breaker.state is FORCED


def test_closed_early_a_probe_under_way_says_nothing_any_more() -> None:
    bench, permit = probing(early_probe=timedelta(seconds=1))
    bench.breaker.close_early()
    permit.failure()
    assert bench.breaker.state is CLOSED
    assert bench.breaker.failures == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"failures": 0},
        {"cooldown": timedelta(0)},
        {"growth": 0.9},
        {"cooldown_max": timedelta(seconds=59)},
        {"jitter": -0.1},
        {"probe_lease": timedelta(0)},
        {"early_probe": timedelta(seconds=-1)},
        {"slow_call": timedelta(0)},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_impossible_values_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Bench(settings)
