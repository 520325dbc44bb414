"""What Redis and its breaker do, for logs, metrics and the people on call."""

from __future__ import annotations

from matchkeeper.observe.alerts import Alert, Alerter, AlertKind, Severity
from matchkeeper.observe.board.recorder import Board
from matchkeeper.observe.events import Event, emit
from matchkeeper.observe.metrics import Metrics
from matchkeeper.resilience.breaker import BreakerState, Change
from matchkeeper.store.failures import Outcome

ALERT = "redis_unavailable"
RUNBOOK = "docs/runbooks/breaker-open.md"

_EVENTS = {
    Outcome.NETWORK: Event.REDIS_NETWORK_ERROR,
    Outcome.NOT_READY: Event.REDIS_NOT_READY,
    Outcome.REFUSED: Event.REDIS_REFUSED,
    Outcome.NOT_DURABLE: Event.NOT_DURABLE,
}


_WAITS_ON_PURPOSE = frozenset({"read requests"})
"""Their length says nothing of how fast Redis is."""


class RedisEvents:
    """Implements the store's observer, and hears the breaker."""

    def __init__(
        self, *, metrics: Metrics, alerter: Alerter, board: Board, timeout_seconds: float
    ) -> None:
        self._metrics = metrics
        self._alerter = alerter
        self._board = board
        self._timeout_seconds = timeout_seconds
        self._last_error = ""

    def operation(self, operation: str, outcome: Outcome, seconds: float, error: str) -> None:
        """One attempt at an operation has ended."""
        self._metrics.redis_operation(operation, outcome.value, seconds)
        if outcome is Outcome.OK:
            if operation not in _WAITS_ON_PURPOSE:
                self._board.operation(seconds)
        elif outcome is not Outcome.CIRCUIT_OPEN:
            self._board.operation_failed(error)
        if error:
            self._last_error = error
        if outcome is Outcome.TIMEOUT:
            emit(Event.REDIS_TIMEOUT, operation=operation, seconds=self._timeout_seconds)
        elif outcome in _EVENTS:
            emit(_EVENTS[outcome], operation=operation, error=error)

    def retry(self, operation: str) -> None:
        """An operation is tried again."""
        self._metrics.redis_retry(operation)

    def breaker_changed(self, change: Change) -> None:
        """The breaker went from one state to another."""
        self._metrics.breaker(change.new.value)
        if change.new is BreakerState.OPEN:
            emit(Event.BREAKER_OPEN, failures=change.failures, seconds=change.cooldown_seconds)
            self._alert(AlertKind.TRIGGER, f"Redis is out of reach: {self._last_error}")
        elif change.new is BreakerState.HALF_OPEN:
            emit(Event.BREAKER_PROBE)
        elif change.new is BreakerState.FORCED_OPEN:
            emit(Event.BREAKER_FORCED)
        else:
            emit(Event.BREAKER_CLOSED, failures=change.failures)
            self._alert(AlertKind.RESOLVE, "Redis is back")

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
