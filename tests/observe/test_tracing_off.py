"""Traces that are off, not installed, sent over HTTP, or asked for with nonsense."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from matchkeeper.observe import tracing as observe_tracing
from matchkeeper.observe.facts import Fact, Facts, Fields
from matchkeeper.wire.trace_context import traceparent_in, traceparent_of
from tests.conftest import RealServer, wait_until
from tests.support.collector import collecting
from tests.support.harness import outside, serving
from tests.support.traced import SAMPLED, SENT_AT_ONCE, SPAN, TRACE, ask, tracing


@pytest.fixture(autouse=True)
def _sent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(*SENT_AT_ONCE)


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
        "import matchkeeper.server.wiring\n"
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


@pytest.mark.parametrize("status", [400, 503], ids=["refuses", "is busy for long"])
async def test_a_collector_that_does_not_take_them_is_told_of(
    status: int, valkey: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe_tracing, "_CLOSE_SECONDS", 0.2)
    lines: list[tuple[Fact[Any], Fields]] = []
    with collecting(status) as collector:
        async with (
            tracing(valkey.url, None, tracing__endpoint=f"{collector.url}/own/path") as context,
            outside(valkey.url) as wire,
        ):
            context.log.readers.append(lambda *line: lines.append(line))
            await ask(wire, "p1")
            await wait_until(lambda: bool(collector.paths))
        assert collector.paths == ["/own/path"]
    (fields,) = [fields for fact, fields in lines if fact is Facts.spans_not_sent]
    assert fields["count"] == 1
    assert fields["error"]
    page = context.metrics.render().decode()
    assert ('trace_spans_total{outcome="failed"} 1.0' in page) == (status == 400)
