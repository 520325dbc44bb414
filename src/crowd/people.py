"""Who comes when: the crowd, from a seed, before anything is sent."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
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
    """Of those who come: a party does as one what a player does."""
    modes: Mix[str]
    parties: Mapping[str, Mix[int]] = field(default_factory=dict)
    """Mode -> how many of its players come in parties of which size, 1 being alone. Nobody comes
    with friends for other modes.
    """
    too_large: Mapping[str, int] = field(default_factory=dict)
    """Mode -> players of a party that can never be in its match, for `Behaviour.TOO_LARGE`."""
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
    together: range
    """The numbers of all who come with this player, the own one among them."""


Group = tuple[Person, ...]
"""Who comes together: a player alone, or a party. One behaviour, one mode, one moment."""


def crowd(options: CrowdOptions) -> Iterator[Group]:
    """Who comes, in the order of arrival, for ever. The same seed is the same crowd.

    Raises KeyError where a party is to be too large for a mode that `too_large` does not name.
    """
    rng = random.Random(options.seed)  # noqa: S311  # the same each time, on purpose
    behaviour, mode = options.behaviours.picker(rng), options.modes.picker(rng)
    sizes = {
        name: Mix(tuple((size, weight / size) for size, weight in mix.weights)).picker(rng)
        for name, mix in options.parties.items()
    }
    number, come = 0, 0.0
    while True:
        does, where = behaviour(), mode()
        players = sizes[where]() if where in sizes else 1
        if does is Behaviour.TOO_LARGE:
            players = options.too_large[where]
        # A party counts with all its players, so that the pace is one of players.
        come += players * rng.expovariate(1.0)
        together = range(number, number + players)
        yield tuple(
            Person(
                number=each,
                at=options.pace.until(come),
                behaviour=does,
                mode=where,
                home=rng.randrange(options.homes),
                rating=round(rng.gauss(options.rating_mean, options.rating_deviation)),
                patience_seconds=max(0.0, rng.uniform(-_PATIENCE_SECONDS, _PATIENCE_SECONDS)),
                variant=rng.randrange(2),
                together=together,
            )
            for each in together
        )
        number = together.stop


def so_many(groups: Iterable[Group], players: int) -> Iterator[Group]:
    """The first `players` of them; the last party comes whole."""
    for group in groups:
        yield group
        if group[-1].number + 1 >= players:
            return
