"""The circuit breaker: stops asking a server that does not answer, and tries it again carefully."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from ..errors import CircuitOpenError
from . import circuit as core
from .circuit import BreakerState, Circuit, Rules, Verdict

__all__ = ["BreakerState", "Change", "CircuitBreaker", "Permit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of state, as told to `on_change`."""

    old: BreakerState
    new: BreakerState
    failures: int
    """Failures, counted from the row that opened the circuit. With a change to CLOSED: the failures
    that it has recovered from.
    """
    cooldown_seconds: float
    """With a change to OPEN: how long calls are refused, before jitter. Otherwise 0."""


class Permit:
    """Permission for one call. Say once how the call ended; anything said after that is ignored."""

    __slots__ = ("_breaker", "_generation", "_settled")

    def __init__(self, breaker: CircuitBreaker, generation: int) -> None:
        self._breaker = breaker
        self._generation = generation
        self._settled = False

    def success(self, elapsed_seconds: float, *, allowance_seconds: float = 0.0) -> None:
        """The other side answered. `allowance_seconds` is how long the call waited on purpose: the
        call is slow if it took `slow_call` plus this, or longer.
        """
        slow = self._breaker.is_slow(elapsed_seconds - allowance_seconds)
        self._settle(Verdict.BAD if slow else Verdict.GOOD)

    def failure(self) -> None:
        """The other side did not do its work."""
        self._settle(Verdict.BAD)

    def cancelled(self) -> None:
        """The call was given up, which says nothing about the other side."""
        self._settle(Verdict.UNKNOWN)

    def _settle(self, verdict: Verdict) -> None:
        if not self._settled:
            self._settled = True
            self._breaker.settle(self._generation, verdict)


class CircuitBreaker:
    """Opens after `failures` failures in a row and refuses calls for `cooldown`. Then it lets one
    call through as a probe: success closes the breaker, failure opens it again for longer.

    `clock` gives monotonic seconds. `slow_call`: an answer that took so long counts as a failure;
    None: no answer does. `probe_lease` must be longer than the longest call. `early_probe`: how
    often somebody probes the other side while the breaker is open, see `close_early`; 0: never.
    `on_change` is called after each change. For one event loop; not thread-safe. Raises ValueError
    for impossible values.
    """

    def __init__(
        self,
        *,
        failures: int = 5,
        cooldown: timedelta = timedelta(seconds=60),
        growth: float = 1.5,
        cooldown_max: timedelta = timedelta(seconds=120),
        jitter: float = 0.1,
        slow_call: timedelta | None = None,
        probe_lease: timedelta = timedelta(seconds=30),
        early_probe: timedelta = timedelta(0),
        clock: Callable[[], float],
        rng: random.Random,
        on_change: Callable[[Change], None] = lambda _change: None,
    ) -> None:
        if slow_call is not None and slow_call <= timedelta(0):
            raise ValueError("A circuit breaker needs: slow_call is above 0, or None.")
        self._rules = Rules(
            failures=failures,
            cooldown_seconds=cooldown.total_seconds(),
            growth=growth,
            cooldown_max_seconds=cooldown_max.total_seconds(),
            jitter=jitter,
            probe_lease_seconds=probe_lease.total_seconds(),
            early_probe_seconds=early_probe.total_seconds(),
        )
        self._slow_call_seconds = math.inf if slow_call is None else slow_call.total_seconds()
        self._clock = clock
        self._rng = rng
        self._on_change = on_change
        self._circuit = core.closed(self._rules)

    @property
    def state(self) -> BreakerState:
        """The state as the next caller would find it: HALF_OPEN as soon as the cooldown is over.
        `on_change` tells that change later, when the probe begins.
        """
        return core.seen_at(self._circuit, self._clock())

    @property
    def failures(self) -> int:
        """Failures in a row while closed; else all, counted from the row that opened the
        circuit.
        """
        return self._circuit.failures

    def seconds_until_probe(self) -> float:
        """Seconds until a call may go through: 0 when one may now, infinite when forced open."""
        return max(0.0, self._circuit.until - self._clock())

    def is_slow(self, elapsed_seconds: float) -> bool:
        """Whether an answer after so long counts as a failure."""
        return elapsed_seconds >= self._slow_call_seconds

    def acquire(self) -> Permit:
        """Permission for one call; its end must be told to the permit. Raises CircuitOpenError."""
        admitted = core.admit(self._circuit, self._rules, now=self._clock())
        if admitted is None:
            raise self._refusal()
        self._become(admitted)
        return Permit(self, admitted.generation)

    @contextmanager
    def attempt(
        self, *, is_failure: Callable[[Exception], bool], allowance_seconds: float = 0.0
    ) -> Iterator[Permit]:
        """Acquires a permit and settles it by how the block ends. Raises CircuitOpenError.

        An exception for which `is_failure` is false means that the other side answered.
        Cancellation counts as neither. `allowance_seconds`: see `Permit.success`.
        """
        permit = self.acquire()
        begun = self._clock()
        try:
            yield permit
        except Exception as error:
            if is_failure(error):
                permit.failure()
            else:
                permit.success(self._clock() - begun, allowance_seconds=allowance_seconds)
            raise
        else:
            permit.success(self._clock() - begun, allowance_seconds=allowance_seconds)
        finally:
            # Without a verdict so far: cancellation, exit or interrupt, which are no Exception; or
            # is_failure has raised. None of them may keep the probe.
            permit.cancelled()

    def settle(self, generation: int, verdict: Verdict) -> None:
        """Takes in how a call ended. For permits."""
        self._become(
            core.settle(
                self._circuit,
                self._rules,
                verdict,
                generation=generation,
                now=self._clock(),
                chance=self._rng.random(),
            )
        )

    @property
    def early_probe_seconds(self) -> float:
        """How long to wait between two early probes. The time doubles whenever the circuit opens
        within a minute after it was closed early. 0: do not probe.
        """
        return self._circuit.early_probe_seconds

    def close_early(self) -> None:
        """The other side was seen to work: closes it, unless it is forced open."""
        self._become(core.close_early(self._circuit, self._rules, now=self._clock()))

    def force_open(self) -> None:
        """Refuses every call until `release`; for an operator."""
        self._become(core.force_open(self._circuit))

    def release(self) -> None:
        """Ends `force_open`: the next call is the probe. Otherwise does nothing."""
        self._become(core.release(self._circuit, self._rules))

    def _become(self, circuit: Circuit) -> None:
        before, self._circuit = self._circuit, circuit
        if circuit.state is before.state:
            return
        closing = circuit.state is BreakerState.CLOSED
        opening = circuit.state is BreakerState.OPEN
        self._on_change(
            Change(
                old=before.state,
                new=circuit.state,
                failures=before.failures if closing else circuit.failures,
                cooldown_seconds=before.next_cooldown_seconds if opening else 0.0,
            )
        )

    def _refusal(self) -> CircuitOpenError:
        if self._circuit.state is BreakerState.FORCED_OPEN:
            return CircuitOpenError(
                "The circuit breaker was forced open, so nothing was sent.",
                hint="An operator did this; release it when Redis may be used again.",
            )
        seconds = math.ceil(self.seconds_until_probe())
        if self._circuit.state is BreakerState.HALF_OPEN:
            return CircuitOpenError(
                "The circuit breaker is trying one call, so nothing else was sent.",
                hint=f"Try again when that call has ended, in {seconds} s at the latest.",
            )
        return CircuitOpenError(
            "The circuit breaker is open, so nothing was sent.",
            hint=f"The next call is let through in {seconds} s.",
        )
