"""The ways to the people on call: PagerDuty directly, everything else through Apprise."""

from __future__ import annotations

from typing import Any

import httpx
import stamina

from matchkeeper.config import AlertSettings
from matchkeeper.errors import ConfigError
from matchkeeper.observe.alerts import Alert, AlertError, AlertKind, Channel, Severity

_ATTEMPTS = 3


class PagerDuty:
    """Events API v2: trigger and resolve under one `dedup_key`, which Apprise cannot do."""

    name = "pagerduty"

    def __init__(self, *, routing_key: str, url: str, source: str) -> None:
        self._routing_key = routing_key
        self._url = url
        self._source = source

    async def send(self, alert: Alert) -> None:
        """Raises AlertError. Tried again when PagerDuty is overloaded or out of reach."""
        try:
            async for attempt in stamina.retry_context(
                on=_worth_a_retry, attempts=_ATTEMPTS, timeout=None, wait_initial=0.5
            ):
                with attempt:
                    async with httpx.AsyncClient() as http:
                        answer = await http.post(self._url, json=self._body(alert), timeout=None)
                    answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            raise AlertError(f"PagerDuty answered {error.response.status_code}") from None
        except httpx.HTTPError as error:
            raise AlertError(f"PagerDuty out of reach: {type(error).__name__}") from None

    def _body(self, alert: Alert) -> dict[str, Any]:
        body: dict[str, Any] = {
            "routing_key": self._routing_key,
            "event_action": alert.kind.value,
            "dedup_key": alert.dedup_key,
        }
        if alert.kind is AlertKind.TRIGGER:
            body["payload"] = {
                "summary": alert.summary[:1024],
                "source": self._source,
                "severity": alert.severity.value,
                "component": alert.name,
                "custom_details": dict(alert.details),
            }
            if alert.runbook:
                body["payload"]["custom_details"]["runbook"] = alert.runbook
        return body


def _worth_a_retry(error: Exception) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code == 429 or error.response.status_code >= 500
    return isinstance(error, httpx.TransportError)


class AppriseChannel:
    """One Apprise URL: chat, mail, webhook and a hundred more."""

    def __init__(self, url: str, *, number: int) -> None:
        """`number` names it in logs, since its URL holds secrets. Raises ConfigError."""
        import apprise  # noqa: PLC0415  # slow to import, and only needed where it is used

        scheme = url.partition("://")[0]
        self._target = apprise.Apprise()
        if not self._target.add(url):
            raise ConfigError(
                f"alerts.urls[{number}] ({scheme}://…) is no URL that Apprise knows",
                hint="See https://appriseit.com/services/ for how they look.",
            )
        self.name = f"{scheme} (alerts.urls[{number}])"

    async def send(self, alert: Alert) -> None:
        """Raises AlertError."""
        import apprise  # noqa: PLC0415  # see above

        resolved = alert.kind is AlertKind.RESOLVE
        kind = apprise.NotifyType.SUCCESS if resolved else _NOTIFY[alert.severity]
        title = f"Matchkeeper: {'resolved' if resolved else alert.severity.value} {alert.name}"
        what_to_do = f"\nRunbook: {alert.runbook}" if alert.runbook and not resolved else ""
        delivered = await self._target.async_notify(
            body=alert.summary + what_to_do, title=title, notify_type=kind, body_format="text"
        )
        if not delivered:
            raise AlertError("it was not taken")


_NOTIFY: dict[Severity, Any] = {
    Severity.CRITICAL: "failure",
    Severity.ERROR: "failure",
    Severity.WARNING: "warning",
    Severity.INFO: "info",
}


def channels_from(settings: AlertSettings) -> list[Channel]:
    """The channels of the settings. Raises ConfigError for a URL that cannot be used."""
    channels: list[Channel] = [
        AppriseChannel(url.get_secret_value(), number=number)
        for number, url in enumerate(settings.urls)
    ]
    if settings.pagerduty_routing_key is not None:
        channels.append(
            PagerDuty(
                routing_key=settings.pagerduty_routing_key.get_secret_value(),
                url=settings.pagerduty_url,
                source=settings.source,
            )
        )
    return channels
