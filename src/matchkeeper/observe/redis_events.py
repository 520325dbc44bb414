"""What Redis and its breaker do, for logs, metrics and the people on call."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from matchkeeper.observe.alerts import Alert, Alerter, AlertKind, Severity
from matchkeeper.observe.board.recorder import Board
from matchkeeper.observe.events import Event, Throttle, emit
from matchkeeper.observe.metrics import Metrics
from matchkeeper.resilience.breaker import BreakerState, Change
from matchkeeper.store.failures import Outcome

ALERT = "redis_unavailable"
RUNBOOK = "docs/runbooks/breaker-open.md"

_EVENTS = {
    Outcome.NOT_READY: Event.REDIS_NOT_READY,
    Outcome.FORBIDDEN: Event.REDIS_FORBIDDEN,
    Outcome.REFUSED: Event.REDIS_REFUSED,
    Outcome.NOT_DURABLE: Event.NOT_DURABLE,
}


_WAITS_ON_PURPOSE = frozenset({"read requests"})
"""Their length says nothing of how fast Redis is."""
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
        metrics: Metrics,
        alerter: Alerter,
        board: Board,
        throttle: Throttle,
        timeout_seconds: float,
    ) -> None:
        self._metrics = metrics
        self._alerter = alerter
        self._board = board
        self._throttle = throttle
        self._timeout_seconds = timeout_seconds
        self._last_error = ""
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
            emit(Event.REDIS_UNUSABLE, error=problem)
            self._is_down(_Down.UNUSABLE, problem)
        self._looks += 1
        self.problem = problem

    def usable(self) -> None:
        """Redis does its work."""
        self._doubts.clear()
        self._looks = 0
        if self.problem:
            self.problem = ""
            emit(Event.REDIS_USABLE)
            self._is_up(_Down.UNUSABLE)

    def operation(self, operation: str, outcome: Outcome, seconds: float, error: str) -> None:
        """One attempt at an operation has ended."""
        self._metrics.redis_operation(operation, outcome.value, seconds)
        if outcome is Outcome.OK:
            if operation not in _WAITS_ON_PURPOSE:
                self._board.operation(seconds)
        elif outcome is not Outcome.CIRCUIT_OPEN:
            self._board.operation_failed(error)
        if outcome in _DOUBTFUL:
            self._doubts.add(outcome)
        if error:
            self._last_error = error
        if outcome is Outcome.TIMEOUT:
            emit(Event.REDIS_TIMEOUT, operation=operation, seconds=self._timeout_seconds)
        elif outcome is Outcome.NETWORK:
            emit(Event.REDIS_NETWORK_ERROR, operation=operation, error=error)
        elif outcome in _EVENTS:
            # No breaker ends these: every attempt of every loop would be a line.
            key = "" if outcome in _DOUBTFUL else operation
            self._throttle.emit(_EVENTS[outcome], key=key, operation=operation, error=error)

    def retry(self, operation: str) -> None:
        """An operation is tried again."""
        self._metrics.redis_retry(operation)

    def breaker_changed(self, change: Change) -> None:
        """The breaker went from one state to another."""
        self._metrics.breaker(change.new.value)
        if change.new is BreakerState.OPEN:
            emit(Event.BREAKER_OPEN, failures=change.failures, seconds=change.cooldown_seconds)
            self._is_down(_Down.BREAKER, self._last_error)
        elif change.new is BreakerState.HALF_OPEN:
            emit(Event.BREAKER_PROBE)
        elif change.new is BreakerState.FORCED_OPEN:
            emit(Event.BREAKER_FORCED)
        else:
            emit(Event.BREAKER_CLOSED, failures=change.failures)
            self._is_up(_Down.BREAKER)

    def _is_down(self, why: _Down, error: str) -> None:
        self._down.add(why)
        self._alert(AlertKind.TRIGGER, f"Redis does not do its work: {error}")

    def _is_up(self, why: _Down) -> None:
        self._down.discard(why)
        if not self._down:
            self._alert(AlertKind.RESOLVE, "Redis is back")
            self.on_recovery()

    def _alert(self, kind: AlertKind, summary: str) -> None:
        self._alerter.submit(
            Alert(
                name=ALERT,
                kind=kind,
                severity=Severity.CRITICAL,
                summary=summary,
                runbook=RUNBOOK,
            )
        )
