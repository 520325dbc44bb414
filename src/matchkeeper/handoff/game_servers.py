"""Whether there is a game server: people are told if not, reminded, and told the end."""

from __future__ import annotations

from collections.abc import Callable

from matchkeeper.handoff.monitor import GameServerMonitor
from matchkeeper.observe.alerts import Alerter, Outage
from matchkeeper.observe.facts import Facts

OUTAGE = Outage(name="game_server_unavailable", runbook="docs/runbooks/no-game-server.md")


class GameServers:
    """Hears from the rounds whether offers were heard, and tells the people on call."""

    def __init__(
        self,
        monitor: GameServerMonitor,
        *,
        channel: str,
        alerter: Alerter,
        facts: Facts,
        on_recovery: Callable[[], None],
    ) -> None:
        self._monitor = monitor
        self._channel = channel
        self._alerter = alerter
        self._facts = facts
        self._on_recovery = on_recovery

    @property
    def missing(self) -> bool:
        """Whether nobody heard the last offer."""
        return self._monitor.failures > 0

    @property
    def failures(self) -> int:
        """Offers in a row that nobody heard."""
        return self._monitor.failures

    def failed(self) -> None:
        """Nobody heard an offer."""
        decision = self._monitor.failed()
        attempts, channel = decision.attempts, self._channel
        self._facts.game_server_missing(attempts=attempts, channel=channel)
        if decision.alert_due:
            self._facts.game_server_unavailable(attempts=attempts, channel=channel)
            text = Facts.game_server_unavailable.says(attempts=attempts, channel=channel)
            self._alerter.submit(OUTAGE.begins(text, attempts=attempts, channel=channel))

    def succeeded(self, subscribers: int) -> None:
        """An offer was heard, or somebody listens again."""
        recovered = self._monitor.succeeded(subscribers)
        self._facts.offer_heard()
        if recovered is None:
            return
        attempts = recovered.attempts
        self._facts.game_server_recovered(subscribers=subscribers, attempts=attempts)
        if recovered.resolve_due:
            text = Facts.game_server_recovered.says(subscribers=subscribers, attempts=attempts)
            self._alerter.submit(OUTAGE.ends(text, subscribers=subscribers, attempts=attempts))
        self._on_recovery()
