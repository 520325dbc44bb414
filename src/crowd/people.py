"""Who comes when: the crowd, from a seed, before anything is sent."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Protocol

from crowd.behaviours import Behaviour
from crowd.mix import Mix

_PATIENCE_SECONDS = 1.0
"""Players who quit do so within this time after `EnQueued`; half of them at once."""


class Arrivals(Protocol):
    """How many come when."""

    def until(self, players: float) -> float:
        """Seconds until `players` have come, on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Players a second: from 0 to `rate` over `ramp_seconds`, then steady."""

    rate: float
    ramp_seconds: float = 0.0

    def until(self, players: float) -> float:
        """See `Arrivals`."""
        in_ramp = self.rate * self.ramp_seconds / 2
        if players < in_ramp:
            return math.sqrt(2 * self.ramp_seconds * players / self.rate)
        return self.ramp_seconds + (players - in_ramp) / self.rate

    def __str__(self) -> str:
        ramp = f", reached after {self.ramp_seconds:g} s" if self.ramp_seconds else ""
        return f"{self.rate:g} a second{ramp}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdOptions:
    """How fast they come, and what they are like."""

    pace: Arrivals
    behaviours: Mix[Behaviour]
    modes: Mix[str]
    homes: int = 1
    """The number of game servers over which they are spread."""
    rating_mean: float = 1500.0
    rating_deviation: float = 300.0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One player, before the first request."""

    number: int
    at: float
    """Seconds after the start."""
    behaviour: Behaviour
    mode: str
    home: int
    rating: int
    patience_seconds: float
    variant: int
    """0 or 1, where a behaviour has two ways."""


def crowd(options: CrowdOptions) -> Iterator[Person]:
    """The players in the order of their arrival, for ever. The same seed is the same crowd."""
    rng = random.Random(options.seed)  # noqa: S311  # the same each time, on purpose
    behaviour, mode = options.behaviours.picker(rng), options.modes.picker(rng)
    come = 0.0
    for number in count():
        come += rng.expovariate(1.0)
        yield Person(
            number=number,
            at=options.pace.until(come),
            behaviour=behaviour(),
            mode=mode(),
            home=rng.randrange(options.homes),
            rating=round(rng.gauss(options.rating_mean, options.rating_deviation)),
            patience_seconds=max(0.0, rng.uniform(-_PATIENCE_SECONDS, _PATIENCE_SECONDS)),
            variant=rng.randrange(2),
        )
