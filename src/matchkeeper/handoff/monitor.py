"""Counts failures to find a game server, and decides when people are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matchkeeper.config import AlertSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An attempt found no game server."""

    attempts: int
    """In a row, this one included."""
    alert_due: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A game server was found after at least one failure."""

    attempts: int
    subscribers: int
    resolve_due: bool
    """People were alerted, so they are told the end."""


class GameServerMonitor:
    """Pure bookkeeping. After as many failures in a row as the settings say, an alert is due, at
    most once in the interval that they say. `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        settings: AlertSettings,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._threshold = settings.game_server_failure_threshold
        self._interval_seconds = settings.repeat_interval_seconds
        self._clock = clock
        self._failures = 0
        self._alerted_at: float | None = None
        self._alerted = False

    @property
    def failures(self) -> int:
        """Failures in a row."""
        return self._failures

    def failed(self) -> Failed:
        """Nobody heard an offer."""
        self._failures += 1
        now = self._clock()
        since = None if self._alerted_at is None else now - self._alerted_at
        due = self._failures >= self._threshold and (
            since is None or since >= self._interval_seconds
        )
        if due:
            # This is kept after a recovery: a game server that comes and goes is no reason to alert
            # more often.
            self._alerted_at = now
            self._alerted = True
        return Failed(attempts=self._failures, alert_due=due)

    def succeeded(self, subscribers: int) -> Recovered | None:
        """An offer was heard, or somebody listens. Returns None when nothing had failed."""
        if not self._failures:
            return None
        recovered = Recovered(
            attempts=self._failures, subscribers=subscribers, resolve_due=self._alerted
        )
        self._failures = 0
        self._alerted = False
        return recovered
