"""Traces: the whole server and the client library, with spans looked at from outside."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from matchkeeper.client import GameServer
from matchkeeper.config import load
from matchkeeper.context import Context, build
from matchkeeper.observe.events import Event, heard_by
from matchkeeper.protocol.trace_context import traceparent_in, traceparent_of
from matchkeeper.store import keys
from tests.collector import collecting
from tests.conftest import RealServer, wait_until
from tests.harness import MODES, Outside, outside, serving
from tests.test_claiming import next_offer

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{SPAN}-01"
NOT_SAMPLED = f"00-{TRACE}-{SPAN}-00"
CLAIM = {"game_mode": "Squad", "required_players": 2, "handoff": "claim"}


@pytest.fixture(autouse=True)
def _sent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")


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


@pytest.fixture
def pods() -> Iterator[tuple[Seen, TracerProvider]]:
    """OpenTelemetry as a game server sets it up."""
    seen = Seen()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(seen.exporter))
    yield seen, provider
    provider.shutdown()


async def ask(wire: Outside, player: str, mode: str = "Normal", **more: object) -> None:
    request = {"player_id": player, "game_mode": mode, "metadata": {}, "pod_id": "pod-a", **more}
    await wire.redis.publish("match:enqueue:request", json.dumps(request))
    await wire.is_told(player, "EnQueued")


async def test_one_trace_from_the_request_to_the_start(
    any_server: RealServer, pods: tuple[Seen, TracerProvider]
) -> None:
    pod_spans, provider = pods
    tracer = provider.get_tracer("a game")
    seen = Seen()
    async with (
        tracing(any_server.url, seen),
        GameServer(any_server.url, pod_id="pod-a", tracer_provider=provider) as pod,
        outside(any_server.url) as wire,
    ):
        for player in ("p1", "p2"):
            with tracer.start_as_current_span(f"login {player}"):
                await pod.enqueue(player, "Squad")
        offer = await next_offer(pod)
        kept = await wire.redis.keys("trace:*")
        assert set(kept) <= {"trace:{squad}:p1", "trace:{squad}:p2"}
        for key in kept:
            assert await wire.redis.pttl(key) > 0
        assert await offer.claim()
        assert await offer.started()
        handoff = await seen.comes("handoff")
    for player in ("p1", "p2"):
        login = pod_spans.one(f"login {player}")
        asked = pod_spans.one("enqueue", player_id=player)
        intake, wait = seen.one("intake", player_id=player), seen.one("wait", player_id=player)
        assert below(asked, login)
        assert below(intake, asked)
        assert below(wait, intake)
        assert told(intake) | {"mode": "Squad", "outcome": "queued", "via": "stream"} == told(
            intake
        )
        assert wait.start_time is not None
        assert wait.end_time is not None
        assert wait.start_time <= wait.end_time
        assert linked(wait) == {id_of(seen.one("match"))}
    match = seen.one("match")
    assert below(match, seen.one("intake", player_id="p1"))
    assert linked(match) == {id_of(seen.one("intake", player_id="p2"))}
    assert offer.request.traceparent.split("-")[1:3] == [trace_of(match), f"{id_of(match):016x}"]
    assert below(handoff, match)
    assert told(handoff)["outcome"] == "started"
    assert [event.name for event in handoff.events] == ["claimed"]
    for step, outcome in (("claim", "claimed"), ("confirm", "started")):
        assert below(pod_spans.one(step), match)
        assert told(pod_spans.one(step))["outcome"] == outcome
    assert trace_of(pod_spans.one("login p1")) == trace_of(pod_spans.one("confirm"))


async def test_other_servers_go_on_with_the_trace(valkey: RealServer) -> None:
    first, second, third = Seen(), Seen(), Seen()
    async with outside(valkey.url, pods=False) as wire, tracing(valkey.url, first, CLAIM):
        await ask(wire, "p1", "Squad", traceparent=SAMPLED)
        await ask(wire, "p2", "Squad")
    async with outside(valkey.url) as wire:
        quick = {"matchmaking__offer_timeout_seconds": 0.3, "matchmaking__max_offers": 5}
        async with tracing(valkey.url, second, CLAIM, **quick):
            await wait_until(lambda: bool(wire.offers))
        match, wait = second.one("match"), second.one("wait", player_id="p1")
        assert below(match, first.one("intake", player_id="p1"))
        assert below(wait, first.one("intake", player_id="p1"))
        assert wire.offers[0]["traceparent"] == f"00-{TRACE}-{id_of(match):016x}-01"
        async with tracing(valkey.url, third, CLAIM, **quick):
            await wait_until(lambda: wire.offers[-1]["epoch"] > 1)
        assert wire.offers[-1]["traceparent"].split("-")[1] == TRACE


async def test_what_goes_wrong_is_in_the_trace(
    valkey: RealServer, pods: tuple[Seen, TracerProvider]
) -> None:
    _, provider = pods
    seen = Seen()
    brief = {"game_mode": "Brief", "required_players": 2, "max_wait_seconds": 0.2}
    quick = {"matchmaking__offer_timeout_seconds": 0.2, "matchmaking__unclaimed_threshold": 100}
    async with (
        tracing(valkey.url, seen, CLAIM, brief, **quick),
        GameServer(valkey.url, pod_id="pod-a", tracer_provider=provider) as pod,
    ):
        await pod.enqueue("p1", "Squad")
        await pod.enqueue("p2", "Squad")
        offer = await next_offer(pod)
        again = await next_offer(pod)
        assert again.request.traceparent == offer.request.traceparent
        assert await again.claim(lease=timedelta(milliseconds=100))
        await pod.enqueue("p3", "Brief")
        handoff = await seen.comes("handoff")
        assert told(handoff)["outcome"] == "given_back"
        assert told(handoff)["cause"] == "lease_expired"
        assert not handoff.status.is_ok
        assert [event.name for event in handoff.events] == ["offered_again", "claimed"]
        assert told(await seen.comes("wait", player_id="p3"))["outcome"] == "expired"
        later = await next_offer(pod)
        assert later.request.match_id != offer.request.match_id
        same = [one.request.traceparent.split("-")[1] for one in (offer, later)]
        assert same[0] == same[1], "who goes back keeps place and trace"


@pytest.mark.parametrize(
    "bad", ["", "nonsense", SAMPLED.upper(), f"{SAMPLED}-x", 7, None, ["x"], {"a": 1}, "0" * 9999]
)
def test_what_is_no_traceparent_is_as_good_as_none(bad: object) -> None:
    assert traceparent_of(json.dumps(bad).encode()) == ""


def test_a_traceparent_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert traceparent_in(f"cc{SAMPLED[2:]}-what-will-be") == SAMPLED
    assert traceparent_in(f"ff{SAMPLED[2:]}") == ""
    assert traceparent_in(SAMPLED.replace(TRACE, "0" * 32)) == ""
    assert traceparent_in(SAMPLED.replace(SPAN, "0" * 16)) == ""


async def test_who_sends_none_gets_a_trace_of_its_own(valkey: RealServer) -> None:
    seen = Seen()
    async with tracing(valkey.url, seen), outside(valkey.url) as wire:
        await ask(wire, "p1", traceparent={"no": ["string"]})
        await ask(wire, "p2", traceparent=SAMPLED[:-1])
        await wire.is_told("p2", "MatchFound")
        match = await seen.comes("match")
        assert seen.one("intake", player_id="p1").parent is None
        assert wire.offers[0]["traceparent"].split("-")[1] == trace_of(match)
        assert not seen.named("handoff"), "delivered with the commit"


async def test_only_what_is_sampled_is_kept_and_told(valkey: RealServer) -> None:
    seen = Seen()
    async with tracing(valkey.url, seen, tracing__sample_ratio=0), outside(valkey.url) as wire:
        await ask(wire, "p1")
        await ask(wire, "p2", traceparent=NOT_SAMPLED)
        await wire.is_told("p2", "MatchFound")
        assert "traceparent" not in wire.offers[0]
        await ask(wire, "p3", traceparent=SAMPLED)
        await wait_until(lambda: _has_keys(wire, "trace:{normal}:p3"))
        kept: Any = await wire.redis.get("trace:{normal}:p3")
        assert kept.split("-")[1] == TRACE
        await ask(wire, "p4")
        await wire.is_told("p4", "MatchFound")
        assert wire.offers[1]["traceparent"].split("-")[1] == TRACE
        await seen.comes("match")
    assert {trace_of(span) for span in seen.exporter.get_finished_spans()} == {TRACE}


async def _has_keys(wire: Outside, *expected: str) -> bool:
    return set(await wire.redis.keys("trace:*")) == set(expected)


async def test_what_fails_with_traces_fails_alone(valkey: RealServer) -> None:
    seen, events = Seen(), []
    patterns = [f"~{each}" for each in keys.PATTERNS if not each.startswith("trace")]
    async with outside(valkey.url) as wire:
        narrow = ("ACL", "SETUSER", "narrow", "on", ">narrow", "&*", "+@all", *patterns)
        await wire.redis.execute_command(*narrow)
        url = valkey.url.replace("redis://", "redis://narrow:narrow@")
        with heard_by(lambda event, fields: events.append((event, fields))):
            async with tracing(url, seen) as context:
                await ask(wire, "p1")
                await ask(wire, "p2")
                await wire.is_told("p2", "MatchFound")
                await seen.comes("match")
                await wire.redis.mset(
                    {"metadata:h1": '{"pod_id":"a"}', "metadata:h2": '{"pod_id":"a"}'}
                )
                await wire.redis.zadd("queue:{normal}", {"h1": 1, "h2": 2})
                await wire.is_told("h2", "MatchFound")
                page = context.metrics.render().decode()
        assert 'trace_contexts_lost_total{step="keep"} 2.0' in page
        assert 'trace_contexts_lost_total{step="read"} 2.0' in page
        assert 'breaker_state{state="closed"} 1.0' in page
        lost = [fields for event, fields in events if event is Event.TRACES_LOST]
        assert "No permissions" in str(lost[0]["error"])
        assert {event for event, _ in events if event is Event.REDIS_REFUSED} == set()


async def test_nothing_is_traced_unless_it_is_on(
    valkey: RealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # tells of each module on stderr
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            for player in ("p1", "p2"):
                await ask(wire, player, "Squad", traceparent=SAMPLED)
            await wait_until(lambda: bool(wire.offers))
            assert "traceparent" not in wire.offers[0]
            assert await wire.redis.keys("trace:*") == []
        assert server.lines("redis.asyncio.client")
        assert not server.lines(" opentelemetry.context")  # which all of it needs


def _python(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_client_loads_nothing_of_opentelemetry() -> None:
    done = _python(
        "import sys, redis.asyncio\n"  # which loads some of it by itself
        "def loaded(): return {name for name in sys.modules if name.startswith('opentelemetry')}\n"
        "before = loaded()\n"
        "import matchkeeper.context\n"
        "from matchkeeper.client import GameServer\n"
        "pod = GameServer('redis://127.0.0.1:1/0', pod_id='a')\n"
        "with pod._spans.enqueue('p', 'm') as traceparent: assert traceparent == ''\n"
        "print(loaded() - before, 'opentelemetry.sdk.trace' in before)"
    )
    assert done.stdout == "set() False\n", done.stderr


def test_on_without_the_package_is_a_clear_error() -> None:
    done = _python(
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from matchkeeper.cli.main import run; run()",
        "serve",
        "--redis-url",
        "redis://127.0.0.1:1/0",
        MATCHKEEPER_TRACING__ENABLED="true",
    )
    assert done.returncode == 2
    assert "pip install 'matchkeeper[otel]'" in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_collector_gets_them_over_http(valkey: RealServer, tmp_path: Path) -> None:
    with collecting() as collector:
        settings = {"tracing__enabled": True, "tracing__endpoint": collector.url}
        with serving(valkey.url, tmp_path, **settings) as server:
            await server.ready()
            async with outside(valkey.url) as wire:
                await ask(wire, "p1", traceparent=SAMPLED)
                await ask(wire, "p2")
                await wire.is_told("p2", "MatchFound")
            await wait_until(lambda: bool(collector.named("match")))
            assert await server.metric("matchkeeper_trace_spans_total") >= 5
    assert set(collector.paths) == {"/v1/traces"}
    assert collector.services == {"matchkeeper"}
    (match,) = collector.named("match")
    assert match.trace_id.hex() == TRACE
    (link,) = match.links
    assert link.trace_id in {span.trace_id for span in collector.named("intake")}


async def test_a_collector_that_refuses_is_told_of(valkey: RealServer) -> None:
    events: list[tuple[Event, Any]] = []
    with collecting(status=400) as collector, heard_by(lambda *each: events.append(each)):
        async with (
            tracing(valkey.url, None, tracing__endpoint=f"{collector.url}/own/path") as context,
            outside(valkey.url) as wire,
        ):
            await ask(wire, "p1")
            await wait_until(lambda: bool(collector.paths))
        assert collector.paths == ["/own/path"]
    (fields,) = [fields for event, fields in events if event is Event.SPANS_NOT_SENT]
    assert fields["count"] == 1
    assert "400" in fields["error"]
    assert 'trace_spans_total{outcome="failed"} 1.0' in context.metrics.render().decode()
