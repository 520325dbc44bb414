"""Reads the configuration: all of it is well, or one error tells all that is not."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from matchkeeper.config.errors import InvalidSettingsError, Problem
from matchkeeper.config.explain import contradicted, explained
from matchkeeper.config.inputs import Inputs, gather
from matchkeeper.config.models import ContradictionsError, Settings
from matchkeeper.config.rules import Contradiction, Location


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
        # Returned, not chained to what is raised in the end: it holds the input, secrets and all.
        return error.errors(include_url=False)


def _problems(errors: list[ErrorDetails], inputs: Inputs) -> Iterator[Problem]:
    for contradiction in _contradictions(errors):
        yield contradicted(contradiction, inputs)
    single = [error for error in errors if error["loc"]]
    broken = [error["loc"] for error in single]
    # A list whose items are refused is also "too short": only the items are worth a line.
    innermost = [x for x in single if not any(_within(y, x["loc"]) for y in broken)]
    for error in innermost:
        yield explained(error, inputs)
    if not innermost:
        return
    # Contradictions are only looked for where all keys are well, so look again without the others.
    again = _validated(_without(inputs.data, [error["loc"] for error in innermost]))
    if isinstance(again, Settings):
        return
    for contradiction in _contradictions(again):
        if not any(_touches(contradiction, location) for location in broken):
            yield contradicted(contradiction, inputs)


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
    """Takes out what is refused; a game mode stays where it is, if need be under a made-up name."""
    modes = location[:2] == ("matchmaking", "game_modes") and len(location) > 2
    if modes and len(location) == 3:
        data["matchmaking"]["game_modes"][location[2]] = {"game_mode": f"#{location[2]}"}
        return
    if not modes:
        location = location[:2]
    *way, last = location
    table: Any = data
    for part in way:
        table = table[part]
    table.pop(last, None)
    if modes and last == "game_mode":
        table["game_mode"] = f"#{location[2]}"
