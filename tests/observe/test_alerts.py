"""Alerts on real HTTP: sent once, in the background, with begin and end joined."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import stamina
from pydantic import SecretStr

from matchkeeper.config import AlertSettings
from matchkeeper.errors import ConfigError, StoreUnavailableError
from matchkeeper.observe.alert_channels import channels_from
from matchkeeper.observe.alerts import Alert, Alerter, AlertKind, AlertPermission, Severity
from matchkeeper.observe.facts import Facts
from matchkeeper.observe.log import Log
from matchkeeper.observe.metrics import Metrics
from tests.conftest import RealServer, wait_until
from tests.support.stores import open_stores
from tests.support.webhooks import Webhook, webhook

KEY = "R0UT1NGKEY"


def alert(kind: AlertKind = AlertKind.TRIGGER) -> Alert:
    return Alert(
        name="redis",
        kind=kind,
        severity=Severity.CRITICAL,
        summary="Redis is away",
        runbook="docs/page.md",
    )


@asynccontextmanager
async def alerter(
    hook: Webhook,
    *,
    permission: AlertPermission | None = None,
    timeout: float = 5.0,
    pagerduty: bool = True,
    queue_size: int = 10,
) -> AsyncIterator[tuple[Alerter, Metrics]]:
    metrics = Metrics()
    settings = AlertSettings(
        urls=() if pagerduty else (SecretStr(hook.apprise_url),),
        pagerduty_routing_key=SecretStr(KEY) if pagerduty else None,
        pagerduty_url=hook.url,
        source="test",
        repeat_interval_seconds=60,
        queue_size=queue_size,
        send_timeout_seconds=timeout,
    )
    facts = Facts(Log().hears(), metrics.hears())
    running = Alerter(channels_from(settings), settings, facts=facts, clock=time.monotonic)
    running.permission = permission
    task = asyncio.ensure_future(running.run())
    try:
        yield running, metrics
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_pagerduty_gets_trigger_and_resolve_under_one_key() -> None:
    async with webhook() as hook, alerter(hook) as (running, _):
        running.submit(alert())
        running.submit(alert(AlertKind.RESOLVE))
        await wait_until(lambda: len(hook.bodies) == 2)
    begin, end = hook.bodies
    assert begin["event_action"] == "trigger"
    assert begin["payload"]["severity"] == "critical"
    assert begin["payload"]["summary"] == "Redis is away"
    assert begin["payload"]["custom_details"] == {"runbook": "docs/page.md"}
    assert end["event_action"] == "resolve"
    assert begin["dedup_key"] == end["dedup_key"]
    assert begin["routing_key"] == KEY


async def test_a_plain_webhook_gets_the_sentence() -> None:
    async with webhook() as hook, alerter(hook, pagerduty=False) as (running, _):
        running.submit(alert())
        running.submit(alert(AlertKind.RESOLVE))
        await wait_until(lambda: len(hook.bodies) == 2)
    assert [body["message"] for body in hook.bodies] == [
        "Redis is away\nRunbook: docs/page.md",
        "Redis is away",
    ]
    assert [body["type"] for body in hook.bodies] == ["failure", "success"]


async def test_an_overloaded_pagerduty_is_asked_again() -> None:
    async with webhook() as hook, alerter(hook) as (running, metrics):
        hook.statuses = [429, 503]
        with stamina.set_testing(True, attempts=3):
            running.submit(alert())
            await wait_until(lambda: b'outcome="sent"' in metrics.render())
    assert len(hook.bodies) == 3


async def test_a_refusal_is_told_without_the_key(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with webhook() as hook, alerter(hook) as (running, metrics):
            hook.statuses = [400]
            running.submit(alert())
            await wait_until(lambda: b'outcome="failed"' in metrics.render())
    assert len(hook.bodies) == 1
    assert KEY not in caplog.text


async def test_a_hanging_webhook_delays_nobody() -> None:
    async with webhook() as hook, alerter(hook, timeout=0.2, queue_size=2) as (running, metrics):
        hook.hang = True
        running.permission = Yes()
        for _ in range(20):
            running.submit(alert())
        text = metrics.render().decode()
        assert 'matchkeeper_alerts_total{name="redis",outcome="dropped"} 18.0' in text
        await wait_until(lambda: b'outcome="failed"' in metrics.render())


@dataclass
class Away:
    """A permission that cannot be asked, because Redis is what is wrong."""

    asked: list[str] = field(default_factory=list)

    async def may_send(self, name: str, interval: timedelta) -> bool:
        self.asked.append(name)
        raise StoreUnavailableError("away")

    async def may_resolve(self, name: str) -> bool:
        raise StoreUnavailableError("away")


class Yes:
    """A permission that is always given."""

    async def may_send(self, name: str, interval: timedelta) -> bool:
        return True

    async def may_resolve(self, name: str) -> bool:
        return True


async def test_when_redis_cannot_be_asked_the_alert_is_sent_all_the_same() -> None:
    async with webhook() as hook, alerter(hook, permission=Away()) as (running, _):
        for kind in (AlertKind.TRIGGER, AlertKind.TRIGGER, AlertKind.RESOLVE, AlertKind.RESOLVE):
            running.submit(alert(kind))
        await running.drain(5)
        assert [body["event_action"] for body in hook.bodies] == ["trigger", "resolve"]


async def test_of_two_servers_one_tells_begin_and_end(valkey: RealServer) -> None:
    async with (
        open_stores(valkey.url, me="a") as one,
        open_stores(valkey.url, me="b") as two,
        webhook() as hook,
        alerter(hook, permission=one.coordination) as (first, _),
        alerter(hook, permission=two.coordination) as (second, _),
    ):
        for _ in range(3):
            first.submit(alert())
            second.submit(alert())
        await first.drain(5)
        await second.drain(5)
        assert len(hook.bodies) == 1, "once an interval, for both"
        for running in (first, second):
            running.submit(alert(AlertKind.RESOLVE))
            await running.drain(5)
        assert [body["event_action"] for body in hook.bodies] == ["trigger", "resolve"]


def test_a_url_that_apprise_does_not_know_is_refused_without_its_secrets() -> None:
    with pytest.raises(ConfigError) as caught:
        channels_from(AlertSettings(urls=(SecretStr("nonsense://user:s3cret@host"),)))
    assert "alerts.urls[0] (nonsense://…)" in caught.value.message
    assert "s3cret" not in caught.value.message + caught.value.hint
