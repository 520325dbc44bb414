"""Loading: where settings come from, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from annotated_types import Ge, Gt, Le
from pydantic import SecretStr, ValidationError

from matchkeeper.config import (
    InvalidSettingsError,
    Setting,
    Settings,
    catalog,
    load,
)
from matchkeeper.config.catalog import field_at
from matchkeeper.config.fields import model_in
from matchkeeper.errors import ConfigError

NO_ENVIRONMENT: Mapping[str, str] = {}


def write(folder: Path, text: str) -> Path:
    path = folder / "some.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] = NO_ENVIRONMENT,
    overrides: Mapping[str, object] | None = None,
) -> InvalidSettingsError:
    with pytest.raises(InvalidSettingsError) as caught:
        load(path, overrides, environ)
    return caught.value


def lines(error: InvalidSettingsError) -> list[str]:
    return [str(problem) for problem in error.problems]


# --- where values come from ---


def test_without_anything_the_defaults_hold() -> None:
    settings = load(environ=NO_ENVIRONMENT)
    assert settings == Settings()
    assert settings.redis.url is None
    assert settings.matchmaking.redis_operation_timeout_seconds == 10
    assert settings.matchmaking.try_match_tick_interval_seconds == 5
    assert settings.matchmaking.battle_request_channel == "battle:request"
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8080)
    assert [mode.name for mode in settings.modes()] == ["Normal", "Ranked"]


def test_file_then_environment_then_overrides(tmp_path: Path) -> None:
    path = write(tmp_path, "[server]\nport = 1\nhost = 'a'\n[redis]\nmax_connections = 5\n")
    environ = {"MATCHKEEPER_SERVER__PORT": "2", "MATCHKEEPER_REDIS__MAX_CONNECTIONS": "6"}
    settings = load(path, {"server.port": 3, "server.host": None}, environ)
    assert settings.server.port == 3
    assert settings.server.host == "a", "None is an option that was not given"
    assert settings.redis.max_connections == 6


def test_the_environment_mends_a_value_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "[redis]\nurl = ''\n")
    settings = load(path, environ={"MATCHKEEPER_REDIS__URL": "redis://h"})
    assert settings.redis.url == SecretStr("redis://h")


def test_types_in_the_environment() -> None:
    modes = [{"game_mode": "Squad", "required_players": 4, "teams": 2}]
    settings = load(
        environ={
            "MATCHKEEPER_SERVER__API_TOKEN": "12345",
            "MATCHKEEPER_SERVER__SHUTDOWN_DEADLINE_SECONDS": "2.5",
            "MATCHKEEPER_LOGGING__FORMAT": "json",
            "MATCHKEEPER_REDIS__EMBEDDED_DIR": "/data",
            "MATCHKEEPER_MATCHMAKING__READ_STREAMS": "false",
            "MATCHKEEPER_MATCHMAKING__GAME_MODES": json.dumps(modes),
            "MATCHKEEPER_ALERTS__URLS": '["json://a", "json://b"]',
            "UNRELATED": "x",
        }
    )
    assert settings.server.api_token == SecretStr("12345")
    assert settings.server.shutdown_deadline_seconds == 2.5
    assert settings.logging.format == "json"
    assert settings.redis.embedded_dir == Path("/data")
    assert settings.matchmaking.read_streams is False
    assert [mode.name for mode in settings.modes()] == ["Squad"]
    assert [url.get_secret_value() for url in settings.alerts.urls] == ["json://a", "json://b"]


@pytest.mark.parametrize("setting", [s for s in catalog() if s.variable], ids=lambda s: s.key)
def test_every_key_has_a_variable_and_an_override(setting: Setting) -> None:
    assert setting.variable is not None
    names = {p.source for p in refused(environ={setting.variable: "\x00 {"}).problems}
    assert names == {setting.variable}, "each key refuses this text under its variable's name"
    keys = {p.key for p in refused(overrides={setting.key: object()}).problems}
    assert keys == {setting.key}


def test_the_variable_that_names_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "[server]\nport = 1\n")
    other = tmp_path / "other.toml"
    other.write_text("[server]\nport = 2\n", encoding="utf-8")
    assert load(environ={"MATCHKEEPER_CONFIG": str(path)}).server.port == 1
    assert load(other, environ={"MATCHKEEPER_CONFIG": str(path)}).server.port == 2
    assert "MATCHKEEPER_CONFIG is empty" in str(refused(environ={"MATCHKEEPER_CONFIG": ""}))


def test_the_process_environment_is_used_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATCHKEEPER_SERVER__PORT", "7")
    assert load().server.port == 7
    assert load(environ=NO_ENVIRONMENT).server.port == 8080
    assert Settings().server.port == 8080


def test_a_byte_order_mark_and_crlf_are_read(tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf[server]\r\nport = 9\r\n")
    assert load(path, environ=NO_ENVIRONMENT).server.port == 9


def test_variables_of_kubernetes_are_passed_over() -> None:
    environ = {
        "MATCHKEEPER_SERVICE_HOST": "10.0.0.7",
        "MATCHKEEPER_SERVICE_PORT": "8080",
        "MATCHKEEPER_SERVICE_PORT_HTTP": "8080",
        "MATCHKEEPER_PORT": "tcp://10.0.0.7:8080",
        "MATCHKEEPER_PORT_8080_TCP": "tcp://10.0.0.7:8080",
        "MATCHKEEPER_PORT_8080_TCP_PROTO": "tcp",
        "MATCHKEEPER_PORT_8080_TCP_PORT": "8080",
        "MATCHKEEPER_PORT_8080_TCP_ADDR": "10.0.0.7",
        "MATCHKEEPER_REDIS_PORT": "tcp://10.0.0.8:6379",
    }
    assert load(environ=environ) == Settings()


# --- what is refused ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[server]\nport = 70000", "server.port is 70000; allowed is a whole number from 0 to 65"),
        ("[server]\nport = '80'", 'server.port is "80"; allowed is a whole number'),
        ("[server]\nport = true", "server.port is true; allowed is a whole number"),
        ("[server]\nprot = 1", "server.prot is not a known key; did you mean port? known keys are"),
        ("[server]\ndurability = 1", "is not a known key; did you mean redis.durability?"),
        ("[servr]\nport = 1", "servr is not a known table or key; did you mean [server]?"),
        ("port = 1", "port is not a known table or key; did you mean server.port?"),
        ("_env_file = 'x'", "_env_file is not a known table or key; tables are [server]"),
        ("server = 1", "server is a number; allowed is a table [server]"),
        ("[server]\nhost = 'a b'", 'server.host is "a b"; allowed is an address'),
        ("[server]\nserver_id = 'ä'", 'server.server_id is "ä"; allowed is 1 to 64'),
        ("[logging]\nlevel = 'info'", 'logging.level is "info"; allowed is one of "DEBUG", '),
        ("[retry]\nmax_attempts = 2.0", "retry.max_attempts is 2.0; allowed is a whole number"),
        ("[retry]\nmax_delay_seconds = inf", "retry.max_delay_seconds is inf; allowed is a number"),
        ("[redis]\nslow_call_seconds = nan", "redis.slow_call_seconds is nan; allowed is a number"),
        (
            "[redis]\ndurability = 'replicas:0'",
            'redis.durability is "replicas:0"; allowed is "none"',
        ),
        ("[redis]\nmax_connections = 2020-01-01", "is a date; allowed is a whole number from 2"),
        ("[alerts]\npagerduty_url = 'ftp://x'", 'pagerduty_url is "ftp://x"; allowed is an http'),
        ("[redis]\nembedded_dir = ''", 'embedded_dir is ""; allowed is the path of a folder'),
        ("[matchmaking]\ngame_modes = 1", "game_modes is 1; allowed is one or more tables"),
        ("[matchmaking]\ngame_modes = []", "game_modes is a list; allowed is one or more tables"),
        (
            "[matchmaking]\ngame_modes = [1]",
            "game_modes[0] (mode 1) is 1; allowed is a table",
        ),
        ("[[matchmaking.game_modes]]", "game_modes[0].game_mode (mode 1) is missing; needed is"),
        (
            "[[matchmaking.game_modes]]\ngame_mode = 'A'\nplayers = 2",
            'players (mode 1, "A") is not a known key; did you mean required_players?',
        ),
    ],
)
def test_a_refusal_names_file_key_found_and_allowed(
    tmp_path: Path, text: str, expected: str
) -> None:
    path = write(tmp_path, text)
    error = refused(path)
    assert [line for line in lines(error) if expected in line] == lines(error)
    assert str(error).startswith(f"{path}: ")
    assert isinstance(error, ConfigError)
    assert error.hint


def test_a_file_that_is_not_toml_names_the_line(tmp_path: Path) -> None:
    path = write(tmp_path, "[server]\nport = = 1\n")
    assert str(refused(path)).startswith(f"{path} is not valid TOML: ")
    assert "line 2" in str(refused(path))
    path.write_bytes(b"[server]\n\nhost = '\xff'\n")
    assert "is not UTF-8 (at line 3)" in str(refused(path))
    path.write_text(f"x = {'[' * 100_000}", encoding="utf-8")
    assert "nests too deep" in str(refused(path))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    assert f"{missing} cannot be read: No such file" in str(refused(missing))
    assert "cannot be read: Is a directory" in str(refused(tmp_path))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"MATCHKEEPER_REDIS_URL": "x"}, "MATCHKEEPER_REDIS_URL is not a known variable; did you "),
        ({"MATCHKEEPER_SERVER_PORT": "80"}, "did you mean MATCHKEEPER_SERVER__PORT?"),
        ({"MATCHKEEPER_WHATEVER": "x"}, "variables are MATCHKEEPER_<TABLE>__<KEY>"),
        ({"MATCHKEEPER_SERVER": "{}"}, "MATCHKEEPER_SERVER is not a known variable"),
        (
            {"MATCHKEEPER_SERVER__PORT": "x"},
            'MATCHKEEPER_SERVER__PORT: server.port is "x"; allowed',
        ),
        ({"MATCHKEEPER_SERVER__PORT": ""}, 'server.port is ""; allowed is a whole number'),
        ({"MATCHKEEPER_ALERTS__URLS": "json://a"}, "in a variable written as JSON"),
        ({"MATCHKEEPER_ALERTS__URLS": "null"}, "alerts.urls is null; allowed is a list"),
        ({"MATCHKEEPER_MATCHMAKING__GAME_MODES": "[" * 50_000}, "game_modes is "),
        (
            {"MATCHKEEPER_SERVER__PORT": "1", "matchkeeper_server__port": "2"},
            "matchkeeper_server__port is the same variable as MATCHKEEPER_SERVER__PORT",
        ),
    ],
)
def test_a_refusal_names_the_variable(environ: Mapping[str, str], expected: str) -> None:
    error = refused(environ=environ)
    assert len(error.problems) == 1
    assert expected in str(error)


def test_unknown_overrides_are_refused() -> None:
    assert "override: redis.ulr is not a known key; did you mean redis.url?" in str(
        refused(overrides={"redis.ulr": 1})
    )


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        typo = 1
        [server]
        port = -1
        [redis]
        breaker_cooldown_seconds = 500
        [[matchmaking.game_modes]]
        game_mode = "Normal"
        [[matchmaking.game_modes]]
        game_mode = "NORMAL"
        required_players = 4
        teams = 3
        [[matchmaking.game_modes]]
        game_mode = "no good"
        required_players = "two"
        teams = 7
        """,
    )
    error = refused(path, environ={"MATCHKEEPER_X": "1"})
    modes = "matchmaking.game_modes"
    assert [problem.key for problem in error.problems] == [
        "typo",
        "",
        "server.port",
        f'{modes}[2].game_mode (mode 3, "no good")',
        f'{modes}[2].required_players (mode 3, "no good")',
        "redis.breaker_cooldown_max_seconds",
        f'{modes}[1].game_mode (mode 2, "NORMAL")',
        f'{modes}[1].teams (mode 2, "NORMAL")',
    ], "and no follow-up of required_players: teams = 7 may be right"
    assert str(error).startswith("The configuration has 8 problems:\n")


def test_the_inputs_are_not_changed() -> None:
    modes = [{"game_mode": "a b"}, 5]
    refused(overrides={"matchmaking.game_modes": modes})
    assert modes == [{"game_mode": "a b"}, 5]


def _bounds(setting: Setting) -> list[tuple[float, bool]]:
    """Values at and beyond each bound of a setting, and whether they are accepted."""
    step = 1 if setting.field.annotation in (int, int | None) else 1e-6
    cases: list[tuple[float, bool]] = []
    for bound in setting.field.metadata:
        if isinstance(bound, Ge):
            cases += [(bound.ge, True), (bound.ge - step, False)]  # type: ignore[operator, list-item]  # numbers here
        if isinstance(bound, Gt):
            cases += [(bound.gt + step, True), (bound.gt, False)]  # type: ignore[operator, list-item]  # as above
        if isinstance(bound, Le):
            cases += [(bound.le, True), (bound.le + step, False)]  # type: ignore[operator, list-item]  # as above
    return cases


@pytest.mark.parametrize(
    ("setting", "value", "accepted"),
    [(setting, value, fits) for setting in catalog() for value, fits in _bounds(setting)],
    ids=lambda x: x.key if isinstance(x, Setting) else str(x),
)
def test_bounds(setting: Setting, value: float, accepted: bool) -> None:
    table = field_at(setting.location[:-1])
    model = model_in(table.annotation) if table else None
    assert model is not None
    needed = {"game_mode": "A", "size": 1, "type": "number"}
    data = {name: needed[name] for name, x in model.model_fields.items() if x.is_required()}
    if accepted:
        model.model_validate({**data, setting.name: value})
    else:
        with pytest.raises(ValidationError):
            model.model_validate({**data, setting.name: value})


def test_every_number_is_bounded_on_both_sides() -> None:
    numbers = (int, float, int | None, float | None)
    unbounded = [
        setting.key
        for setting in catalog()
        if setting.field.annotation in numbers and len(_bounds(setting)) != 4
    ]
    assert unbounded == []
