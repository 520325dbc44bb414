"""What pydantic refuses, in words for people, without any secret."""

from __future__ import annotations

import difflib

from pydantic_core import ErrorDetails

from matchkeeper.config.catalog import allowed_text, catalog, field_at, is_list, is_secret, model_in
from matchkeeper.config.checks import ReasonError
from matchkeeper.config.errors import Problem
from matchkeeper.config.inputs import Inputs
from matchkeeper.config.masking import kind_of, nameable, shown
from matchkeeper.config.models import Settings
from matchkeeper.config.rules import Contradiction, Location


def explained(error: ErrorDetails, inputs: Inputs) -> Problem:
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
    return Problem(source=source, key=key_text(location, inputs), found=found, allowed=allowed)


def contradicted(contradiction: Contradiction, inputs: Inputs) -> Problem:
    """The problem that a contradiction is, with the sources of the settings that were given."""
    given = [
        inputs.source_of(location)
        for location in (contradiction.at, *contradiction.others)
        if inputs.value_at(location) is not None
    ]
    return Problem(
        source=" and ".join(dict.fromkeys(given)) or inputs.base,
        key=key_text(contradiction.at, inputs),
        found=contradiction.found,
        allowed=contradiction.allowed,
    )


def key_text(location: Location, inputs: Inputs) -> str:
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
    if isinstance(location[-1], int) and model_in(field.annotation) is not None:
        return "a table [[matchmaking.game_modes]]"
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
