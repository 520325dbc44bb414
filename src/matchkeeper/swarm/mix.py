"""A mix: what there is, and how often. `normal=80,quits=5` are weights, not percent."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from itertools import accumulate
from typing import Generic, TypeVar

from matchkeeper.errors import ConfigError

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Mix(Generic[T]):
    """Items with weights, at least one of them above 0."""

    weights: tuple[tuple[T, float], ...]

    def __post_init__(self) -> None:
        if not sum(weight for _, weight in self.weights) > 0:
            raise ConfigError("A mix needs at least one weight above 0")

    def picker(self, rng: random.Random) -> Callable[[], T]:
        """Picks one of the items, by its weight, each time it is called."""
        sums = list(accumulate(weight for _, weight in self.weights))
        last = max(n for n, (_, weight) in enumerate(self.weights) if weight > 0)

        def pick() -> T:
            place = bisect_right(sums, rng.random() * sums[-1])
            return self.weights[min(place, last)][0]

        return pick

    def spread(self, count: int) -> list[T]:
        """`count` items in the proportions of the mix, as evenly as whole numbers allow."""
        total = sum(weight for _, weight in self.weights)
        exact = [count * weight / total for _, weight in self.weights]
        shares = [int(each) for each in exact]
        by_rest = sorted(range(len(exact)), key=lambda n: (shares[n] - exact[n], n))
        for n in by_rest[: count - sum(shares)]:
            shares[n] += 1
        pairs = zip(self.weights, shares, strict=True)
        return [item for (item, _), share in pairs for _ in range(share)]

    def __str__(self) -> str:
        return ",".join(f"{item}={weight:g}" for item, weight in self.weights)


def parse_mix(text: str, kinds: type[E], *, option: str) -> Mix[E]:
    """`a=3,b=1`, or `a` alone. Raises ConfigError that lists what is known."""
    found: dict[E, float] = {}
    for part in text.split(","):
        name, sign, number = (each.strip() for each in part.partition("="))
        kind = _kind(name, kinds, option)
        if kind in found:
            raise ConfigError(f"{option}: {name} stands twice", hint="Give each one weight.")
        found[kind] = _weight(number if sign else "1", name, option)
    return _made(found.items(), option)


def parse_modes(texts: Sequence[str]) -> Mix[str]:
    """`Normal` or `Normal=3`, one text each. Raises ConfigError."""
    option = "--mode"
    found: dict[str, float] = {}
    for text in texts:
        name, sign, number = text.rpartition("=")
        if not sign:
            name, number = text, "1"
        if not name.strip():
            raise ConfigError(
                f"{option}: {text!r} has no name", hint=f"It looks like {option} Normal=3."
            )
        if name in found:
            raise ConfigError(f"{option}: {name} stands twice", hint="Give each one weight.")
        found[name] = _weight(number, name, option)
    return _made(found.items(), option)


def _made(weights: Iterable[tuple[T, float]], option: str) -> Mix[T]:
    try:
        return Mix(tuple(weights))
    except ConfigError:
        raise ConfigError(
            f"{option}: all weights are 0", hint="At least one must be above 0."
        ) from None


def _kind(name: str, kinds: type[E], option: str) -> E:
    try:
        return kinds(name)
    except ValueError:
        close = get_close_matches(name, [kind.value for kind in kinds], n=1)
        guess = f"Did you mean {close[0]}? " if close else ""
        known = ", ".join(kind.value for kind in kinds)
        raise ConfigError(
            f"{option}: there is no {name!r}", hint=f"{guess}Known are {known}."
        ) from None


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
