"""Alerts: sent in the background, once for all servers, each with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from matchkeeper.config import AlertSettings
from matchkeeper.errors import MatchkeeperError, StoreError
from matchkeeper.observe.facts import Facts


class AlertKind(StrEnum):
    """Whether an outage begins (or goes on), or ends."""

    TRIGGER = "trigger"
    RESOLVE = "resolve"


class Severity(StrEnum):
    """As PagerDuty names them."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message to the people on call."""

    name: str
    """What is wrong; the same for begin and end, and for all servers."""
    kind: AlertKind
    severity: Severity
    summary: str
    details: Mapping[str, object] = field(default_factory=dict)
    runbook: str = ""
    """The page that says what to do, by its path in this repository."""

    @property
    def dedup_key(self) -> str:
        """Joins begin and end of one outage at the receiver."""
        return f"matchkeeper/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Something whose begin and end people on call are told."""

    name: str
    runbook: str
    severity: Severity = Severity.CRITICAL

    def begins(self, summary: str, **details: object) -> Alert:
        """It begins, or goes on."""
        return self._alert(AlertKind.TRIGGER, summary, details)

    def ends(self, summary: str, **details: object) -> Alert:
        """It is over."""
        return self._alert(AlertKind.RESOLVE, summary, details)

    def _alert(self, kind: AlertKind, summary: str, details: Mapping[str, object]) -> Alert:
        return Alert(
            name=self.name,
            kind=kind,
            severity=self.severity,
            summary=summary,
            details=details,
            runbook=self.runbook,
        )


class AlertError(MatchkeeperError):
    """A channel did not take an alert."""


class Channel(Protocol):
    """A way to the people on call."""

    @property
    def name(self) -> str:
        """What it is, without its secrets."""

    async def send(self, alert: Alert) -> None:
        """Delivers it. Raises AlertError."""


class AlertPermission(Protocol):
    """Decides which of several servers sends."""

    async def may_send(self, name: str, interval: timedelta) -> bool:
        """Whether this server sends in this interval. Raises StoreError."""

    async def may_resolve(self, name: str) -> bool:
        """Whether this server tells the end. Raises StoreError."""


class Alerter:
    """Takes alerts without waiting and sends them one after another, to all channels at a time."""

    def __init__(
        self,
        channels: Sequence[Channel],
        settings: AlertSettings,
        *,
        facts: Facts,
        clock: Callable[[], float],
    ) -> None:
        self.channels = tuple(channels)
        self.permission: AlertPermission | None = None
        """Set once there is a Redis to ask; None: this server is alone."""
        self._interval = timedelta(seconds=settings.repeat_interval_seconds)
        self._send_timeout_seconds = settings.send_timeout_seconds
        self._facts = facts
        self._clock = clock
        self._alone: dict[str, float] = {}
        """Alerts that this server sent without asking, because Redis was away, and when."""
        self._waiting: asyncio.Queue[Alert] = asyncio.Queue(settings.queue_size)

    def submit(self, alert: Alert) -> None:
        """Hands an alert over; returns at once, also when the channels hang."""
        try:
            self._waiting.put_nowait(alert)
        except asyncio.QueueFull:
            self._facts.alert_dropped(name=alert.name, action=alert.kind.value)

    async def run(self) -> None:
        """Sends what is handed over, until cancelled."""
        while True:
            alert = await self._waiting.get()
            try:
                if await self._permitted(alert):
                    await self.deliver(alert)
            finally:
                self._waiting.task_done()

    async def drain(self, seconds: float) -> None:
        """Waits until everything is sent, or the time is over. `run` must be running."""
        try:
            async with asyncio.timeout(seconds):
                await self._waiting.join()
        except TimeoutError:
            return

    async def deliver(self, alert: Alert) -> bool:
        """Sends to all channels at a time; whether all took it."""
        return all(await asyncio.gather(*(self._send(each, alert) for each in self.channels)))

    async def _permitted(self, alert: Alert) -> bool:
        try:
            if self.permission is None:
                return self._permitted_alone(alert)
            if alert.kind is AlertKind.TRIGGER:
                return await self.permission.may_send(alert.name, self._interval)
            resolved = await self.permission.may_resolve(alert.name)
        except StoreError:
            # Redis itself may be what the alert is about: better from two servers than never.
            return self._permitted_alone(alert)
        return resolved or self._permitted_alone(alert)

    def _permitted_alone(self, alert: Alert) -> bool:
        if alert.kind is AlertKind.RESOLVE:
            return self._alone.pop(alert.name, None) is not None
        now, last = self._clock(), self._alone.get(alert.name)
        if last is not None and now - last < self._interval.total_seconds():
            return False
        self._alone[alert.name] = now
        return True

    async def _send(self, channel: Channel, alert: Alert) -> bool:
        error = ""
        try:
            async with asyncio.timeout(self._send_timeout_seconds):
                await channel.send(alert)
        except TimeoutError:
            error = f"no answer within {self._send_timeout_seconds:g} s"
        except AlertError as failure:
            error = failure.message
        fields = {"name": alert.name, "action": alert.kind.value, "channel": channel.name}
        if error:
            self._facts.alert_failed(**fields, error=error)
        else:
            self._facts.alert_sent(**fields)
        return not error
