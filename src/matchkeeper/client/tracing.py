"""The client's spans, where the game server's process has OpenTelemetry; else there are none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .. import __version__
from ..wire.answers import BattleRequest
from ..wire.trace_context import traceparent_in

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer, TracerProvider

Tell = Callable[[str], None]
"""Takes the outcome, in a word."""


class ClientSpans:
    """Makes the spans of one game server. `provider` None: the one that the process has set."""

    def __init__(self, pod_id: str, provider: TracerProvider | None) -> None:
        self._pod_id = pod_id
        self._provider = provider

    @contextmanager
    def enqueue(self, player_id: str, game_mode: str) -> Generator[str]:
        """Around a request: the `traceparent` that it carries, empty where nothing is traced."""
        tracer = self._tracer()
        if tracer is None:
            yield ""
            return
        from opentelemetry.trace import SpanKind  # noqa: PLC0415  # optional, and loaded already
        from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415  # as above

        attributes = self._attributes(game_mode, player_id=player_id)
        with tracer.start_as_current_span("enqueue", kind=SpanKind.PRODUCER, attributes=attributes):
            carrier: dict[str, str] = {}
            tracecontext.TraceContextTextMapPropagator().inject(carrier)
            yield carrier.get("traceparent", "")

    @contextmanager
    def handoff(self, step: str, request: BattleRequest) -> Generator[Tell]:
        """Around claim, confirm or decline: below the match, with a link to the span of the caller.

        A match that the server does not trace has no span here either.
        """
        traceparent = traceparent_in(request.traceparent)
        tracer = self._tracer() if traceparent else None
        if tracer is None:
            yield lambda _reply: None
            return
        from opentelemetry import trace  # noqa: PLC0415  # optional, and loaded already
        from opentelemetry.context import Context  # noqa: PLC0415  # as above
        from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415  # as above

        caller = trace.get_current_span().get_span_context()
        with tracer.start_as_current_span(
            step,
            context=tracecontext.TraceContextTextMapPropagator().extract(
                {"traceparent": traceparent}, Context()
            ),
            kind=trace.SpanKind.CONSUMER if step == "claim" else trace.SpanKind.CLIENT,
            attributes=self._attributes(request.game_mode, match_id=request.match_id),
            links=[trace.Link(caller)] if caller.is_valid else [],
        ) as span:
            yield lambda reply: span.set_attribute("matchkeeper.outcome", reply)

    def _tracer(self) -> Tracer | None:
        if self._provider is None and "opentelemetry.trace" not in sys.modules:
            return None  # what is not loaded is not set up
        from opentelemetry import trace  # noqa: PLC0415  # optional, and loaded already

        provider = self._provider or trace.get_tracer_provider()
        if isinstance(provider, trace.ProxyTracerProvider):
            return None  # nor what stands for one that is not set
        return provider.get_tracer("matchkeeper.client", __version__)

    def _attributes(self, game_mode: str, **others: str) -> dict[str, str]:
        told = {"mode": game_mode, "pod_id": self._pod_id, **others}
        return {f"matchkeeper.{name}": value for name, value in told.items()}
