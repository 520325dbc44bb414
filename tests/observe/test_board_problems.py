"""What the banner of the live page says is wrong, and what it means for players."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from matchkeeper.domain.agreement import ModeState
from matchkeeper.observe.board.problems import (
    LAG_SECONDS,
    OLDEST_WAIT_SECONDS,
    QueueSituation,
    Severity,
    Situation,
    problems,
)

ROOT = Path(__file__).parents[2]


WELL = Situation(
    breaker="closed",
    redis_failing=False,
    redis_problem="",
    not_ready=(),
    game_server_failures=0,
    claims_refused=(),
    subscribers=1,
    lag_seconds=0.0,
    queues=(),
)


QUEUE = QueueSituation(mode="Normal", required_players=2, waiting=0, oldest_seconds=0.0)


def test_all_is_well() -> None:
    assert problems(WELL) == []
    busy = replace(QUEUE, waiting=500, oldest_seconds=100, not_started=5, matched=10)
    assert problems(replace(WELL, queues=[busy])) == []
    alone = replace(QUEUE, waiting=1, oldest_seconds=9000)
    assert problems(replace(WELL, queues=[alone])) == [], "there is nobody to play with"


@pytest.mark.parametrize(
    ("facts", "name", "severity", "runbook"),
    [
        (replace(WELL, breaker="open"), "breaker_open", "critical", "breaker-open"),
        (replace(WELL, breaker="half_open"), "breaker_open", "critical", "breaker-open"),
        (replace(WELL, breaker="forced_open"), "breaker_forced", "critical", "breaker-open"),
        (replace(WELL, redis_failing=True), "redis_failing", "warning", "breaker-open"),
        (replace(WELL, differences=["x"]), "settings_differ", "warning", "settings-differ"),
        (
            replace(WELL, queues=[replace(QUEUE, states=frozenset({ModeState.PAUSED}))]),
            "paused Normal", "warning", "mode-held",
        ),
        (
            replace(WELL, queues=[replace(QUEUE, states=frozenset({ModeState.DRAINED}))]),
            "drained Normal", "warning", "mode-held",
        ),
        (
            replace(WELL, breaker="open", redis_problem="Redis refuses X: this is a replica now"),
            "redis_unusable", "critical", "breaker-open",
        ),
        (replace(WELL, not_ready=("X.",)), "not_ready", "warning", "server-not-ready"),
        (replace(WELL, game_server_failures=1), "no_game_server", "critical", "no-game-server"),
        (replace(WELL, claims_refused=["a"]), "claims_refused", "warning", "claims-refused"),
        (replace(WELL, subscribers=0), "no_subscriber", "warning", "no-game-server"),
        (replace(WELL, lag_seconds=0.2), "lag", "warning", "event-loop-lag"),
        (
            replace(WELL, queues=[replace(QUEUE, waiting=2, oldest_seconds=121)]),
            "oldest_wait Normal", "warning", "oldest-wait",
        ),
        (
            replace(WELL, queues=[replace(QUEUE, set_aside=1)]),
            "poisoned Normal", "warning", "poisoned-tickets",
        ),
        (
            replace(WELL, queues=[replace(QUEUE, not_started=6, matched=10)]),
            "not_claimed Normal", "warning", "matches-not-claimed",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_has_a_sentence_for_players_and_a_page(
    facts: Situation, name: str, severity: str, runbook: str
) -> None:
    (problem,) = problems(facts)
    assert (problem.name, problem.severity) == (name, severity)
    assert problem.runbook == f"docs/runbooks/{runbook}.md"
    assert (ROOT / problem.runbook).exists()
    assert re.search(r"[Pp]layer|[Mm]atch|Nobody|Who|They", problem.meaning)


def test_the_worst_comes_first_and_an_outage_hides_what_follows_from_it() -> None:
    everything = replace(
        WELL,
        breaker="open",
        redis_failing=True,
        subscribers=0,
        lag_seconds=1,
        game_server_failures=3,
    )
    found = problems(everything)
    assert [each.name for each in found] == ["breaker_open", "no_game_server", "lag"]
    assert [each.severity for each in found[:2]] == [Severity.CRITICAL] * 2


def test_the_limits_are_those_of_the_alerts() -> None:
    rules = yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text("utf-8"))
    texts = {each["alert"]: each["expr"] for each in rules["groups"][0]["rules"]}
    assert f"> {OLDEST_WAIT_SECONDS:g}" in texts["MatchkeeperOldestWait"]
    assert f"> {LAG_SECONDS:g}" in texts["MatchkeeperEventLoopLag"]
    assert "> 0.1 *" in texts["MatchkeeperMatchesNotClaimed"]
