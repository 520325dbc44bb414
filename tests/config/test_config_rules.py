"""Settings that contradict each other, names, and the modes that come of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from matchkeeper.config import (
    GameModeSettings,
    InvalidSettingsError,
    MatchmakingSettings,
    RedisSettings,
    Settings,
    load,
)
from matchkeeper.domain.mode import GameMode, Handoff, RatingRules

MODE = "[[matchmaking.game_modes]]\ngame_mode ="
NO_ENVIRONMENT: Mapping[str, str] = {}


def write(folder: Path, text: str) -> Path:
    path = folder / "some.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path, environ: Mapping[str, str] = NO_ENVIRONMENT) -> InvalidSettingsError:
    with pytest.raises(InvalidSettingsError) as caught:
        load(path, environ=environ)
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[retry]\nbase_delay_seconds = 3", "retry.max_delay_seconds is 2; allowed is at least"),
        (
            "[redis]\nbreaker_cooldown_max_seconds = 59",
            "allowed is at least redis.breaker_cooldown_",
        ),
        ("[matchmaking]\nunclaimed_hold_seconds = 61", "unclaimed_hold_max_seconds is 60; allowed"),
        (
            "[retry]\nrequest_memory_seconds = 30.3",
            "is 30.3; allowed is more than 30.3, the seconds",
        ),
        (
            "[matchmaking]\nmatch_memory_seconds = 30.3",
            "match_memory_seconds is 30.3; allowed is m",
        ),
        (
            "[matchmaking]\nenqueue_request_channel = 'battle:request'",
            "is the same as matchmaking.b",
        ),
        (
            f"[matchmaking]\nmax_tickets_per_round = 3\n{MODE} 'A'\nrequired_players = 4",
            'required_players (mode 1, "A") is 4; allowed is at most',
        ),
        (
            "[matchmaking]\nredis_operation_timeout_seconds = 45\n[retry]\nmax_attempts = 2",
            "request_memory_seconds is 120; allowed is more than 135, three times",
        ),
        (
            "[[matchmaking.game_modes]]\ngame_mode = 'A'\nrequired_players = 6\nteams = 4",
            "is 4, which does not divide required_players = 6; allowed is one of 1, 2, 3, 6",
        ),
        (
            "[[matchmaking.game_modes]]\ngame_mode = 'A'\nmmr_window_start = 1001",
            'mmr_window_max (mode 1, "A") is 1000; allowed is at least mmr_window_start',
        ),
        (
            f"{MODE} 'A'\nsecond_is_worth = 5",
            'second_is_worth (mode 1, "A") is 5; allowed is 0, or use_mmr_matching = true beside',
        ),
        (
            f"{MODE} 'A'\nsecond_is_worth = 5\nuse_mmr_matching = true\nrequired_players = 4",
            "is 5; allowed is 0, or required_players = 2 beside it",
        ),
        (
            f"{MODE} 'A'\nuse_mmr_matching = true\nsecond_is_worth = 5\nmmr_anyone_after_seconds=9",
            "is 5; allowed is 0, or mmr_anyone_after_seconds = 0 beside it",
        ),
        (
            f"{MODE} 'Duo'\n{MODE} 'dUO'",
            'game_modes[1].game_mode (mode 2, "dUO") is the name of matchmaking.game_modes[0], too',
        ),
    ],
)
def test_contradictions(tmp_path: Path, text: str, expected: str) -> None:
    error = refused(write(tmp_path, text))
    assert len(error.problems) == 1
    assert expected in str(error)


def test_a_contradiction_names_who_set_what(tmp_path: Path) -> None:
    variable = "MATCHKEEPER_MATCHMAKING__REDIS_OPERATION_TIMEOUT_SECONDS"
    path = write(tmp_path, "[retry]\nrequest_memory_seconds = 200\n")
    sources = {p.key: p.source for p in refused(path, environ={variable: "100"}).problems}
    assert sources == {
        "retry.request_memory_seconds": f"{path} and {variable}",
        "matchmaking.match_memory_seconds": variable,
    }


def test_the_longest_operation_counts_attempts_pauses_and_durability() -> None:
    assert Settings().longest_operation_seconds == pytest.approx(30.3)
    fsync = RedisSettings(durability="fsync", durability_timeout_seconds=7)
    assert Settings(redis=fsync).longest_operation_seconds == pytest.approx(51.3)


def test_contradictions_are_refused_in_code_as_well() -> None:
    modes = (GameModeSettings(game_mode="A"), GameModeSettings(game_mode="a"))
    with pytest.raises(ValidationError, match="is the name of"):
        Settings(matchmaking=MatchmakingSettings(game_modes=modes))


# --- names, channels, durability ---


@pytest.mark.parametrize(
    "name", ["", "x" * 65, "a b", "a\tb", "a\x00", "a{b", "a}b", "a\u200bb", "\u00a0"]
)
def test_mode_names_that_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        GameModeSettings(game_mode=name)


@pytest.mark.parametrize("name", ["N", "x" * 64, "2v2-ranked", "Größe", "对战"])
def test_mode_names_that_are_taken(name: str) -> None:
    mode = GameModeSettings(game_mode=name).to_domain(max_metadata_bytes=1)
    assert mode.queue.mode == name.lower()


@pytest.mark.parametrize(
    "channel", ["results", "pod:{pod}:x", "pod:{{pod_id}}", "{pod_id} x", "{pod_id}{x}"]
)
def test_result_channels_that_are_refused(channel: str) -> None:
    with pytest.raises(ValidationError):
        MatchmakingSettings(match_result_channel=channel)


@pytest.mark.parametrize(
    "text", ["", "Fsync", "replicas", "replicas:", "replicas:-1", "replicas:٣", "none\n"]
)
def test_durabilities_that_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        RedisSettings(durability=text)


def test_durabilities_that_are_taken() -> None:
    for text in ("none", "fsync", "replicas:1", "replicas:12"):
        assert RedisSettings(durability=text).durability == text


# --- what comes of it ---


def test_modes_of_the_domain() -> None:
    rated = GameModeSettings(
        game_mode="Ranked",
        required_players=4,
        teams=2,
        use_mmr_matching=True,
        handoff="claim",
        max_wait_seconds=90,
        mmr_window_start=1,
        mmr_window_growth_per_second=2,
        mmr_window_max=3,
        mmr_anyone_after_seconds=4,
        mmr_default=5,
    )
    plain = GameModeSettings(game_mode="Free", required_players=3)
    settings = Settings(matchmaking=MatchmakingSettings(game_modes=(rated, plain)))
    rules = RatingRules(
        start=1,
        growth_per_second=2,
        maximum=3,
        anyone_after=timedelta(seconds=4),
        default_rating=5,
    )
    assert settings.modes() == (
        GameMode(
            name="Ranked",
            required_players=4,
            teams=2,
            rating=rules,
            handoff=Handoff.CLAIM,
            max_wait=timedelta(seconds=90),
        ),
        GameMode(name="Free", required_players=3, teams=3, rating=None, max_wait=None),
    )


def test_what_a_second_is_worth_reaches_the_strategy() -> None:
    rated = GameModeSettings(game_mode="A", use_mmr_matching=True, second_is_worth=7)
    rules = rated.to_domain(max_metadata_bytes=1).rating
    assert rules is not None
    assert (rules.second_is_worth, rules.start, rules.maximum) == (7, 100, 1000)
    plain = GameModeSettings(game_mode="A", use_mmr_matching=True)
    rules = plain.to_domain(max_metadata_bytes=1).rating
    assert rules is not None
    assert rules.second_is_worth is None


def test_zero_seconds_mean_never() -> None:
    mode = GameModeSettings(game_mode="A", use_mmr_matching=True).to_domain(max_metadata_bytes=1)
    assert mode.rating is not None
    assert (mode.rating.anyone_after, mode.max_wait) == (None, None)


def test_settings_are_frozen() -> None:
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.server.port = 1  # type: ignore[misc]  # that is the point
    assert isinstance(settings.matchmaking.game_modes, tuple)
