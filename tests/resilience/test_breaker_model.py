"""The circuit breaker against a plain model of its rules, at random."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from matchkeeper.errors import CircuitOpenError
from matchkeeper.resilience.breaker import BreakerState, Permit
from tests.support.breaker_bench import CLOSED, FORCED, HALF_OPEN, OPEN, Bench

FAILURES, FIRST, GROWTH, LONGEST, JITTER, LEASE = 2, 60.0, 1.5, 120.0, 0.25, 20.0
EARLY, TOO_EARLY = 1.0, 60.0
ENDS = st.sampled_from(["success", "failure", "failure", "cancelled"])


@dataclass
class Held:
    """A permit in somebody's hands, and the era in which it was given."""

    permit: Permit
    era: int


def end_call(permit: Permit, end: str) -> None:
    if end == "success":
        permit.success(0.1)
    elif end == "failure":
        permit.failure()
    else:
        permit.cancelled()


class BreakerModel(RuleBasedStateMachine):
    """Any order of calls, ends, waits and operators, against a plain model of the rules.

    An era ends with each change of state and each new probe; ends of calls from an earlier era
    must change nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(
            {
                "failures": FAILURES,
                "jitter": JITTER,
                "probe_lease": timedelta(seconds=LEASE),
                "early_probe": timedelta(seconds=EARLY),
            }
        )
        self.held: list[Held] = []
        self.ended: list[Permit] = []
        self.state = CLOSED
        self.era = 0
        self.failures = 0
        self.cooldown = 0.0
        """Of the last opening; 0: the next is the first."""
        self.opened_at = -math.inf
        self.probe_since: float | None = None
        self.early = EARLY
        self.closed_early_at = -math.inf

    def enter(self, state: BreakerState) -> None:
        self.state = state
        self.era += 1

    def take(self) -> Held | None:
        """A call is begun: it must be let through exactly when the rules say so."""
        now = self.bench.now
        try:
            permit = self.bench.breaker.acquire()
        except CircuitOpenError:
            assert self.must_refuse(now) is not False
            return None
        assert self.must_refuse(now) is not True
        if self.state is not CLOSED:
            self.enter(HALF_OPEN)
            self.probe_since = now
        return Held(permit, self.era)

    def must_refuse(self, now: float) -> bool | None:
        """None: the jitter decides."""
        if self.state is FORCED:
            return True
        if self.state is OPEN:
            if now < self.opened_at + self.cooldown:
                return True
            return None if now < self.opened_at + self.cooldown * (1 + JITTER) else False
        probing = self.state is HALF_OPEN and self.probe_since is not None
        return probing and now < (self.probe_since or 0.0) + LEASE

    def give_back(self, held: Held, end: str) -> None:
        end_call(held.permit, end)
        self.ended.append(held.permit)
        if held.era != self.era:
            return
        if end == "cancelled":
            self.probe_since = None
        elif end == "failure":
            self.failures += 1
            if self.state is HALF_OPEN or self.failures == FAILURES:
                self.open()
        elif self.state is HALF_OPEN:
            assert self.bench.changes[-1].failures == self.failures
            self.close()
            self.early, self.closed_early_at = EARLY, -math.inf
        else:
            self.failures = 0

    def close(self) -> None:
        self.enter(CLOSED)
        self.cooldown, self.failures = 0.0, 0

    def open(self) -> None:
        if self.state is CLOSED:
            too_early = self.bench.now - self.closed_early_at < TOO_EARLY
            self.early = min(2 * self.early, FIRST) if too_early else EARLY
        self.enter(OPEN)
        self.cooldown = min(self.cooldown * GROWTH, LONGEST) if self.cooldown else FIRST
        self.opened_at = self.bench.now
        change = self.bench.changes[-1]
        assert (change.new, change.failures) == (OPEN, self.failures)
        assert change.cooldown_seconds == self.cooldown

    @rule()
    def begin(self) -> None:
        held = self.take()
        if held is not None:
            self.held.append(held)

    @rule(end=ENDS)
    def begin_and_end(self, end: str) -> None:
        held = self.take()
        if held is not None:
            self.give_back(held, end)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), end=ENDS)
    def end(self, data: st.DataObject, end: str) -> None:
        self.give_back(self.held.pop(data.draw(st.integers(0, len(self.held) - 1))), end)

    @precondition(lambda self: self.ended)
    @rule(data=st.data(), end=ENDS)
    def end_again(self, data: st.DataObject, end: str) -> None:
        end_call(data.draw(st.sampled_from(self.ended)), end)

    @rule(seconds=st.sampled_from([0.5, 19.5, 20.0, 59.0, 150.0]))
    def wait(self, seconds: float) -> None:
        self.bench.now += seconds

    @precondition(lambda self: self.state in (OPEN, HALF_OPEN))
    @rule()
    def wait_until_a_probe_is_due(self) -> None:
        self.bench.now += self.bench.breaker.seconds_until_probe()

    @rule()
    def close_early(self) -> None:
        self.bench.breaker.close_early()
        if self.state in (OPEN, HALF_OPEN):
            assert self.bench.changes[-1].failures == self.failures
            self.close()
            self.closed_early_at = self.bench.now

    @rule()
    def force(self) -> None:
        self.bench.breaker.force_open()
        if self.state is CLOSED:
            self.failures = 0
        if self.state is not FORCED:
            self.enter(FORCED)

    @rule()
    def release(self) -> None:
        self.bench.breaker.release()
        if self.state is FORCED:
            self.enter(HALF_OPEN)
            self.cooldown, self.probe_since = 0.0, None

    @invariant()
    def what_is_seen_agrees(self) -> None:
        breaker, refuse = self.bench.breaker, self.must_refuse(self.bench.now)
        expected = self.state
        if self.state is OPEN and breaker.seconds_until_probe() == 0:
            expected = HALF_OPEN
        assert breaker.state is expected
        assert breaker.failures == self.failures
        assert breaker.early_probe_seconds == self.early
        assert refuse in (None, breaker.seconds_until_probe() > 0)

    @invariant()
    def changes_follow_one_another(self) -> None:
        state = CLOSED
        for change in self.bench.changes:
            assert change.old is state
            assert change.new is not change.old
            state = change.new
        assert state is self.state


TestBreakerModel = BreakerModel.TestCase
# The same examples every time: a run of the tests says something about the code, not about luck.
TestBreakerModel.settings = settings(max_examples=150, derandomize=True)
