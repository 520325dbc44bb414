"""No secret is ever shown; and the files and the document that teach the settings hold."""

from __future__ import annotations

import re
import tomllib
import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from matchkeeper.config import (
    GameModeSettings,
    InvalidSettingsError,
    RedisSettings,
    Settings,
    catalog,
    load,
    masked,
    masked_redis_url,
    to_toml,
)
from matchkeeper.config.checks import redis_url_problem
from matchkeeper.config.showing import MASK
from matchkeeper.reference import BEGIN, END, configuration

ROOT = Path(__file__).parents[2]
SECRET = "hunter2"
NO_ENVIRONMENT: Mapping[str, str] = {}

WITH_SECRETS = {
    "MATCHKEEPER_REDIS__URL": f"rediss://bob:{SECRET}@cache.example:6380/3",
    "MATCHKEEPER_SERVER__API_TOKEN": SECRET,
    "MATCHKEEPER_ALERTS__URLS": f'["slack://{SECRET}/b/c", "json://u:{SECRET}@h"]',
    "MATCHKEEPER_ALERTS__PAGERDUTY_ROUTING_KEY": SECRET,
}


def everything_shown(error: BaseException) -> str:
    """All that a log or a traceback of the error could print."""
    texts = ["".join(traceback.TracebackException.from_exception(error).format()), repr(error)]
    seen: BaseException | None = error
    while seen is not None:
        texts += [repr(seen.args), repr(vars(seen))]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(texts)


def failure(path: Path | None, environ: Mapping[str, str]) -> InvalidSettingsError:
    with pytest.raises(InvalidSettingsError) as caught:
        load(path, environ=environ)
    return caught.value


# --- secrets in errors ---


@pytest.mark.parametrize(
    "text",
    [
        f"[redis]\nurl = 'http://bob:{SECRET}@host'",
        f"[redis]\nurl = 'redis://bob:{SECRET}@host/x'",
        f"[redis]\nurl = 'redis:{SECRET}@host'",
        f"[redis]\nurl = '{SECRET}'",
        f"[redis]\nurl = ['redis://:{SECRET}@host']",
        f"[redis]\nurl = {{ password = '{SECRET}' }}",
        f"[redis]\nulr = 'redis://:{SECRET}@host'",
        f"redis = 'redis://:{SECRET}@host'",
        f"url = 'redis://:{SECRET}@host'",
        f"[redis]\n'redis://:{SECRET}@host' = 1",
        f"['redis://:{SECRET}@host']\nurl = 1",
        f"[server]\napi_token = '{SECRET} {SECRET}'",
        f"[server]\napi_token = ['{SECRET}']",
        f"[server]\nserver_id = 'redis://bob:{SECRET}@host'",
        f"[server]\nhost = 'https://bob:{SECRET}@host'",
        f"[server]\ntoken = '{SECRET}'",
        f"[alerts]\nurls = ['{SECRET}']",
        f"[alerts]\nurls = 'slack://{SECRET}'",
        f"[alerts]\nurls = [['slack://{SECRET}']]",
        f"[alerts]\nurls = {{ a = 'slack://{SECRET}' }}",
        f"[alerts]\npagerduty_routing_key = 'ä{SECRET}'",
        f"[alerts]\npagerduty_url = 'https://bob:{SECRET}@host'",
        f"[alerts]\npagerduty_url = 'https://bob:{SECRET}@host:x'",
        f"[server]\napi_token = '{SECRET}'\nport = -1",
        f"[server]\napi_token = '{SECRET}'\n[retry]\nrequest_memory_seconds = 1",
        f"[server]\napi_token = '{SECRET}' =",
        f"[server]\napi_token = {SECRET}",
        f"[server]\napi_token = '{SECRET}'\napi_token = '{SECRET}'",
        f"[redis]\nurl = 'redis://:{SECRET}@h\n",
    ],
)
def test_no_secret_of_a_file_is_in_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "some.toml"
    path.write_text(text, encoding="utf-8")
    error = failure(path, NO_ENVIRONMENT)
    assert SECRET not in everything_shown(error)
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize(
    "environ",
    [
        {"MATCHKEEPER_REDIS_URL": f"redis://:{SECRET}@host"},
        {"MATCHKEEPER_REDIS__URL": SECRET},
        {"MATCHKEEPER_REDIS__URL": f"redis://:{SECRET}\udcff@host"},
        {"MATCHKEEPER_ALERTS__URLS": SECRET},
        {"MATCHKEEPER_ALERTS__URLS": f'["{SECRET}"]'},
        {"MATCHKEEPER_ALERTS__URLS": f'{{"a": "{SECRET}"}}'},
        {"MATCHKEEPER_SERVER__API_TOKEN": f"{SECRET}\n"},
        {"MATCHKEEPER_SERVER__API_TOKENS": SECRET},
        {f"MATCHKEEPER_redis://:{SECRET}@host": "x"},
        {**WITH_SECRETS, "MATCHKEEPER_SERVER__PORT": "x"},
    ],
)
def test_no_secret_of_a_variable_is_in_an_error(environ: Mapping[str, str]) -> None:
    assert SECRET not in everything_shown(failure(None, environ))


def test_a_bad_file_is_told_without_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "some.toml"
    path.write_bytes(f"[server]\napi_token = '{SECRET}".encode() + b"\xff'\n")
    assert SECRET not in everything_shown(failure(path, NO_ENVIRONMENT))


def test_errors_of_models_made_in_code_hide_their_input() -> None:
    with pytest.raises(ValidationError) as caught:
        RedisSettings.model_validate({"url": f"http://{SECRET}"})
    assert SECRET not in str(caught.value)


@given(
    before=st.sampled_from(["redis://", "redis://bob:", "unix://bob:", "valkeys://:", "x://", ""]),
    salt=st.text(alphabet="/?#@:%&=[] ab1\\\n", max_size=6),
    after=st.sampled_from(["@host/0", "@host", "@/run/x.sock", "", "@host:99999", "/0", "#@host"]),
)
def test_a_password_with_special_characters_is_not_shown(
    before: str, salt: str, after: str
) -> None:
    url = f"{before}{salt}{SECRET}{salt}{after}"
    try:
        shown = str(masked(load(environ={"MATCHKEEPER_REDIS__URL": url}))["redis"])
    except InvalidSettingsError as error:
        shown = everything_shown(error)
    # Without an @ it is the name of a host or the path of a socket, not a password.
    if "@" in url.partition("://")[2] and not before.startswith("unix"):
        assert SECRET not in shown


# --- secrets in what is shown ---


def test_what_is_shown_of_settings_has_no_secret() -> None:
    settings = load(environ=WITH_SECRETS)
    assert settings.redis.url is not None
    assert SECRET in settings.redis.url.get_secret_value()
    for shown in (repr(settings), str(settings), settings.model_dump_json(), f"{settings.alerts}"):
        assert SECRET not in shown
    tables = masked(settings)
    assert SECRET not in str(tables)
    assert "bob" not in str(tables)
    assert tables["redis"]["url"] == f"rediss://{MASK}@cache.example:6380/3"  # type: ignore[index]  # a table
    assert tables["server"]["api_token"] == MASK  # type: ignore[index]  # a table
    assert tables["alerts"]["urls"] == [MASK, MASK]  # type: ignore[index]  # a table


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host", "redis://host"),
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://:pw@host/1", f"redis://{MASK}@host/1"),
        ("rediss://u:p%40w@[::1]:1/2?ssl_cert_reqs=none", f"rediss://{MASK}@[::1]:1/2"),
        ("valkey://u@host", f"valkey://{MASK}@host"),
        ("redis://host?password=pw&db=3", f"redis://{MASK}@host?db=3"),
        ("unix:///run/x.sock?db=1", "unix:///run/x.sock?db=1"),
        ("unix://u:pw@/run/x.sock", f"unix://{MASK}@/run/x.sock"),
        ("not a url", MASK),
    ],
)
def test_masked_redis_urls(url: str, shown: str) -> None:
    assert masked_redis_url(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "host:6379",
        "REDIS://host",
        "redis:host",
        "redis://",
        "redis://:pw@",
        "redis://host:port",
        "redis://host:99999",
        "redis://host/zero",
        "redis://host/0#",
        "redis://ho st",
        "redis://host\n",
        "redis://[::1",
        "redis://host?socket_timeout=1",
        "redis://host?retry_on_timeout=true",
        "redis://host?db=x",
        "unix://host/run/x.sock",
        "unix://",
        "memcached://host",
    ],
)
def test_redis_urls_that_are_refused_with_a_reason(url: str) -> None:
    problem = redis_url_problem(url)
    assert problem
    assert problem in str(failure(None, {"MATCHKEEPER_REDIS__URL": url}))


def test_to_toml_is_toml_without_secrets_and_names_what_is_not_set() -> None:
    text = to_toml(load(environ=WITH_SECRETS))
    assert SECRET not in text
    assert tomllib.loads(text)["redis"]["url"] == f"rediss://{MASK}@cache.example:6380/3"
    assert "[[matchmaking.game_modes]]" in text
    assert "server.server_id" in text.splitlines()[0]
    assert "server.api_token" not in text.splitlines()[0]


def test_to_toml_of_settings_without_secrets_can_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "shown.toml"
    settings = load(ROOT / "config" / "development.toml", environ=NO_ENVIRONMENT)
    path.write_text(to_toml(settings), encoding="utf-8")
    assert load(path, environ=NO_ENVIRONMENT) == settings


# --- the files that teach ---


def test_the_development_file() -> None:
    settings = load(ROOT / "config" / "development.toml", environ=NO_ENVIRONMENT)
    assert settings.redis.url is None
    assert settings.logging.format == "console"
    assert [mode.name for mode in settings.modes()] == ["Squad", "Normal", "Ranked"]
    squad = settings.modes()[0]
    assert (squad.required_players, squad.teams, squad.handoff) == (4, 2, "claim")


def test_the_production_file_wants_the_address_of_redis() -> None:
    path = ROOT / "config" / "production.toml"
    error = failure(path, NO_ENVIRONMENT)
    assert [problem.key for problem in error.problems] == ["redis.url"]
    assert "an empty text" in str(error)
    settings = load(path, environ=WITH_SECRETS)
    assert settings.logging.format == "json"
    assert settings.redis.durability == "fsync"


@pytest.mark.parametrize("name", ["development.toml", "production.toml"])
def test_what_the_files_comment_out_is_a_key(name: str) -> None:
    known = {(setting.table, setting.name) for setting in catalog()}
    table = ""
    for line in (ROOT / "config" / name).read_text(encoding="utf-8").splitlines():
        table = line if line.startswith("[") else table
        if out := re.match(r"# (\w+) = ", line):
            assert (table, out[1]) in known, line


_DIFFERS = {
    "development.toml": {
        "server.shutdown_deadline_seconds",
        "logging.level",
        "redis.url",
        "alerts.source",
    },
    "production.toml": {"logging.format", "redis.url", "redis.durability"},
}
"""What the files set to something else than the default, on purpose."""


@pytest.mark.parametrize("name", _DIFFERS)
def test_the_files_say_the_defaults_or_differ_on_purpose(name: str) -> None:
    settings = load(ROOT / "config" / name, environ={"MATCHKEEPER_REDIS__URL": "redis://h"})
    differs = {
        setting.key
        for setting in catalog()
        if len(setting.location) == 2 and setting.key != "matchmaking.game_modes"
        if getattr(getattr(settings, setting.location[0]), setting.name) != setting.field.default
    }
    assert differs == _DIFFERS[name]
    modes = settings.matchmaking.game_modes
    assert modes[0].handoff == "claim", "who copies the first mode has the safe way"
    chosen = {"game_mode", "required_players", "teams", "handoff", "use_mmr_matching"}
    plain = dict(GameModeSettings(game_mode="x"))
    for mode in modes:
        given = {key for key, value in dict(mode).items() if value != plain[key]}
        assert given <= chosen | {"max_wait_seconds"}


# --- the document ---


def test_the_document_is_up_to_date() -> None:
    document = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert configuration(document) == document, "run: python -m matchkeeper.reference docs"


def test_the_document_tells_of_every_key_and_variable() -> None:
    document = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for setting in catalog():
        assert f"| `{setting.name}` |" in document
        assert setting.variable is None or f"`{setting.variable}`" in document
        assert setting.field.description, f"{setting.key} has no meaning"


def test_a_document_is_updated_between_its_marks() -> None:
    document = f"before\n{BEGIN}\nout of date\n{END}\nafter\n"
    assert "out of date" not in configuration(document)
    assert configuration(document).startswith("before\n")
    assert configuration(configuration(document)) == configuration(document)
    with pytest.raises(ValueError, match="needs the lines"):
        configuration("no marks")


def test_the_defaults_of_the_models_are_settings() -> None:
    assert Settings.model_validate(Settings().model_dump()) == Settings()
