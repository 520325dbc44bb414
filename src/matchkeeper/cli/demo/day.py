"""When players come: a day of a game in a few minutes."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

_HOURS = 24.0
_MINUTES = 24 * 60
_NIGHT = 0.08
"""Share of the evening's peak that plays at the quietest hour."""
_BEGINS_AT = 17.0
"""The hour at which the show begins: already busy, and before the peak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Players a second, over days that each take `seconds`, for ever."""

    peak_per_second: float
    seconds: float

    def hour(self, at: float) -> float:
        """The hour of the day, 0 to 24, so many seconds after the show began."""
        return (_BEGINS_AT + _HOURS * (at / self.seconds)) % _HOURS

    def until(self, players: float) -> float:
        """Seconds until `players` have come, on average."""
        days, rest = divmod(players / (self.peak_per_second * self.seconds), _COME[-1])
        minute = bisect_right(_COME, rest) - 1
        into = (rest - _COME[minute]) / (_COME[minute + 1] - _COME[minute])
        return (days + (minute + into) / _MINUTES) * self.seconds


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


_DAY = [_hills(minute / 60) for minute in range(_MINUTES)]
_LOW, _HIGH = min(_DAY), max(_DAY)
_COME = [0.0, *accumulate(share_of_peak(_BEGINS_AT + n / 60) / _MINUTES for n in range(_MINUTES))]
"""How much of a day at the peak's rate has come by each minute after the show began."""
