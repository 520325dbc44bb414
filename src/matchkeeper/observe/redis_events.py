"""What Redis and its breaker do: told as facts, and to the people on call."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from matchkeeper.observe.alerts import Alerter, Outage
from matchkeeper.observe.facts import Facts
from matchkeeper.resilience.breaker import BreakerState, Change
from matchkeeper.store.failures import Outcome

OUTAGE = Outage(name="redis_unavailable", runbook="docs/runbooks/breaker-open.md")
_TOLD_AGAIN_AFTER = 60
"""Looks in vain; how often people on call are told is the alerter's affair."""
_DOUBTFUL = frozenset({Outcome.NOT_READY, Outcome.FORBIDDEN})
"""It answers, but may not be of use."""


class _Down(StrEnum):
    """Why people on call are told that Redis is unavailable."""

    BREAKER = "breaker"
    UNUSABLE = "unusable"


class RedisEvents:
    """Implements the store's observer, and hears the breaker and the probe."""

    def __init__(
        self,
        *,
        facts: Facts,
        alerter: Alerter,
        timeout_seconds: float,
    ) -> None:
        self._facts = facts
        self._alerter = alerter
        self._timeout_seconds = timeout_seconds
        self._last_error = ""
        # No breaker ends those after the first: every attempt of every loop would be a line.
        self._failures = {
            Outcome.NETWORK: facts.redis_network_error,
            Outcome.NOT_READY: facts.redis_not_ready,
            Outcome.FORBIDDEN: facts.redis_forbidden,
            Outcome.REFUSED: facts.redis_refused,
            Outcome.NOT_DURABLE: facts.not_durable,
        }
        self._doubts: set[Outcome] = set()
        self._down: set[_Down] = set()
        self._looks = 0
        """In vain, one after another."""
        self.problem = ""
        """Why Redis cannot be used although it answers; empty where it can."""
        self.on_recovery: Callable[[], None] = lambda: None
        """Set once there is something to be done when an outage is over."""

    @property
    def doubtful(self) -> bool:
        """Something was refused since Redis was last seen to work."""
        return bool(self._doubts)

    @property
    def forbidden(self) -> bool:
        """What was refused was refused for a missing right."""
        return Outcome.FORBIDDEN in self._doubts

    def unusable(self, problem: str) -> None:
        """Redis answers, and does not do its work."""
        if self._looks % _TOLD_AGAIN_AFTER == 0:
            self._facts.redis_unusable(error=problem)
            self._is_down(_Down.UNUSABLE, problem)
        self._looks += 1
        self.problem = problem

    def usable(self) -> None:
        """Redis does its work."""
        self._doubts.clear()
        self._looks = 0
        if self.problem:
            self.problem = ""
            self._facts.redis_usable()
            self._is_up(_Down.UNUSABLE)

    def operation(self, operation: str, outcome: Outcome, seconds: float, error: str) -> None:
        """One attempt at an operation has ended."""
        self._facts.redis_operation(
            operation=operation, outcome=outcome, seconds=seconds, error=error
        )
        if outcome in _DOUBTFUL:
            self._doubts.add(outcome)
        if error:
            self._last_error = error
        if outcome is Outcome.TIMEOUT:
            self._facts.redis_timeout(operation=operation, seconds=self._timeout_seconds)
        elif outcome in self._failures:
            self._failures[outcome](operation=operation, error=error)

    def retry(self, operation: str) -> None:
        """An operation is tried again."""
        self._facts.redis_retry(operation=operation)

    def breaker_changed(self, change: Change) -> None:
        """The breaker went from one state to another."""
        if change.new is BreakerState.OPEN:
            self._facts.breaker_open(failures=change.failures, seconds=change.cooldown_seconds)
            self._is_down(_Down.BREAKER, self._last_error)
        elif change.new is BreakerState.HALF_OPEN:
            self._facts.breaker_probe()
        elif change.new is BreakerState.FORCED_OPEN:
            self._facts.breaker_forced()
        else:
            self._facts.breaker_closed(failures=change.failures)
            self._is_up(_Down.BREAKER)

    def _is_down(self, why: _Down, error: str) -> None:
        self._down.add(why)
        self._alerter.submit(OUTAGE.begins(f"Redis does not do its work: {error}"))

    def _is_up(self, why: _Down) -> None:
        self._down.discard(why)
        if not self._down:
            self._alerter.submit(OUTAGE.ends("Redis is back"))
            self.on_recovery()
