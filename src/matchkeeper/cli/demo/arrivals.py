"""Who comes and when: a day of a game in a few minutes. The same seed gives the same players."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from matchkeeper.domain.mode import GameMode

_HOURS = 24.0
_NIGHT = 0.08
"""Share of the evening's peak that plays at the quietest hour."""
_BEGINS_AT = 17.0
"""The hour at which the show begins: already busy, and before the peak."""
_MEAN_RATING, _SPREAD = 1500.0, 300.0
_LOWEST, _HIGHEST = 0, 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What players do. Shares are of 1."""

    quits: float = 0.08
    """They leave after a few seconds."""
    quits_after: timedelta = timedelta(seconds=3)
    """How long they wait on average."""
    patience: timedelta = timedelta(seconds=90)
    """All others leave after about this time."""
    bad_metadata: float = 0.02
    """Their client sends a rating that is no number: refused at the door."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """One player who comes."""

    at: timedelta
    """Since the show began."""
    player_id: str
    mode: GameMode
    mmr: int | str
    patience: timedelta
    """How long the player waits after `EnQueued` before leaving."""


def hour_at(since_begin: timedelta, day: timedelta) -> float:
    """The hour of the day, 0 to 24, where a whole day takes `day`."""
    return (_BEGINS_AT + _HOURS * (since_begin / day)) % _HOURS


def share_of_peak(hour: float) -> float:
    """How many players come at this hour, as a share of the evening's peak: a smooth curve.

    Quietest at about five in the morning, a first hill at noon, the peak at half past eight.
    """
    return _NIGHT + (1 - _NIGHT) * (_hills(hour) - _LOW) / (_HIGH - _LOW)


def _hills(hour: float) -> float:
    return _hill(hour, top=20.5, sharpness=3.0) + 0.45 * _hill(hour, top=13.0, sharpness=2.0)


def _hill(hour: float, *, top: float, sharpness: float) -> float:
    """1 at the top, and the same again after a day."""
    return math.exp(sharpness * (math.cos(2 * math.pi * (hour - top) / _HOURS) - 1))


_DAY = [_hills(minute / 60) for minute in range(24 * 60)]
_LOW, _HIGH = min(_DAY), max(_DAY)


def arrival_times(
    rng: random.Random, *, peak_per_second: float, day: timedelta
) -> Iterator[timedelta]:
    """Arrivals of a Poisson process whose rate follows the day, for ever.

    By thinning: candidates come at the peak's rate, and each stays with the share of its hour.
    """
    seconds = 0.0
    while True:
        seconds += rng.expovariate(peak_per_second)
        at = timedelta(seconds=seconds)
        if rng.random() < share_of_peak(hour_at(at, day)):
            yield at


def visitors(
    rng: random.Random,
    modes: Sequence[GameMode],
    *,
    peak_per_second: float,
    day: timedelta,
    habits: Habits,
    prefix: str = "",
) -> Iterator[Visitor]:
    """Players for ever, with ratings from a bell curve."""
    times = arrival_times(rng, peak_per_second=peak_per_second, day=day)
    for number, at in enumerate(times, start=1):
        mode = rng.choice(modes)
        mmr: int | str = rating(rng)
        if rng.random() < habits.bad_metadata:
            mmr = "over 9000"
        yield Visitor(
            at=at,
            player_id=f"{prefix}player-{number}",
            mode=mode,
            mmr=mmr,
            patience=_patience(rng, habits),
        )


def rating(rng: random.Random) -> int:
    """A rating from a bell curve, without the impossible ends."""
    return min(_HIGHEST, max(_LOWEST, round(rng.gauss(_MEAN_RATING, _SPREAD))))


def _patience(rng: random.Random, habits: Habits) -> timedelta:
    if rng.random() < habits.quits:
        return habits.quits_after * rng.expovariate(1.0)
    return habits.patience * rng.uniform(0.7, 1.3)
