"""Where settings come from: a TOML file, the environment, and what a caller overrides."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource, SettingsError

from matchkeeper.config.catalog import catalog
from matchkeeper.config.models import ENV_PREFIX, Location, Settings
from matchkeeper.config.showing import kind_of, nameable
from matchkeeper.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong. Never holds the value of a secret."""

    source: str
    """The file or the environment variable; `override` for what a caller has set."""
    key: str = ""
    """Dotted: `redis.url`, `matchmaking.game_modes[1].teams`. Empty: the source itself."""
    found: str
    """What is the matter, beginning with a verb: `is 70000`, `is not a known key`."""
    allowed: str
    """What may stand there instead, as a sentence without its full stop."""

    def __str__(self) -> str:
        place = f"{self.source}: {self.key}" if self.key else self.source
        return f"{place} {self.found}; {self.allowed}"


class InvalidSettingsError(ConfigError):
    """Nothing starts with this configuration. `problems` has every one of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        lines = [str(problem) for problem in problems]
        if len(lines) > 1:
            lines = [f"The configuration has {len(lines)} problems:", *(f"  {x}" for x in lines)]
        super().__init__(
            "\n".join(lines), hint="docs/configuration.md describes every key and variable."
        )
        self.problems = tuple(problems)


CONFIG_VARIABLE = "MATCHKEEPER_CONFIG"
"""The variable that names the file."""
DEFAULTS = "built-in defaults"
_OVERRIDE = "override"

# Kubernetes gives every pod variables of every service in its namespace, so a service called
# `matchkeeper` or `matchkeeper-…` makes variables with our prefix that are not meant for us.
_SERVICE_LINK = re.compile(
    rf"{ENV_PREFIX}(?:[A-Z0-9]+_)*"
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_[0-9]+_(?:TCP|UDP|SCTP)(?:_[A-Z]+)?)?)"
)
_SERVICE_LINK_VALUE = re.compile(r"(?:(?:tcp|udp|sctp)://\S*:[0-9]+|[0-9a-fA-F.:]+|tcp|udp|sctp)")


@dataclass(slots=True)
class Inputs:
    """All that was given, merged, and where each value came from."""

    base: str
    """The file, or the built-in defaults."""
    data: dict[str, Any] = field(default_factory=dict)
    sources: dict[Location, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def put(self, location: tuple[str, str], value: object, source: str) -> None:
        """Sets one key, and replaces its earlier value."""
        self.data.setdefault(location[0], {})[location[1]] = value
        self.sources[location] = source

    def source_of(self, location: Location) -> str:
        """Where the value at `location` came from."""
        return self.sources.get(location[:2], self.base)

    def value_at(self, location: Location) -> object:
        """The value as it was given; None where none was given."""
        value: Any = self.data
        for part in location:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def gather(
    path: Path | None, overrides: Mapping[str, object], environ: Mapping[str, str]
) -> Inputs:
    """Reads the file, the environment and the overrides. Raises InvalidSettingsError where the file
    is not TOML.
    """
    path = path or _path_from(environ)
    inputs = Inputs(base=DEFAULTS if path is None else str(path))
    if path is not None:
        _put_file(inputs, read_toml(path))
    _put_environment(inputs, environ)
    _put_overrides(inputs, overrides)
    return inputs


def _path_from(environ: Mapping[str, str]) -> Path | None:
    name = environ.get(CONFIG_VARIABLE)
    if name == "":
        raise InvalidSettingsError(
            [
                Problem(
                    source=CONFIG_VARIABLE,
                    found="is empty",
                    allowed="allowed is the path of a TOML file, or no such variable",
                )
            ]
        )
    return Path(name) if name else None


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises InvalidSettingsError."""
    content, found, allowed = _parsed(path)
    if found:
        # Raised here, outside of any `except`, so that no error that holds the text is chained.
        raise InvalidSettingsError([Problem(source=str(path), found=found, allowed=allowed)])
    return content


def _parsed(path: Path) -> tuple[dict[str, Any], str, str]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig")), "", ""
    except OSError as error:
        return {}, f"cannot be read: {error.strerror}", "allowed is a TOML file that can be read"
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return {}, f"is not UTF-8 (at line {line})", "allowed is TOML, which is UTF-8"
    except RecursionError:
        return {}, "nests too deep", "allowed are tables as in config/production.toml"
    except ValueError as error:
        return {}, f"is not valid TOML: {error}", "mend it at the place named"


def _put_file(inputs: Inputs, tables: Mapping[str, Any]) -> None:
    known = ", ".join(f"[{name}]" for name in Settings.model_fields)
    for name, table in tables.items():
        if name not in Settings.model_fields:
            meant = _meant(name)
            inputs.problems.append(
                Problem(
                    source=inputs.base,
                    key=nameable(name),
                    found="is not a known table or key",
                    allowed=f"{meant}tables are {known}",
                )
            )
        elif not isinstance(table, dict):
            inputs.problems.append(
                Problem(
                    source=inputs.base,
                    key=name,
                    found=f"is {kind_of(table)}",
                    allowed=f"allowed is a table [{name}]",
                )
            )
        else:
            inputs.data[name] = table


def _meant(name: str) -> str:
    table = difflib.get_close_matches(name, Settings.model_fields, 1)
    keys = [setting.key for setting in catalog() if setting.name == name]
    guesses = [f"[{x}]" for x in table] or keys
    return f"did you mean {guesses[0]}? " if guesses else ""


class _EnvironmentSource(EnvSettingsSource):
    """Turns text into the types of the fields where it can; validation checks the rest."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self.env_vars = dict(variables)

    def decode_complex_value(
        self, field_name: str, field: FieldInfo | None, value: object
    ) -> object:
        """Reads JSON. Text that is no JSON stays text, and is refused with its variable's name."""
        try:
            return super().decode_complex_value(field_name, field, value)  # type: ignore[arg-type]  # pydantic-settings passes None itself
        except ValueError:
            return value


def _put_environment(inputs: Inputs, environ: Mapping[str, str]) -> None:
    known = {setting.variable: setting for setting in catalog() if setting.variable}
    used: dict[str, str] = {}
    for variable, value in environ.items():
        name = variable.upper()
        if not name.startswith(ENV_PREFIX) or name == CONFIG_VARIABLE or _linked(name, value):
            continue
        if name not in known:
            inputs.problems.append(_unknown_variable(variable, tuple(known)))
        elif name in used:
            inputs.problems.append(
                Problem(
                    source=variable,
                    found=f"is the same variable as {used[name]}",
                    allowed="allowed is one of them",
                )
            )
        else:
            used[name] = variable
    for name, variable in used.items():
        section, key = known[name].location
        inputs.put((section, key), _read(name, environ[variable], (section, key)), variable)


def _read(name: str, text: str, location: tuple[str, str]) -> object:
    try:  # each by itself, so that a refused one does not make others fail
        value: object = _EnvironmentSource({name.lower(): text})()[location[0]][location[1]]
    except (RecursionError, SettingsError):
        return text  # refused with its variable's name, and without its value
    return value


def _linked(name: str, value: str) -> bool:
    """Whether it is a variable of Kubernetes, and not a key with one `_` too few."""
    return bool(_SERVICE_LINK.fullmatch(name) and _SERVICE_LINK_VALUE.fullmatch(value)) and (
        "_SERVICE_" in name or "://" in value or "_TCP" in name or "_UDP" in name or "_SCTP" in name
    )


def _unknown_variable(variable: str, known: tuple[str, ...]) -> Problem:
    close = difflib.get_close_matches(variable.upper(), known, 1, cutoff=0.8)
    return Problem(
        source=nameable(variable),
        found="is not a known variable",
        allowed=f"did you mean {close[0]}?"
        if close
        else f"variables are {ENV_PREFIX}<TABLE>__<KEY>, such as MATCHKEEPER_REDIS__URL",
    )


def _put_overrides(inputs: Inputs, overrides: Mapping[str, object]) -> None:
    known = {setting.key: setting for setting in catalog() if setting.variable}
    for key, value in overrides.items():
        if value is None:
            continue
        if key in known:
            section, name = known[key].location
            inputs.put((section, name), value, _OVERRIDE)
            continue
        close = difflib.get_close_matches(key, known, 1, cutoff=0.6)
        inputs.problems.append(
            Problem(
                source=_OVERRIDE,
                key=".".join(map(nameable, key.split("."))),
                found="is not a known key",
                allowed=f"did you mean {close[0]}?" if close else "keys are <table>.<key>",
            )
        )
