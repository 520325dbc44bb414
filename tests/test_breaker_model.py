"""The circuit breaker against a plain model of its rules, at random."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from matchkeeper.errors import CircuitOpenError
from matchkeeper.resilience.breaker import BreakerState, Permit
from tests.breaker_bench import CLOSED, FORCED, HALF_OPEN, OPEN, Bench


@dataclass
class Held:
    """A permit in somebody's hands, and the model's view of it."""

    permit: Permit
    era: int


class BreakerModel(RuleBasedStateMachine):
    """Any order of calls, ends, waits and operators, against a plain model of the rules.

    An era ends with each change of state and each new probe; ends of calls from an earlier era
    must change nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench({"jitter": 0.25, "probe_lease": timedelta(seconds=20)})
        self.held: list[Held] = []
        self.state = CLOSED
        self.era = 0
        self.in_a_row = 0
        self.since_opening = 0
        self.cooldown = 60.0
        self.opened_at = 0.0
        self.probe_since: float | None = None

    def enter(self, state: BreakerState) -> None:
        self.state = state
        self.era += 1
        self.in_a_row = 0

    @rule()
    def call(self) -> None:
        try:
            permit = self.bench.breaker.acquire()
        except CircuitOpenError:
            assert self.state is not CLOSED
            if self.state is OPEN:
                assert self.bench.now < self.opened_at + self.cooldown * 1.25
            if self.state is HALF_OPEN:
                assert self.probe_since is not None
                assert self.bench.now < self.probe_since + 20
            return
        assert self.state is not FORCED
        if self.state is OPEN:
            assert self.bench.now >= self.opened_at + self.cooldown
        if self.state is HALF_OPEN and self.probe_since is not None:
            assert self.bench.now >= self.probe_since + 20
        if self.state is not CLOSED:
            self.enter(HALF_OPEN)
            self.probe_since = self.bench.now
        self.held.append(Held(permit, self.era))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), end=st.sampled_from(["success", "failure", "cancelled"]))
    def finish(self, data: st.DataObject, end: str) -> None:
        held = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        if end == "success":
            held.permit.success(0.1)
        elif end == "failure":
            held.permit.failure()
        else:
            held.permit.cancelled()
        if held.era == self.era:
            self.expect(end)

    def expect(self, end: str) -> None:
        half = self.state is HALF_OPEN
        if end == "cancelled":
            self.probe_since = None
        elif end == "success":
            self.in_a_row = 0
            if half:
                assert self.bench.changes[-1].failures == self.since_opening
                self.enter(CLOSED)
                self.cooldown, self.since_opening = 60.0, 0
        else:
            self.in_a_row += 1
            if half:
                # The first cooldown after an operator's release is not a grown one.
                grown = min(self.cooldown * 1.5, 120.0)
                self.cooldown = 60.0 if self.cooldown == 0 else grown
                self.open(self.since_opening + 1)
            elif self.in_a_row == 3:
                self.open(3)

    def open(self, failures: int) -> None:
        self.enter(OPEN)
        self.since_opening = failures
        self.opened_at = self.bench.now
        change = self.bench.changes[-1]
        assert (change.new, change.failures) == (OPEN, failures)
        assert change.cooldown_seconds == self.cooldown

    @rule(seconds=st.sampled_from([0.5, 19.5, 20.0, 59.0, 60.0, 75.0, 150.0]))
    def wait(self, seconds: float) -> None:
        self.bench.now += seconds

    @rule()
    def force(self) -> None:
        self.bench.breaker.force_open()
        if self.state is not FORCED:
            self.enter(FORCED)

    @rule()
    def release(self) -> None:
        self.bench.breaker.release()
        if self.state is FORCED:
            self.enter(HALF_OPEN)
            self.cooldown, self.probe_since = 0.0, None

    @invariant()
    def states_agree(self) -> None:
        seen = self.bench.breaker.state
        if self.state is OPEN and seen is HALF_OPEN:
            assert self.bench.now >= self.opened_at + self.cooldown
        else:
            assert seen is self.state

    @invariant()
    def changes_follow_one_another(self) -> None:
        states = [CLOSED]
        for change in self.bench.changes:
            assert change.old is states[-1]
            assert change.new is not change.old
            states.append(change.new)
        assert states[-1] is self.state


TestBreakerModel = BreakerModel.TestCase
