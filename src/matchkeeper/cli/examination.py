"""`matchkeeper doctor`: gathers what there is to examine."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import monotonic

from matchkeeper.cli.common import connected
from matchkeeper.config import Settings
from matchkeeper.errors import MatchkeeperError, StoreError
from matchkeeper.observe.alert_channels import channels_from
from matchkeeper.observe.alerts import Alert, Alerter, AlertKind, Severity
from matchkeeper.observe.facts import Facts
from matchkeeper.observe.log import Log
from matchkeeper.operate.doctor import (
    Finding,
    Verdict,
    can_be_used,
    examine_fleet,
    examine_modes,
    examine_offers,
    examine_server,
    examine_use,
)
from matchkeeper.server.wiring.stores import channels_of
from matchkeeper.store.durability import Durability
from matchkeeper.store.embedded import embedded_server
from matchkeeper.store.facts import gather_server, gather_use


class Examination:
    """All checks of one run."""

    def __init__(self, settings: Settings, *, send_test_alert: bool) -> None:
        self._settings = settings
        self._send_test_alert = send_test_alert

    async def run(self) -> list[Finding]:
        """The findings; getting here means that the settings are good."""
        findings = examine_modes(self._settings.modes())
        findings += await self._redis()
        findings.append(await self._alerts())
        return findings

    async def _redis(self) -> list[Finding]:
        settings = self._settings
        durability = Durability.parse(settings.redis.durability)
        findings: list[Finding] = []
        try:
            async with self._reachable() as (found, reachable), connected(reachable) as (stores, _):
                server = await gather_server(stores.connection)
                findings = [_good("connection", found), *examine_server(server, durability)]
                batch = settings.matchmaking.commit_batch_size
                findings += examine_offers(server, settings.modes(), batch)
                if can_be_used(server):
                    queues = [mode.queue for mode in settings.modes()]
                    use = await gather_use(
                        stores.connection,
                        realm=settings.matchmaking.realm,
                        queues=queues,
                        form=stores.form,
                        channels=channels_of(settings),
                        traced=settings.tracing.enabled,
                    )
                    findings += examine_use(use)
                    roster = await stores.servers.look()
                    findings += examine_fleet(settings.agreed(), roster)
        except StoreError as error:
            lost = Finding(
                check="connection",
                verdict=Verdict.WRONG,
                found=error.message,
                mend=error.hint or "Check redis.url.",
            )
            findings = [lost, *findings[1:]]
        return findings

    @asynccontextmanager
    async def _reachable(self) -> AsyncGenerator[tuple[str, Settings]]:
        """The settings with a Redis to reach: without a URL, the embedded one for a moment."""
        settings = self._settings
        if settings.redis.url is not None:
            yield "Redis answers", settings
            return
        from pathlib import Path  # noqa: PLC0415
        from tempfile import TemporaryDirectory  # noqa: PLC0415

        from pydantic import SecretStr  # noqa: PLC0415

        with TemporaryDirectory() as folder:
            async with embedded_server(Path(folder)) as server:
                redis = settings.redis.model_copy(update={"url": SecretStr(server.url)})
                found = "no redis.url: the embedded Valkey starts and answers"
                yield found, settings.model_copy(update={"redis": redis})

    async def _alerts(self) -> Finding:
        alerts = self._settings.alerts
        try:
            channels = channels_from(alerts)
        except MatchkeeperError as error:
            return Finding(
                check="alerts", verdict=Verdict.WRONG, found=error.message, mend=error.hint
            )
        names = ", ".join(channel.name for channel in channels)
        if not channels:
            return Finding(
                check="alerts",
                verdict=Verdict.WARNING,
                found="no channel: outages are only logged",
                mend="Set alerts.urls or alerts.pagerduty_routing_key.",
            )
        if not self._send_test_alert:
            return _good("alerts", f"{names} (try with --send-test-alert)")
        alerter = Alerter(channels, alerts, facts=Facts(Log().hears()), clock=monotonic)
        sent = True
        for kind in (AlertKind.TRIGGER, AlertKind.RESOLVE):
            test = Alert(
                name="test",
                kind=kind,
                severity=Severity.INFO,
                summary="Test alert from `matchkeeper doctor`. Nothing is wrong.",
            )
            sent = await alerter.deliver(test) and sent
        if sent:
            return _good("alerts", f"test alert sent to {names}")
        return Finding(
            check="alerts",
            verdict=Verdict.WRONG,
            found=f"the test alert did not reach all of {names}",
            mend="The log lines above say which channel, and why.",
        )


def _good(check: str, found: str) -> Finding:
    return Finding(check=check, verdict=Verdict.GOOD, found=found)
