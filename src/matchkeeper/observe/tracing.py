"""Spans, by OpenTelemetry. Imported only where traces are on: it is an optional dependency."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import trace_exporter as otlp
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from matchkeeper import __version__
from matchkeeper.config import TracingSettings
from matchkeeper.observe.facts import Facts

__all__ = ["Span", "SpanKind", "Spans", "failed", "nanoseconds"]

_CLOSE_SECONDS = 2.0
_PATH = "/v1/traces"
_w3c = TraceContextTextMapPropagator()


class Spans:
    """Makes spans and sends them, from a thread of its own and without ever waiting for it. What
    the settings leave open is as the `OTEL_…` variables say.
    """

    def __init__(
        self, settings: TracingSettings, *, facts: Facts, exporter: SpanExporter | None = None
    ) -> None:
        self._sender = _Sender(exporter or _otlp(settings.endpoint), facts)
        sampler = None
        if settings.sample_ratio is not None:
            sampler = ParentBased(TraceIdRatioBased(settings.sample_ratio))
        self._provider = TracerProvider(
            sampler=sampler, resource=_resource(settings.service_name), shutdown_on_exit=False
        )
        self._counted = _Counted(facts)
        self._provider.add_span_processor(self._counted)
        self._provider.add_span_processor(BatchSpanProcessor(self._sender))
        self._tracer = self._provider.get_tracer("matchkeeper", __version__)
        self._told = 0

    def start(
        self,
        name: str,
        *,
        at: float,
        parent: str,
        links: Iterable[str] = (),
        kind: SpanKind = SpanKind.INTERNAL,
        **attributes: str | int,
    ) -> Span:
        """A span that begins `at` Unix seconds, below the traceparent `parent` where that is not
        empty. Attributes get `matchkeeper.` before their names; empty ones are left out. The
        caller ends it.
        """
        return self._tracer.start_span(
            name,
            context=_context(parent),
            kind=kind,
            attributes={f"matchkeeper.{key}": each for key, each in attributes.items() if each},
            links=[Link(get_current_span(_context(each)).get_span_context()) for each in links],
            start_time=nanoseconds(at),
        )

    def traceparent(self, span: Span) -> str:
        """Of a span that is recorded; empty for one that is not."""
        if not span.get_span_context().trace_flags.sampled:
            return ""
        carrier: dict[str, str] = {}
        _w3c.inject(carrier, set_span_in_context(span, Context()))
        return carrier.get("traceparent", "")

    def not_sent(self) -> tuple[int, str]:
        """How many spans could not be sent since this was asked last, and why."""
        failed, self._told = self._sender.failed - self._told, self._sender.failed
        return failed, self._sender.reason.last

    async def close(self) -> None:
        """Sends what waits. A collector that hangs is not waited for longer than two seconds."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def shut() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # nobody waits any more
                loop.call_soon_threadsafe(done.set)

        # Not in the loop's executor, whose threads are waited for at the end of the process.
        threading.Thread(target=shut, name="last spans", daemon=True).start()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await done.wait()
        except TimeoutError:  # what still waits is lost
            self._sender.failed = self._counted.made - self._sender.sent
        self._sender.reason.close()


def nanoseconds(seconds: float) -> int:
    """Unix time as OpenTelemetry wants it."""
    return int(seconds * 1e9)


def failed(span: Span, why: str) -> None:
    """Marks a span as one that did not come to a good end."""
    span.set_status(Status(StatusCode.ERROR, why))


def _context(traceparent: str) -> Context:
    return _w3c.extract({"traceparent": traceparent}, Context()) if traceparent else Context()


def _resource(service_name: str | None) -> Resource:
    attributes = {"service.version": __version__}
    if service_name is not None:
        attributes[SERVICE_NAME] = service_name
    elif "OTEL_SERVICE_NAME" not in os.environ:
        attributes[SERVICE_NAME] = "matchkeeper"
    return Resource.create(attributes)


def _otlp(endpoint: str | None) -> SpanExporter:
    if endpoint is not None and urlsplit(endpoint).path in ("", "/"):
        endpoint = endpoint.rstrip("/") + _PATH
    return otlp.OTLPSpanExporter(endpoint=endpoint)


class _Reason(logging.Handler):
    """Keeps the last words of the exporter; how often they are logged is the server's affair."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""
        self._logger = logging.getLogger(otlp.__name__)
        self._logger.propagate = False
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Instead of a line in the log."""
        self.last = record.getMessage()

    def close(self) -> None:
        """Lets go of the exporter's logger."""
        self._logger.removeHandler(self)
        super().close()


class _Sender(SpanExporter):
    """Counts what became of spans. Runs in the thread that sends them."""

    def __init__(self, exporter: SpanExporter, facts: Facts) -> None:
        self._exporter = exporter
        self._facts = facts
        self.reason = _Reason()
        self.sent = self.failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends a batch."""
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            sent = result is SpanExportResult.SUCCESS
            self._facts.spans(outcome="sent" if sent else "failed", count=len(spans))
            if sent:
                self.sent += len(spans)
            else:
                self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        """No more comes."""
        self._exporter.shutdown()


class _Counted(SpanProcessor):
    """Counts the spans that are to be sent."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.made = 0

    def on_end(self, span: ReadableSpan) -> None:
        """A span is whole."""
        if span.context is not None and span.context.trace_flags.sampled:
            self.made += 1
            self._facts.spans(outcome="made", count=1)
