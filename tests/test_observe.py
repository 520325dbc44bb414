"""Logs, metrics, and when people are told that there is no game server."""

from __future__ import annotations

import json
import logging
import string
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from matchkeeper.domain.ticket import Poison
from matchkeeper.observe.catalogue import CATALOGUE
from matchkeeper.observe.events import Event, Throttle, emit, sentence
from matchkeeper.observe.game_servers import Failed, GameServerMonitor, Recovered
from matchkeeper.observe.logging import configure
from matchkeeper.observe.metric_parts import BoundedLabels
from matchkeeper.observe.metrics import Metrics


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


FIXED = {
    Event.REDIS_TIMEOUT: "read timeout after 10s",
    Event.TICK_SKIPPED: "TryMatch already running, skipping this tick",
    Event.POISONED: "Poisoned candidate p1: Invalid JSON: x",
    Event.GAME_SERVER_UNAVAILABLE: "CRITICAL: Game Server unavailable for 10 consecutive attempts! "
    "No subscribers on battle:request channel.",
    Event.GAME_SERVER_RECOVERED: "Game Server recovered! 2 subscriber(s) available. "
    "(Was down for 12 attempts)",
    Event.BREAKER_OPEN: "Circuit breaker OPEN! 5 consecutive failures. Blocking operations for 60s",
    Event.CIRCUIT_OPEN_SKIP: "Redis circuit open, skipping TryMatch",
    Event.BREAKER_CLOSED: "Circuit breaker CLOSED (recovered after 7 failures)",
}
FIELDS: dict[Event, dict[str, object]] = {
    Event.REDIS_TIMEOUT: {"operation": "read", "seconds": 10.0},
    Event.POISONED: {"player_id": "p1", "reason": "Invalid JSON: x"},
    Event.GAME_SERVER_UNAVAILABLE: {"attempts": 10, "channel": "battle:request"},
    Event.GAME_SERVER_RECOVERED: {"subscribers": 2, "attempts": 12},
    Event.BREAKER_OPEN: {"failures": 5, "seconds": 60.0},
    Event.BREAKER_CLOSED: {"failures": 7},
}


@pytest.mark.parametrize("event", list(FIXED))
def test_the_sentences_people_search_for(event: Event) -> None:
    assert sentence(event, **FIELDS.get(event, {})) == FIXED[event]


def test_every_event_is_in_the_catalogue_and_says_what_to_do() -> None:
    assert set(CATALOGUE) == set(Event)
    for entry in CATALOGUE.values():
        assert entry.action
        assert all(name for _, name, _, _ in string.Formatter().parse(entry.sentence) if name)


@pytest.mark.parametrize("event", list(Event))
def test_every_event_can_be_told_with_its_fields(
    event: Event, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(level="DEBUG", fmt="json")
    names = {name for _, name, _, _ in string.Formatter().parse(CATALOGUE[event].sentence) if name}
    emit(event, **dict.fromkeys(names, 1))
    line = json.loads(capsys.readouterr().err)
    assert line["kind"] == event.value
    assert {name: line[name] for name in names} == dict.fromkeys(names, 1)


def test_json_lines_carry_kind_and_fields_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    configure(level="INFO", fmt="json")
    emit(Event.REDIS_NETWORK_ERROR, error="redis://user:hunter2@host:6379 refused", token="hunter2")
    emit(Event.MATCH_STARTED, mode="m", match_id="x", pod_id="p")
    logging.getLogger("foreign").warning("cannot reach redis://u:hunter2@h")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line.get("kind") for line in lines] == ["redis_network_error", None]
    assert lines[0]["event"] == "redis://********@host:6379 refused"
    assert lines[0]["level"] == "warning"
    assert "hunter2" not in json.dumps(lines)


def test_a_traceback_shows_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    configure(level="INFO", fmt="json")
    try:
        raise ValueError("redis://u:hunter2@h")
    except ValueError as error:
        emit(Event.LOOP_FAILED, loop="x", error=repr(error), exc_info=error)
    line = capsys.readouterr().err
    assert "Traceback" in line
    assert "hunter2" not in line


def test_console_lines_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure(level="INFO", fmt="console")
    emit(Event.TICK_SKIPPED, mode="Normal")
    assert "TryMatch already running, skipping this tick" in capsys.readouterr().err


def test_the_throttle_says_how_many_it_kept_back(capsys: pytest.CaptureFixture[str]) -> None:
    configure(level="INFO", fmt="json")
    clock = Clock()
    throttle = Throttle(interval=timedelta(seconds=10), clock=clock)
    for moment in (0, 1, 2, 9.9, 10.1):
        clock.now = moment
        throttle.emit(Event.REQUEST_REFUSED, key="a", code="a", reason="r")
    throttle.emit(Event.REQUEST_REFUSED, key="b", code="b", reason="r")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["code"], line.get("suppressed")) for line in lines] == [
        ("a", None),
        ("a", 3),
        ("b", None),
    ]
    for number in range(3000):
        throttle.emit(Event.REQUEST_REFUSED, key=str(number), code="c", reason="r")
    assert len(throttle._seen) <= 1000


def test_alerts_from_the_threshold_on_and_once_an_interval() -> None:
    clock = Clock()
    monitor = GameServerMonitor(threshold=10, repeat_interval=timedelta(seconds=300), clock=clock)
    due = []
    for attempt in range(1, 201):
        clock.now += 5
        assert monitor.failed() == Failed(attempts=attempt, alert_due=attempt in (10, 70, 130, 190))
        due.append(attempt)
    assert monitor.succeeded(3) == Recovered(attempts=200, subscribers=3, resolve_due=True)
    assert monitor.succeeded(3) is None


def test_a_short_failure_recovers_without_an_alert() -> None:
    monitor = GameServerMonitor(clock=Clock())
    monitor.failed()
    assert monitor.succeeded(1) == Recovered(attempts=1, subscribers=1, resolve_due=False)
    assert monitor.failures == 0


def test_a_game_server_that_comes_and_goes_alerts_no_more_often() -> None:
    clock = Clock()
    monitor = GameServerMonitor(threshold=1, clock=clock)
    assert monitor.failed().alert_due
    monitor.succeeded(1)
    clock.now += 10
    assert not monitor.failed().alert_due
    clock.now += 300
    assert monitor.failed().alert_due


def test_every_metric_is_rendered_and_documented() -> None:
    metrics = Metrics()
    metrics.matches("Normal", 1, [0.1, 0.2])
    metrics.poisoned("Normal", Poison.POD_ID_NOT_FOUND)
    metrics.breaker("open")
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
    metrics.mode("Normal", required_players=4)
    text = metrics.render().decode()
    assert 'poisoned_total{mode="Normal",reason="invalid_json"} 0.0' in text
    assert 'reenqueued_total{cause="unclaimed",mode="Normal"} 0.0' in text
    assert 'matched_players_total{mode="Normal"} 0.0' in text
    assert 'required_players{mode="Normal"} 4.0' in text


def test_labels_are_bounded() -> None:
    labels = BoundedLabels(2)
    assert [labels(name) for name in "abcab"] == ["a", "b", "other", "a", "b"]
