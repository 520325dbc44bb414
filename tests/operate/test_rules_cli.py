"""`matchkeeper rules`: in words, what is doubtful, and own cases."""
# ruff: noqa: E501  # sentences as they are shown

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from matchkeeper.cli.main import app
from matchkeeper.config import load
from matchkeeper.matching.rules.words import doubts, explained
from tests.support.ruled import EXAMPLES, example

RANKED = [
    "A match of Ranked5v5 has 10 players: red 5; blue 5.",
    "Parties of more than 5 are refused.",
    "rating (number): may be left out.",
    "build (string): needed of every player.",
    "maps (set): may be left out.",
    "roles (ranking): may be left out.",
    "blocked (set): may be left out.",
    "latencies (latencies): needed of every player.",
    "Roles are seats (red: 3 damage, 1 healer, 1 tank; blue: 3 damage, 1 healer, 1 tank). A player takes those that roles names, and any role after 90 s.",
    "A match is where everybody's ping is at most 60 ms at first, at most 100 ms after 20 s, at most 160 ms after 60 s, and the highest and the lowest are at most 60 ms apart.",
    "Of the regions that all accept, the one with the lowest highest ping is taken.",
    "Build: All players have the same build.",
    "Maps: All players have at least 1 of maps in common.",
    "Skill: All players are in rating at most 100 apart at first, at most 600 apart after 100 s (a party counts with its mean).",
    "Fair: Each team's mean rating differs from that of every other team by at most 20 at first, at most 50 after 60 s.",
    "Blocks: Nobody's blocked names another player.",
    "Parties: Each team's largest party differs from that of every other team by at most 1 at first, at most 5 after 45 s.",
    "FirstRole: Preferred: a player gets the role ranked first. That is worth 30 s of waiting.",
    "Rematch: Preferred: no two opponents were in a match with each other in the last 30 minutes. That is worth 40 s of waiting.",
    "Who waits for 300 s expires.",
]  # fmt: skip


def test_the_example_in_words() -> None:
    assert explained(example("ranked-5v5")) == RANKED
    assert list(doubts(example("ranked-5v5"))) == []
    hunters = explained(example("hunters"))
    assert (
        hunters[0]
        == "A match of Hunters has 6 players: hunters 5, 4 to 5 after 30 s, 3 to 5 after 60 s; monster 1."
    )
    assert hunters[-1] == "Strong: avg(monster.skill) >= max(hunters.wants)."


@pytest.mark.parametrize(
    "name", sorted(each.name.removesuffix(".cases.toml") for each in EXAMPLES.glob("*.cases.toml"))
)
def test_every_example_can_be_said_and_is_not_doubtful(name: str) -> None:
    assert all(line.endswith((".", ".")) for line in explained(example(name)))
    assert list(doubts(example(name))) == []


def test_what_is_probably_not_meant(tmp_path: Path) -> None:
    text = (EXAMPLES / "ranked-5v5.toml").read_text("utf-8")
    changed = text.replace("max_wait_seconds = 300", "max_wait_seconds = 60").replace(
        "max_ms = [[0, 60], [20, 100], [60, 160]]\n", ""
    )
    path = tmp_path / "doubtful.toml"
    changed = changed.replace('default = ["damage"]', 'default = ["dps"]').replace(
        "[matchmaking.game_modes.region]", 'x = { type = "set" }\n[matchmaking.game_modes.region]'
    )
    path.write_text(changed, encoding="utf-8")
    (mode,) = load(path, environ={}).modes()
    assert list(doubts(mode)) == [
        "Rule Fair changes after 60 s, when nobody waits any more: max_wait_seconds is 60.",
        "any_role_after_seconds changes after 90 s, when nobody waits any more: max_wait_seconds is 60.",
        "All preferences together are worth 70 s, and max_wait_seconds is 60: who lacks all of them expires.",
        "x is an attribute that no rule reads.",
        "The default of roles names dps, which is no seat of a team; there are damage, healer, tank.",
        "region.max_ms is off: players from anywhere play together.",
    ]  # fmt: skip


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["rules", *map(str, arguments)])
    return done.exit_code, done.output


def test_commands() -> None:
    ranked, cases = EXAMPLES / "ranked-5v5.toml", EXAMPLES / "ranked-5v5.cases.toml"
    code, text = run("explain", "ranked5V5", "--config", ranked)
    assert (code, text.splitlines()) == (0, RANKED)
    assert run("check", "--config", ranked) == (0, "Ranked5v5: nothing to say\n")
    code, text = run("test", cases, "--config", ranked)
    assert (code, text.count("ok: "), "WRONG" in text) == (0, 10, False)
    code, text = run("test", cases, "--config", ranked, "--json")
    assert {tuple(each["wrong"]) for each in json.loads(text)} == {()}


def test_a_case_that_is_not_so_is_an_error(tmp_path: Path) -> None:
    cases = tmp_path / "cases.toml"
    cases.write_text(
        "[[cases]]\nname = 'one alone'\ntickets = [{ id = 'a', metadata = { map = 'm', mode = 'n', "
        "character = 'c' } }]\nmatched = ['a']\n",
        encoding="utf-8",
    )
    done = CliRunner().invoke(
        app, ["rules", "test", str(cases), "--config", str(EXAMPLES / "duel.toml")]
    )
    assert done.exit_code == 1
    assert "WRONG: one alone\n  a waits on, and must be matched" in done.output
    assert "1 of 1 cases are not as they should be" in str(done.exception)
