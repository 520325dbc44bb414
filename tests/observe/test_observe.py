"""Logs, metrics, and when people are told that there is no game server."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import string
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from matchkeeper.config import AlertSettings
from matchkeeper.domain.ticket import Poison
from matchkeeper.handoff.monitor import Failed, GameServerMonitor, Recovered
from matchkeeper.observe.facts import ALL, Fact, Facts
from matchkeeper.observe.facts.handoff import Started
from matchkeeper.observe.line_writer import LineWriter
from matchkeeper.observe.log import Log
from matchkeeper.observe.logging import configured, dropped_lines
from matchkeeper.observe.metric_parts import BoundedLabels
from matchkeeper.observe.metrics import Metrics
from tests.conftest import RealServer, wait_until
from tests.support.harness import outside, serving

FACTS = Facts(Log().hears())


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@contextmanager
def logged(fmt: Literal["json", "console"] = "json", level: str = "INFO") -> Iterator[list[str]]:
    """Fills the list with what was logged meanwhile."""
    reading, writing = os.pipe()
    lines: list[str] = []
    with configured(level=level, fmt=fmt, descriptor=writing):
        yield lines
    os.close(writing)
    with os.fdopen(reading, "rb") as log:
        lines += log.read().decode().splitlines()


FIXED = {
    Facts.redis_timeout: "read timeout after 10s",
    Facts.tick_skipped: "TryMatch already running, skipping this tick",
    Facts.poisoned: "Poisoned candidate p1: Invalid JSON: x",
    Facts.game_server_unavailable: "CRITICAL: Game Server unavailable for 10 consecutive attempts! "
    "No subscribers on battle:request channel.",
    Facts.game_server_recovered: "Game Server recovered! 2 subscriber(s) available. "
    "(Was down for 12 attempts)",
    Facts.breaker_open: "Circuit breaker OPEN! 5 consecutive failures. Blocking operations for 60s",
    Facts.circuit_open_skip: "Redis circuit open, skipping TryMatch",
    Facts.breaker_closed: "Circuit breaker CLOSED (recovered after 7 failures)",
}
FIELDS: dict[Fact[Any], dict[str, object]] = {
    Facts.redis_timeout: {"operation": "read", "seconds": 10.0},
    Facts.poisoned: {"player_id": "p1", "reason": "Invalid JSON: x"},
    Facts.game_server_unavailable: {"attempts": 10, "channel": "battle:request"},
    Facts.game_server_recovered: {"subscribers": 2, "attempts": 12},
    Facts.breaker_open: {"failures": 5, "seconds": 60.0},
    Facts.breaker_closed: {"failures": 7},
}


@pytest.mark.parametrize("fact", list(FIXED), ids=lambda fact: fact.name)
def test_the_sentences_people_search_for(fact: Fact[Any]) -> None:
    assert fact.says(**FIELDS.get(fact, {})) == FIXED[fact]


def _names(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_every_line_says_what_to_do_and_every_fact_what_it_means() -> None:
    assert len({fact.name for fact in ALL}) == len(ALL)
    for fact in ALL:
        assert fact.meaning or fact is Facts.alert_sent
        assert fact.line is None or fact.line.do


@pytest.mark.parametrize(
    "fact", [each for each in ALL if each.line], ids=lambda fact: str(fact.name)
)
def test_every_line_can_be_said_with_the_fields_of_its_fact(fact: Fact[Any]) -> None:
    assert fact.line is not None
    names = _names(fact.line.sentence) | _names(fact.line.page)
    if fact.line.told is None:
        assert names <= fact.defaults.keys()
        with logged(level="DEBUG") as lines:
            Log().say(fact, **dict.fromkeys(fact.defaults, 1))
        line = json.loads(lines[0])
        assert line["kind"] == fact.name
        assert {name: line[name] for name in names} == dict.fromkeys(names, 1)


def test_a_listener_is_given_the_fields_that_it_names() -> None:
    heard: list[tuple[Any, ...]] = []
    facts = Facts(
        [
            (Facts.expired, lambda players: heard.append((players,))),
            (Facts.expired, lambda mode, more=7: heard.append((mode, more))),
            (Facts.match_given_back, lambda pod_id, cause: heard.append((pod_id, cause))),
        ]
    )
    facts.expired(mode="Normal", players=3)
    facts.match_given_back(mode="Normal", match_id="m", players=2, cause="unclaimed")
    assert heard == [(3,), ("Normal", 7), ("", "unclaimed")]
    with pytest.raises(TypeError, match="expired has no pod"):
        Facts([(Facts.expired, lambda pod: heard.append((pod,)))])


def test_json_lines_carry_kind_and_fields_and_no_secret() -> None:
    with logged() as logs:
        error = "redis://user:hunter2@host:6379 no"
        Log().say(Facts.redis_network_error, error=error, token="hunter2")
        FACTS.match_started(mode="m", matches=[Started("x", "p")])
        logging.getLogger("foreign").warning("cannot reach redis://u:hunter2@h")
    lines = [json.loads(line) for line in logs]
    assert [line.get("kind") for line in lines] == ["redis_network_error", None]
    assert lines[0]["event"] == "redis://********@host:6379 no"
    assert lines[0]["level"] == "warning"
    assert "hunter2" not in json.dumps(lines)


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_a_traceback_shows_no_password(fmt: Literal["json", "console"]) -> None:
    with logged(fmt) as lines:
        try:
            raise ValueError("redis://u:hunter2@h")
        except ValueError as error:
            FACTS.loop_failed(loop="x", error=error)
    text = "\n".join(lines)
    assert "Traceback (most recent call last):" in text
    assert (len(lines) > 3) == (fmt == "console")
    assert "hunter2" not in text


def test_console_lines_are_for_people_and_ids_of_strangers_move_no_cursor() -> None:
    with logged("console") as lines:
        FACTS.tick_skipped(mode="Normal")
        FACTS.poisoned(
            player_id="p\x1b[2J\r\n\u202e",
            reason="\x07 no",
            mode="Normal",
            kind=Poison.POD_ID_NOT_FOUND,
        )
    assert "TryMatch already running, skipping this tick" in lines[0]
    assert len(lines) == 2
    assert r"Poisoned candidate p\x1b[2J\r\n\u202e: \x07 no" in lines[1]
    assert lines[1].isprintable()


def test_the_throttle_says_how_many_it_kept_back() -> None:
    clock = Clock()
    log = Log(repeat_seconds=10, clock=clock)
    facts = Facts(log.hears())
    with logged() as logs:
        for moment in (0, 1, 2, 9.9, 10.1):
            clock.now = moment
            facts.request_refused(code="a", reason="r", player_id="", pod_id="")
        facts.request_refused(code="b", reason="r", player_id="", pod_id="")
    lines = [json.loads(line) for line in logs]
    assert [(line["code"], line.get("suppressed")) for line in lines] == [
        ("a", None),
        ("a", 3),
        ("b", None),
    ]
    for number in range(3000):
        facts.request_refused(code=str(number), reason="r", player_id="", pod_id="")
    assert len(log._said) <= 1000


async def test_a_log_that_nobody_reads_is_dropped_and_counted_and_the_rest_is_read_later() -> None:
    reading, writing = os.pipe()
    with configured(level="INFO", fmt="json", descriptor=writing) as writer:
        text = "x" * 1000
        while dropped_lines() < 10:
            FACTS.redis_network_error(operation="read", error=text)
        assert not writer.close(0.05)
        with os.fdopen(reading, "rb") as log:
            reader = asyncio.ensure_future(asyncio.to_thread(log.read))
            assert await asyncio.to_thread(writer.close, 30)
            os.close(writing)
            assert len(await reader) > 3_000_000


def test_that_lines_were_dropped_is_told() -> None:
    with logged() as lines:
        (handler,) = logging.getLogger().handlers
        handler.writer._dropped = 7  # type: ignore[attr-defined]
        FACTS.tick_skipped(mode="Normal")
        FACTS.tick_skipped(mode="Normal")
    assert [json.loads(line)["kind"] for line in lines] == [
        "tick_skipped", "log_lines_dropped", "tick_skipped",
    ]  # fmt: skip


async def test_a_log_whose_reader_is_gone_counts_as_dropped() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    writer = LineWriter(writing)
    writer.put(b"one\n")
    await wait_until(lambda: writer.dropped == 1)
    assert writer.close(5)
    os.close(writing)


async def test_a_log_reader_that_hangs_keeps_nobody_up(valkey: RealServer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    os.mkfifo(log)
    reader = os.open(log, os.O_RDWR | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while os.write(reader, b"x"):
            pass
    with serving(valkey.url, tmp_path, f"exec {{}} 2>{log}") as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            for number in range(40):
                await wire.enqueue(f"p{number}")
            await wire.is_told("p39", "MatchFound")
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0
    os.close(reader)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
async def test_a_closed_standard_stream_is_no_traceback(
    valkey: RealServer, tmp_path: Path, closed: str
) -> None:
    with serving(valkey.url, tmp_path, f"exec {{}} {closed}") as server:
        await server.ready()
        for number in (0, 1, 2):
            taken = Path(f"/proc/{server.process.pid}/fd/{number}").readlink()
            assert taken in (Path("/dev/null"), server.log)
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0
    assert not server.lines("Traceback")


def test_alerts_from_the_threshold_on_and_once_an_interval() -> None:
    clock = Clock()
    monitor = GameServerMonitor(AlertSettings(), clock=clock)
    due = []
    for attempt in range(1, 201):
        clock.now += 5
        assert monitor.failed() == Failed(attempts=attempt, alert_due=attempt in (10, 70, 130, 190))
        due.append(attempt)
    assert monitor.succeeded(3) == Recovered(attempts=200, subscribers=3, resolve_due=True)
    assert monitor.succeeded(3) is None


def test_a_short_failure_recovers_without_an_alert() -> None:
    monitor = GameServerMonitor(AlertSettings(), clock=Clock())
    monitor.failed()
    assert monitor.succeeded(1) == Recovered(attempts=1, subscribers=1, resolve_due=False)
    assert monitor.failures == 0


def test_a_game_server_that_comes_and_goes_alerts_no_more_often() -> None:
    clock = Clock()
    monitor = GameServerMonitor(AlertSettings(game_server_failure_threshold=1), clock=clock)
    assert monitor.failed().alert_due
    monitor.succeeded(1)
    clock.now += 10
    assert not monitor.failed().alert_due
    clock.now += 300
    assert monitor.failed().alert_due


def test_every_metric_is_rendered_and_documented() -> None:
    metrics = Metrics()
    facts = Facts(metrics.hears())
    kind = Poison.POD_ID_NOT_FOUND
    facts.poisoned(player_id="p1", reason="none", mode="Normal", kind=kind)
    facts.breaker_open(failures=5, seconds=60)
    text = metrics.render().decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for doc in metrics.documentation():
        assert doc.name.removesuffix("_total") in families
        assert doc.text
    states = {
        sample.labels["state"]: sample.value
        for sample in families["matchkeeper_breaker_state"].samples
    }
    assert states == {"closed": 0, "open": 1, "half_open": 0, "forced_open": 0}
    assert 'matchkeeper_poisoned_total{mode="Normal",reason="pod_id_not_found"} 1.0' in text


def test_a_counter_that_somebody_is_called_for_starts_at_zero() -> None:
    metrics = Metrics()
    Facts(metrics.hears()).mode_served(mode="Normal", required_players=4)
    text = metrics.render().decode()
    assert 'poisoned_total{mode="Normal",reason="invalid_json"} 0.0' in text
    assert 'reenqueued_total{cause="unclaimed",mode="Normal"} 0.0' in text
    assert 'matched_players_total{mode="Normal"} 0.0' in text
    assert 'required_players{mode="Normal"} 4.0' in text


def test_labels_are_bounded() -> None:
    labels = BoundedLabels(2)
    assert [labels(name) for name in "abcab"] == ["a", "b", "other", "a", "b"]
