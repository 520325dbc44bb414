"""A whole server with traces on, in this process, and a look at its spans."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from matchkeeper.config import load
from matchkeeper.server.wiring import Context, build
from tests.conftest import wait_until
from tests.support.harness import MODES, Outside

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{SPAN}-01"
NOT_SAMPLED = f"00-{TRACE}-{SPAN}-00"
SENT_AT_ONCE = ("OTEL_BSP_SCHEDULE_DELAY", "20")
"""A variable and its value: milliseconds until spans are sent."""


@dataclass
class Seen:
    """The spans of one process."""

    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)

    def named(self, name: str, **attributes: str) -> list[ReadableSpan]:
        return [
            span
            for span in self.exporter.get_finished_spans()
            if span.name == name and attributes.items() <= told(span).items()
        ]

    def one(self, name: str, **attributes: str) -> ReadableSpan:
        (span,) = self.named(name, **attributes)
        return span

    async def comes(self, name: str, **attributes: str) -> ReadableSpan:
        await wait_until(lambda: bool(self.named(name, **attributes)), what=f"span {name}")
        return self.one(name, **attributes)


def told(span: ReadableSpan) -> dict[str, Any]:
    """Its attributes, without their prefix."""
    return {name.removeprefix("matchkeeper."): each for name, each in span.attributes.items()}  # type: ignore[union-attr]  # ended spans have some


def trace_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


def below(child: ReadableSpan, parent: ReadableSpan) -> bool:
    return (
        child.parent is not None
        and child.parent.span_id == id_of(parent)
        and trace_of(child) == trace_of(parent)
    )


def linked(span: ReadableSpan) -> set[int]:
    return {link.context.span_id for link in span.links}


@asynccontextmanager
async def tracing(
    url: str, seen: Seen | None, *modes: dict[str, object], **settings: object
) -> AsyncIterator[Context]:
    """A whole server in this process, with traces on."""
    overrides = {
        "tracing.enabled": True,
        "matchmaking.game_modes": list(modes or MODES),
        "matchmaking.try_match_tick_interval_seconds": 0.3,
        "logging.repeat_interval_seconds": 0,
        **{name.replace("__", "."): value for name, value in settings.items()},
    }
    context = build(load(None, overrides, {}), url, exporter=seen.exporter if seen else None)
    async with context.stores.connection, context.traces.open():
        running = asyncio.create_task(context.server.run())
        await wait_until(
            lambda: context.pubsub.listening and bool(context.stream and context.stream.reading)
        )
        try:
            yield context
        finally:
            context.server.stop()
            await running


async def ask(wire: Outside, player: str, mode: str = "Normal", **more: object) -> None:
    request = {"player_id": player, "game_mode": mode, "metadata": {}, "pod_id": "pod-a", **more}
    await wire.redis.publish("match:enqueue:request", json.dumps(request))
    await wire.is_told(player, "EnQueued")
