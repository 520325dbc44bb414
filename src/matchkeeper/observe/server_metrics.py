"""Metrics of the server itself: Redis, the people on call, its own health."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from prometheus_client import ProcessCollector

from matchkeeper import __version__
from matchkeeper.observe.facts import Fact, Facts
from matchkeeper.observe.metric_parts import DURATIONS, Registry

_BREAKER_STATES: Mapping[Fact[Any], str] = {
    Facts.breaker_closed: "closed",
    Facts.breaker_open: "open",
    Facts.breaker_probe: "half_open",
    Facts.breaker_forced: "forced_open",
}


class ServerMetrics(Registry):
    """Those that know nothing of players and matches."""

    def __init__(self) -> None:
        super().__init__()
        self._log_dropped_before = 0

    def at_scrape(self, *, ready: bool, dropped_lines: int) -> bytes:
        """The page that Prometheus reads; the log has dropped so many lines since the start."""
        self._ready.set(ready)
        self._log_dropped.inc(dropped_lines - self._log_dropped_before)
        self._log_dropped_before = dropped_lines
        return self.render()

    def _redis_metrics(self) -> None:
        self._histogram(
            "redis_operation_seconds",
            "Length of operations",
            "operation",
            of=Facts.redis_operation,
            by="seconds",
            buckets=DURATIONS,
        )
        self._counter(
            "redis_operations_total",
            "Operations, by how they ended",
            "operation",
            "outcome",
            of=Facts.redis_operation,
        )
        self._counter(
            "redis_retries_total", "Operations tried again", "operation", of=Facts.redis_retry
        )
        self._breaker = self._gauge("breaker_state", "1 for the state it is in", "state")
        for fact, state in _BREAKER_STATES.items():
            self._on(fact, partial(self._breaker_is, state))
        self._counter("breaker_opened_total", "Times the breaker opened", of=Facts.breaker_open)
        self._counter(
            "clock_steps_total",
            "Steps of the clock of Redis that were bridged",
            of=Facts.clock_stepped,
        )
        self._gauge(
            "clock_offset_seconds",
            "By how much the time that counts is ahead of the clock of Redis",
            of=Facts.clock_offset,
            by="seconds",
        )
        self._counter(
            "state_went_back_total",
            "Times the data in Redis went back: emptied, or an older set",
            of=Facts.state_went_back,
        )
        self._gauge(
            "redis_doubts",
            "Settings of Redis by which it may lose what it was given",
            of=Facts.redis_doubts,
            by="count",
        )
        self._breaker_is("closed")

    def _people_metrics(self) -> None:
        available = self._gauge("game_server_available", "1 unless the last offer was unheard")
        available.set(1)
        self._gauge(
            "game_server_subscribers",
            "Subscribers of battle requests",
            of=Facts.subscribers,
            by="count",
        )
        self._on(Facts.offer_heard, lambda: available.set(1))
        self._on(Facts.game_server_missing, lambda: available.set(0))
        failures = self._gauge(
            "game_server_failures",
            "Unheard offers in a row",
            of=Facts.game_server_missing,
            by="attempts",
        )
        self._on(Facts.offer_heard, lambda: failures.set(0))
        self._gauge(
            "pods_silent", "Pods whose heartbeats stopped", of=Facts.pods_silent, by="count"
        )
        self._gauge(
            "pods_refused",
            "Pods that start nothing, so that their claims are refused",
            of=Facts.pods_refused,
            by="count",
        )
        alerts = self._counter("alerts_total", "Alerts, by what became of them", "name", "outcome")
        self._on(Facts.alert_sent, lambda name: alerts.labels(name, "sent").inc())
        self._on(Facts.alert_failed, lambda name: alerts.labels(name, "failed").inc())
        self._on(Facts.alert_dropped, lambda name: alerts.labels(name, "dropped").inc())

    def _server_metrics(self) -> None:
        self._ready = self._gauge("ready", "1 when it is ready, as `/health/ready` says")
        differ = self._gauge(
            "settings_differ", "Settings in which another server differs; at most 11"
        )
        self._on(Facts.settings_differ, lambda differences: differ.set(len(differences)))
        self._on(Facts.settings_agree, lambda: differ.set(0))
        self._gauge(
            "event_loop_lag_seconds",
            "How late the event loop is",
            of=Facts.loop_lagged,
            by="seconds",
        )
        self._counter(
            "http_closed_total",
            "HTTP connections closed because they kept us waiting",
            "why",
            of=Facts.http_closed,
        )
        self._log_dropped = self._counter(
            "log_lines_dropped_total", "Log lines that the reader of the log did not take in time"
        )
        build = self._gauge("build_info", "Always 1", "version")
        build.labels(__version__).set(1)
        # Memory, CPU and open files, under the names that every dashboard knows; on Linux only.
        ProcessCollector(registry=self.registry)
        self._counter(
            "trace_spans_total",
            "Spans made, and of these sent or failed to be sent",
            "outcome",
            of=Facts.spans,
            by="count",
        )
        self._counter(
            "trace_contexts_lost_total",
            "Players whose trace breaks off, by the step",
            "step",
            of=Facts.traces_lost,
            by="count",
        )

    def _breaker_is(self, state: str) -> None:
        for each in _BREAKER_STATES.values():
            self._breaker.labels(each).set(each == state)
