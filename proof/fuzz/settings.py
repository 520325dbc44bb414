"""The configuration: files and variables of strangers, and no secret in what is said of them."""

from __future__ import annotations

import json
import random
import tempfile
import traceback
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from matchkeeper.config import (
    CONFIG_VARIABLE,
    InvalidSettingsError,
    Settings,
    catalog,
    load,
    masked,
    to_toml,
)
from matchkeeper.config.fields import is_secret
from proof.fuzz import texts
from proof.fuzz.report import Tally, WrongError

_FILES = Path(__file__).parents[2] / "config"
_SECRET = "hunter2!k9/Zq"  # noqa: S105  # made up, to see that it is never shown
_SECRETS = (
    _SECRET,
    f"redis://user:{_SECRET}@host:6379/0",
    f"redis://:{_SECRET}@host:99999/0",
    f"redis://user:{_SECRET}@host/0#x",
    f"rediss://{_SECRET}",
    f"redis://host/0?password={_SECRET}",
    f"redis://host/0?socket_timeout={_SECRET}",
    f"unix://{_SECRET}@/run/x.sock",
    f"slack://{_SECRET}/x",
    f"mailto://u:{_SECRET}@h",
    f"{_SECRET} ",
    f"{_SECRET}\x00",
    f"{_SECRET}é",
)
_NUMBERS = (
    "0", "-1", "1", "2", "1.5", "1e308", "-1e308", "nan", "inf", "-inf", "0x10", "9" * 30,
    "9" * 5000, "0x" + "f" * 5000, "0b" + "1" * 20_000, "1_000", "65536", "5e-324",
)  # fmt: skip
_OTHERS = (
    "true", "false", "[]", "{}", "[[]]", '[""]', "[1, 2]", '{ a = 1 }', "1979-05-27", "07:32:00",
    "1979-05-27T07:32:00Z", '""', '"x"', "'x'", '"""\nx"""', '"none"', '"fsync"', '"replicas:0"',
    '"replicas:1"', '"claim"', '"DEBUG"', '"\\u0000"', '"\\u001b[2J"', '"' + "x" * 5000 + '"',
    "[" * 2000 + "]" * 2000, "{ a = " * 500 + "1" + " }" * 500, "", "=", '"\\ud800"', '" "',
    '"{pod_id}"', '"a{pod_id}{x}"', '"battle:request"', '"é"', '"\\u202e"', '"redis://[::1"',
    '"http://[x"', '"http://a:b@c"', '"http://a:99999"', '[{ game_mode = "x" }]',
    '[{ game_mode = "x" }, { game_mode = "X" }]', "[{}]", '[{ game_mode = "x", teams = 3 }]',
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class _Given:
    """What one start would be given."""

    file: bytes | None = None
    environ: dict[str, str] = field(default_factory=dict)


def run(tally: Tally, *, seconds: float) -> None:
    """Tries inputs until the time is over."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzz.toml"
        for rng in tally.inputs(seconds=seconds):
            tally.judge(_input(rng), partial(_accepts, path))


def _accepts(path: Path, given: _Given) -> bool:
    if given.file is not None:
        path.write_bytes(given.file)
    try:
        settings = load(None if given.file is None else path, environ=given.environ)
    except InvalidSettingsError as error:
        _well_said(error)
        return False
    _well_shown(settings)
    return True


def _well_said(error: InvalidSettingsError) -> None:
    everything = "".join(traceback.format_exception(error)) + error.hint + repr(error)
    if _SECRET in everything:
        raise WrongError("a secret is in the error")
    if not error.problems or not error.message or not error.hint:
        raise WrongError("an error that says nothing")
    for problem in error.problems:
        line = str(problem)
        if not line.isprintable():
            raise WrongError(f"a problem that is not one printable line: {line[:80]!r}")
        if len(line) > 2000:
            raise WrongError(f"a problem of {len(line)} characters: {line[:80]!r}")


def _well_shown(settings: Settings) -> None:
    settings.modes()
    shown = to_toml(settings) + json.dumps(masked(settings)) + repr(settings) + str(settings)
    if _SECRET in shown:
        raise WrongError("a secret is in the settings as they are shown")


def _input(rng: random.Random) -> _Given:
    given = _Given()
    kind = rng.random()
    if kind < 0.35:
        given.file = _changed_file(rng)
    elif kind < 0.65:
        given.file = _made_file(rng)
    elif kind < 0.7:
        given.file = rng.randbytes(rng.choice((0, 1, 20, 2000)))
    if given.file is None or rng.random() < 0.3:
        given.environ = _variables(rng)
    return given


def _changed_file(rng: random.Random) -> bytes:
    name = rng.choice(("development.toml", "production.toml"))
    lines = (_FILES / name).read_text().splitlines()
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(len(lines))
        key, equals, _ = lines[at].partition(" = ")
        match rng.randrange(5):
            case 0:
                lines.insert(at, lines[rng.randrange(len(lines))])
            case 1 if len(lines) > 1:
                del lines[at]
            case 2 if equals:
                secret = key.lstrip("# ") in _secret_names()
                lines[at] = f"{key} = {_secret_toml(rng) if secret else _toml(rng)}"
            case 3 if equals:
                lines[at] = f"{key}x = 1"
            case _:
                lines[at] = lines[at].removeprefix("# ")
    text = "\n".join(lines).encode()
    return texts.mutated(rng, text) if rng.random() < 0.2 else text


def _made_file(rng: random.Random) -> bytes:
    lines = []
    tables: dict[str, list[str]] = {}
    for setting in rng.sample(catalog(), k=rng.randrange(1, 12)):
        given = _secret_toml(rng) if is_secret(setting.field) else _toml(rng)
        name = setting.name if rng.random() < 0.95 else rng.choice(('""', '"a b"', "x", '"\\n"'))
        tables.setdefault(setting.table, []).append(f"{name} = {given}")
    for table, keys in tables.items():
        lines += [
            table if rng.random() < 0.97 else rng.choice(("[x]", "[[redis]]", "x = 1")),
            *keys,
        ]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _variables(rng: random.Random) -> dict[str, str]:
    known = [setting for setting in catalog() if setting.variable]
    found: dict[str, str] = {}
    for setting in rng.sample(known, k=rng.randrange(1, 6)):
        variable = setting.variable or ""
        if is_secret(setting.field):
            found[variable] = _secret_text(rng)
            continue
        if rng.random() < 0.05:
            variable = rng.choice(
                (variable.lower(), variable + "_X", "MATCHKEEPER_", variable[:-1])
            )
        found[variable] = _variable_text(rng)
    if rng.random() < 0.05:
        found[CONFIG_VARIABLE] = rng.choice(("", "/", "/does/not/exist", "x" * 300))
    return found


def _variable_text(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.4:
        return rng.choice((*_NUMBERS, *_OTHERS))
    if kind < 0.7:
        return texts.value(rng).decode("utf-8", "surrogateescape")
    modes = [{"game_mode": "x", rng.choice(("teams", "required_players", "y")): 3}]
    return json.dumps(modes) if kind < 0.9 else rng.randbytes(9).decode("utf-8", "surrogateescape")


def _toml(rng: random.Random) -> str:
    return rng.choice(_NUMBERS if rng.random() < 0.5 else _OTHERS)


def _secret_names() -> frozenset[str]:
    return frozenset(setting.name for setting in catalog() if is_secret(setting.field))


def _secret_text(rng: random.Random) -> str:
    secret = rng.choice(_SECRETS)
    return secret if rng.random() < 0.6 else rng.choice((f'["{secret}"]', f'{{"a": "{secret}"}}'))


def _secret_toml(rng: random.Random) -> str:
    secret = json.dumps(rng.choice(_SECRETS))
    return rng.choice(
        (secret, f"[{secret}]", f"[[{secret}]]", f"{{ a = {secret} }}", f"{secret} x")
    )
