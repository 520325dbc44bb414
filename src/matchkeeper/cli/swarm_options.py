"""The options of `matchkeeper swarm`: their types, limits and help, and mixes as text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from crowd.behaviours import FOR_DEPLOYMENTS, Behaviour
from crowd.mix import Mix
from crowd.requests import Via
from matchkeeper.errors import ConfigError
from matchkeeper.wire.parties import MOST_PLAYERS

E = TypeVar("E", bound=StrEnum)

MIX = (
    "normal=80,quits=5,twice=5,leaves_late=2,unknown_mode=2,missing_fields=2,bad_metadata=2,"
    "oversized=2"
)
_DAY = 86_400


def _in_panel(panel: str) -> Any:
    def option(text: str, *names: str, **more: Any) -> Any:
        return typer.Option(*names, help=text, rich_help_panel=panel, **more)

    return option


_player, _pod, _limit, _result = map(
    _in_panel, ("Players", "Simulated game servers", "What must be reached", "Results")
)

Players = Annotated[
    int, _player("How many come; the last party comes whole.", min=1, max=10_000_000)
]
Rate = Annotated[float, _player("Players a second.", min=0.01, max=100_000)]
Ramp = Annotated[float, _player("Seconds from 0 to that rate.", min=0, max=_DAY)]
Modes = Annotated[
    list[str] | None,
    _player(
        "Game mode, with a weight if you like: Normal or Normal=3. May be given several times. "
        "Default: all of the settings.",
    ),
]
Parties = Annotated[
    str,
    _player(
        "How many of the players come alone, in pairs and so on: weights by party size, as in "
        "1=60,2=20,5=20.",
    ),
]
Behaviours = Annotated[str, _player(f"What they do, with weights: {', '.join(Behaviour)}.")]
How = Annotated[Via, _player("How requests travel.")]
MetadataBytes = Annotated[int, _player("Size of each player's metadata.", min=0, max=1_000_000)]
Ratings = Annotated[str, _player("Mean and deviation of the ratings.")]
Timeout = Annotated[
    float,
    _player(
        "Players not matched after so many seconds count as unmatched, and leave.",
        min=0.1,
        max=_DAY,
    ),
]
Late = Annotated[
    float,
    _player("Seconds that news may be late before a player counts as lost.", min=0.1, max=_DAY),
]
Seed = Annotated[int | None, _player("For the same players each time. Default: chance.")]

Pods = Annotated[int, _pod("How many. 0: only the real ones that are there.", min=0, max=2_000)]
PodBehaviours = Annotated[
    str,
    _pod(f"What they do with matches to be claimed, with weights: {', '.join(FOR_DEPLOYMENTS)}."),
]

MinSuccess = Annotated[float, _limit("Percent of players with the right end.", min=0, max=100)]
MaxP95Wait = Annotated[float | None, _limit("Seconds within which 95 % are matched.", min=0)]
MaxErrors = Annotated[int | None, _limit("Errors that no behaviour asks for.", min=0)]

Report = Annotated[Path | None, _result("Write a report in HTML.", dir_okay=False)]
JsonFile = Annotated[Path | None, _result("Write all figures.", "--json", dir_okay=False)]
Yes = Annotated[bool, _result("Do not ask before an address elsewhere.", "--yes", "-y")]


def parse_mix(text: str, kinds: Iterable[E], *, option: str) -> Mix[E]:
    """`a=3,b=1`, or `a` alone. Raises ConfigError that lists what is known."""
    known = {kind.value: kind for kind in kinds}
    parts = ("=".join(each.strip() for each in part.split("=")) for part in text.split(","))
    weights = _weights(parts, option)
    return Mix(tuple((_kind(name, known, option), weight) for name, weight in weights.items()))


def parse_modes(texts: Iterable[str]) -> Mix[str]:
    """`Normal` or `Normal=3`, one text each. Raises ConfigError."""
    option = "--mode"
    weights = _weights(texts, option)
    if not all(map(str.strip, weights)):
        raise ConfigError(f"{option}: one has no name", hint=f"It looks like {option} Normal=3.")
    return Mix(tuple(weights.items()))


def parse_parties(text: str) -> Mix[int]:
    """`1=60,2=40`: weights by the number of players who come together. Raises ConfigError."""
    option = "--parties"
    weights = _weights((part.strip() for part in text.split(",")), option)
    sizes = {
        name: int(name) for name in map(str.strip, weights) if re.fullmatch("[0-9]{1,3}", name)
    }
    for name in weights:
        if not 1 <= sizes.get(name.strip(), 0) <= MOST_PLAYERS:
            raise ConfigError(
                f"{option}: {name!r} is no number of players from 1 to {MOST_PLAYERS}",
                hint=f"It looks like {option} 1=60,2=20,5=20.",
            )
    return Mix(tuple((sizes[name.strip()], weight) for name, weight in weights.items()))


def _weights(texts: Iterable[str], option: str) -> dict[str, float]:
    """Each name stands once, and not all weights are 0."""
    found: dict[str, float] = {}
    for text in texts:
        name, sign, number = text.rpartition("=")
        if not sign:
            name, number = text, "1"
        if name in found:
            raise ConfigError(f"{option}: {name} stands twice", hint="Give each one weight.")
        found[name] = _weight(number, name, option)
    if not any(found.values()):
        raise ConfigError(f"{option}: all weights are 0", hint="At least one must be above 0.")
    return found


def _kind(name: str, known: Mapping[str, E], option: str) -> E:
    if name in known:
        return known[name]
    close = get_close_matches(name, known, n=1)
    guess = f"Did you mean {close[0]}? " if close else ""
    raise ConfigError(
        f"{option}: there is no {name!r}", hint=f"{guess}Known are {', '.join(known)}."
    )


def _weight(text: str, name: str, option: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not 0 <= weight <= 1e9:
        raise ConfigError(
            f"{option}: the weight of {name} is {text!r}, not a number from 0 to 1e9",
            hint=f"It looks like {option} {name}=5.",
        )
    return weight
