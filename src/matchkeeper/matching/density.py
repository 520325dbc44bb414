"""How many players come where a rating is: what a round needs to know of those who will come."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

ENOUGH = 50
"""Arrivals from which on a density is known; the rate is that of the last so many."""
_RATINGS = 1_000
_NEAREST = 20
_LEAST_SECONDS = 0.001
"""What came at one moment came within this time."""
_LATE_SECONDS = 60.0
"""Who is first seen so long after the enqueue is no newcomer: the ticket came back, or its like
have been matched before anybody looked.
"""


class Density:
    """Looks at one queue's arrivals.

    Of the last thousand ratings the twentieth nearest to a newcomer says how many of those who come
    are near; how fast they come, the last fifty arrivals say.
    """

    def __init__(self) -> None:
        self._times = deque[float](maxlen=ENOUGH)
        self._ratings = deque[float]()
        self._sorted: list[float] = []

    def seen(self, at: float, rating: float, now: float) -> float | None:
        """A ticket is seen for the first time, at `now`; it was enqueued `at` that Unix time. Says
        how many players a second come for each point of rating where it stands; None while too few
        have come.
        """
        if now - at <= _LATE_SECONDS:
            self._note(at, rating)
        if len(self._times) < ENOUGH:
            return None
        seconds = max(_LEAST_SECONDS, max(self._times) - min(self._times))
        rate = (ENOUGH - 1) / seconds
        reach = self._distance(rating)
        return rate * _NEAREST / (2 * reach * len(self._sorted)) if reach else float("inf")

    def _note(self, at: float, rating: float) -> None:
        self._times.append(at)
        self._ratings.append(rating)
        insort(self._sorted, rating)
        if len(self._ratings) > _RATINGS:
            del self._sorted[bisect_left(self._sorted, self._ratings.popleft())]

    def _distance(self, rating: float) -> float:
        """To the twentieth nearest: the nearest run of so many, by its farther end."""
        known, count = self._sorted, _NEAREST
        place = bisect_left(known, rating)
        low, high = max(0, place - count), min(place, len(known) - count)
        while low < high:
            middle = (low + high) // 2
            if rating - known[middle] > known[middle + count] - rating:
                low = middle + 1
            else:
                high = middle
        return max(abs(rating - known[low]), abs(known[low + count - 1] - rating))
