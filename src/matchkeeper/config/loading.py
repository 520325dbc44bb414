"""Reads the configuration: all of it is valid, or one error tells every problem."""

from __future__ import annotations

import copy
import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from matchkeeper.config.catalog import catalog, field_at
from matchkeeper.config.checks import ReasonError
from matchkeeper.config.fields import allowed_text, is_list, is_secret, model_in
from matchkeeper.config.inputs import Inputs, InvalidSettingsError, Problem, gather
from matchkeeper.config.models import Contradiction, ContradictionsError, Location, Settings
from matchkeeper.config.rule_tables import FORMS
from matchkeeper.config.showing import kind_of, nameable, shown


def load(
    path: Path | None = None,
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """The settings from a TOML file, above it the environment, above that `overrides`.

    Without `path`, the file is the one that `MATCHKEEPER_CONFIG` names, if any. `overrides` has
    dotted keys (`redis.url`) and values as in a file; None is the same as not given. `environ` is
    the process's own unless given. Raises InvalidSettingsError, a ConfigError, with all problems.
    """
    inputs = gather(path, overrides or {}, os.environ if environ is None else environ)
    outcome = _validated(inputs.data)
    problems = list(inputs.problems)
    if not isinstance(outcome, Settings):
        problems.extend(_problems(outcome, inputs))
    if isinstance(outcome, Settings) and not problems:
        return outcome
    raise InvalidSettingsError(problems)


def _validated(data: dict[str, Any]) -> Settings | list[ErrorDetails]:
    try:
        return Settings(**data)
    except ValidationError as error:
        # This is returned, not chained to the error raised later: it holds the input with its
        # secrets.
        found = error.errors(include_url=False)
    for each in found:
        each["loc"] = _without_form(each["loc"])
    return found


def _without_form(location: Location) -> Location:
    """The key: the form of teams, which may have several, is no part of it."""
    return tuple(
        [
            part
            for before, part in pairwise(("", *location))
            if before != "teams" or part not in FORMS
        ]
    )


def _problems(errors: list[ErrorDetails], inputs: Inputs) -> Iterator[Problem]:
    for contradiction in _contradictions(errors):
        yield _contradicted(contradiction, inputs)
    single = [error for error in errors if error["loc"]]
    broken = [error["loc"] for error in single]
    # A list whose items are refused is also "too short": only the items are worth a line.
    innermost = [x for x in single if not any(_within(y, x["loc"]) for y in broken)]
    for error in innermost:
        yield _explained(error, inputs)
    if not innermost:
        return
    # Contradictions are found only where all keys are valid, so look again without the bad ones.
    again = _validated(_without(inputs.data, [error["loc"] for error in innermost]))
    if isinstance(again, Settings):
        return
    for contradiction in _contradictions(again):
        if not any(_touches(contradiction, location) for location in broken):
            yield _contradicted(contradiction, inputs)


def _contradictions(errors: Iterable[ErrorDetails]) -> Iterator[Contradiction]:
    for error in errors:
        cause = error.get("ctx", {}).get("error")
        if isinstance(cause, ContradictionsError):
            yield from cause.found


def _within(inner: Location, outer: Location) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _touches(contradiction: Contradiction, location: Location) -> bool:
    return any(
        part == location or _within(part, location)
        for part in (contradiction.at, *contradiction.others)
    )


def _without(data: dict[str, Any], locations: Iterable[Location]) -> dict[str, Any]:
    mended = copy.deepcopy(data)
    for location in locations:
        _mend(mended, location)
    return mended


def _mend(data: dict[str, Any], location: Location) -> None:
    """Takes out a refused value, with all of its key; a game mode stays, if needed with a made-up
    name.
    """
    modes = location[:2] == ("matchmaking", "game_modes") and len(location) > 2
    if modes and len(location) == 3:
        data["matchmaking"]["game_modes"][location[2]] = {"game_mode": f"#{location[2]}"}
        return
    *way, last = location[:4] if modes else location[:2]
    table: Any = data
    for part in way:
        table = table[part]
    table.pop(last, None)
    if modes and last == "game_mode":
        table["game_mode"] = f"#{location[2]}"


def _explained(error: ErrorDetails, inputs: Inputs) -> Problem:
    """The problem that a validation error tells of."""
    location = error["loc"]
    if error["type"] == "extra_forbidden":
        found, allowed = "is not a known key", _known_keys(location)
    elif error["type"] == "missing":
        found, allowed = "is missing", f"needed is {_allowed(location)}"
    else:
        found, allowed = _found(error, inputs), f"allowed is {_allowed(location)}"
    source = inputs.source_of(location)
    field = field_at(location[:2])
    if location[:2] in inputs.sources and field is not None and is_list(field):
        allowed += ", in a variable written as JSON"
    return Problem(source=source, key=_key_text(location, inputs), found=found, allowed=allowed)


def _contradicted(contradiction: Contradiction, inputs: Inputs) -> Problem:
    """The problem that a contradiction is, with the sources of the settings that were given."""
    given = [
        inputs.source_of(location)
        for location in (contradiction.at, *contradiction.others)
        if inputs.value_at(location) is not None
    ]
    return Problem(
        source=" and ".join(dict.fromkeys(given)) or inputs.base,
        key=_key_text(contradiction.at, inputs),
        found=contradiction.found,
        allowed=contradiction.allowed,
    )


def _key_text(location: Location, inputs: Inputs) -> str:
    """The dotted key, and for a game mode which one it is."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{nameable(part)}"
    index = next((i for i, part in enumerate(location) if isinstance(part, int)), None)
    if index is None or location[:index] != ("matchmaking", "game_modes"):
        return text.removeprefix(".")
    name = inputs.value_at((*location[: index + 1], "game_mode"))
    which = f"mode {int(location[index]) + 1}"
    if isinstance(name, str):
        which += f", {shown(name)}"
    return f"{text.removeprefix('.')} ({which})"


def _found(error: ErrorDetails, inputs: Inputs) -> str:
    location = error["loc"]
    value, field = inputs.value_at(location), field_at(location)
    if field is None or not is_secret(field):
        return f"is {shown(value)}"
    reason = error.get("ctx", {}).get("error")
    because = f": {reason}" if isinstance(reason, ReasonError) else ""
    kind = kind_of(value)
    hidden = " (not shown, as it may hold a secret)" if kind == "a text" else ""
    return f"is {kind}{hidden}{because}"


def _allowed(location: Location) -> str:
    field = field_at(location)
    if field is None:
        return "what docs/configuration.md says"
    if model_in(field.annotation) is not None and field_at(location[:-1]) is field:
        table = ".".join([nameable(part) for part in location if isinstance(part, str)])
        return f"a table [[{table}]]" if isinstance(location[-1], int) else f"a table [{table}]"
    return allowed_text(field)


def _known_keys(location: Location) -> str:
    name = str(location[-1])
    table = tuple(part for part in location[:-1] if isinstance(part, str))
    field = field_at(table)
    model = Settings if field is None else model_in(field.annotation)
    names = list(model.model_fields) if model else []
    close = difflib.get_close_matches(name, names, 1)
    elsewhere = [x.key for x in catalog() if x.name == name and x.location[:-1] != table]
    guesses = close or elsewhere
    meant = f"did you mean {guesses[0]}? " if guesses else ""
    return f"{meant}known keys are {', '.join(names)}"
