"""Traces, where they are on. They have a connection and a circuit breaker of their own, so that
their failures harm nothing else.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from matchkeeper.config import Settings
from matchkeeper.errors import ConfigError
from matchkeeper.observe.runtime import Runtime
from matchkeeper.observe.traces import Traces, Untraced
from matchkeeper.resilience.breaker import CircuitBreaker
from matchkeeper.store.connection import Connection, ConnectionOptions
from matchkeeper.store.operations import Unobserved
from matchkeeper.store.traces import TraceStore

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

_LONGEST_CALL = timedelta(seconds=1)
"""A match does not wait longer for its traces."""
_COOLDOWN = timedelta(seconds=5)


def traces_for(
    settings: Settings,
    options: ConnectionOptions,
    runtime: Runtime,
    exporter: SpanExporter | None = None,
) -> Traces:
    """Traces as the settings say. `exporter` takes the spans in place of the collector.

    Raises ConfigError where OpenTelemetry is wanted and not installed.
    """
    tracing = settings.tracing
    if not tracing.enabled:
        return Untraced()
    try:
        from matchkeeper.observe.player_traces import PlayerTraces  # noqa: PLC0415  # optional
        from matchkeeper.observe.tracing import Spans  # noqa: PLC0415  # optional
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        raise ConfigError(
            f"tracing.enabled is true, and {error.name} is not installed",
            hint="pip install 'matchkeeper[otel]', or set tracing.enabled to false.",
        ) from None
    return PlayerTraces(
        Spans(tracing, facts=runtime.facts, exporter=exporter),
        TraceStore(_connection(options, runtime)),
        facts=runtime.facts,
        wall=time.time,
        stop=runtime.stop,
    )


def _connection(options: ConnectionOptions, runtime: Runtime) -> Connection:
    return Connection(
        ConnectionOptions(
            url=options.url,
            timeout=min(options.timeout, _LONGEST_CALL),
            max_connections=4,
            password_file=options.password_file,
            network=options.network,
        ),
        breaker=CircuitBreaker(
            cooldown=_COOLDOWN,
            cooldown_max=_COOLDOWN,
            clock=runtime.clock,
            rng=runtime.rng,
        ),
        observer=Unobserved(),  # the caller tells failures as lost traces
        clock=runtime.clock,
        rng=runtime.rng,
        stop=runtime.stop,
    )
