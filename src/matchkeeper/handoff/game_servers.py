"""Whether there is a game server: told once, repeated, and its end told."""

from __future__ import annotations

from collections.abc import Callable

from matchkeeper.handoff.monitor import GameServerMonitor
from matchkeeper.observe.alerts import Alert, Alerter, AlertKind, Severity
from matchkeeper.observe.events import Event, emit, sentence
from matchkeeper.observe.metrics import Metrics

ALERT = "game_server_unavailable"
RUNBOOK = "docs/runbooks/no-game-server.md"


class GameServers:
    """Is told by the rounds whether offers were heard, and tells the people on call."""

    def __init__(
        self,
        monitor: GameServerMonitor,
        *,
        channel: str,
        alerter: Alerter,
        metrics: Metrics,
        on_recovery: Callable[[], None],
    ) -> None:
        self._monitor = monitor
        self._channel = channel
        self._alerter = alerter
        self._metrics = metrics
        self._on_recovery = on_recovery

    @property
    def missing(self) -> bool:
        """Whether the last offer was heard by nobody."""
        return self._monitor.failures > 0

    @property
    def failures(self) -> int:
        """Offers in a row that nobody heard."""
        return self._monitor.failures

    def failed(self) -> None:
        """An offer was heard by nobody."""
        decision = self._monitor.failed()
        self._metrics.game_servers(available=False, failures=self._monitor.failures)
        emit(Event.GAME_SERVER_MISSING, attempts=decision.attempts, channel=self._channel)
        if not decision.alert_due:
            return
        fields = {"attempts": decision.attempts, "channel": self._channel}
        emit(Event.GAME_SERVER_UNAVAILABLE, **fields)
        self._alerter.submit(
            Alert(
                name=ALERT,
                kind=AlertKind.TRIGGER,
                severity=Severity.CRITICAL,
                summary=sentence(Event.GAME_SERVER_UNAVAILABLE, **fields),
                details=fields,
                runbook=RUNBOOK,
            )
        )

    def succeeded(self, subscribers: int) -> None:
        """An offer was heard, or somebody listens again."""
        recovered = self._monitor.succeeded(subscribers)
        self._metrics.game_servers(available=True, failures=0)
        if recovered is None:
            return
        fields = {"subscribers": recovered.subscribers, "attempts": recovered.attempts}
        emit(Event.GAME_SERVER_RECOVERED, **fields)
        if recovered.resolve_due:
            self._alerter.submit(
                Alert(
                    name=ALERT,
                    kind=AlertKind.RESOLVE,
                    severity=Severity.CRITICAL,
                    summary=sentence(Event.GAME_SERVER_RECOVERED, **fields),
                    details=fields,
                )
            )
        self._on_recovery()
