"""Who is told of what goes wrong."""

from __future__ import annotations

from datetime import timedelta

from matchkeeper.config import Settings
from matchkeeper.context.stores import Clock
from matchkeeper.loops.claimers import RefusedClaimers
from matchkeeper.observe.alert_channels import channels_from
from matchkeeper.observe.alerts import Alerter
from matchkeeper.observe.metrics import Metrics


def claimers_for(settings: Settings, *, alerter: Alerter, metrics: Metrics) -> RefusedClaimers:
    """Who is told of game servers that start nothing."""
    forget_after = timedelta(seconds=settings.matchmaking.unstarted_refusal_max_seconds)
    return RefusedClaimers(alerter=alerter, metrics=metrics, forget_after=forget_after)


def alerter_for(settings: Settings, *, metrics: Metrics, clock: Clock) -> Alerter:
    """With a channel for each configured address. Raises ConfigError."""
    alerts = settings.alerts
    key = alerts.pagerduty_routing_key
    return Alerter(
        channels_from(
            urls=[each.get_secret_value() for each in alerts.urls],
            pagerduty_routing_key=None if key is None else key.get_secret_value(),
            pagerduty_url=alerts.pagerduty_url,
            source=alerts.source,
        ),
        interval=timedelta(seconds=alerts.repeat_interval_seconds),
        queue_size=alerts.queue_size,
        send_timeout=timedelta(seconds=alerts.send_timeout_seconds),
        metrics=metrics,
        clock=clock,
    )
