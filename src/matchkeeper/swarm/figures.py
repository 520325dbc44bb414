"""Figures of bounded size: how long things took, and what happened when."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

_SMALLEST_SECONDS = 0.001
_GROWTH = 1.05
_SLOTS = 96


@dataclass(slots=True)
class Durations:
    """Seconds, in buckets that each are 5 % wider than the one before; the longest exactly."""

    buckets: Counter[int] = field(default_factory=Counter)
    longest: float = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.buckets[_bucket(seconds)] += 1
        self.longest = max(self.longest, seconds)

    @property
    def count(self) -> int:
        """How many."""
        return self.buckets.total()

    def quantile(self, share: float) -> float | None:
        """The time that `share` of them did not exceed, to within 5 %. None without any."""
        rank = math.ceil(share * self.count)
        seen = 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= max(1, rank):
                return min(_upper(bucket), self.longest)
        return None

    def bars(self, most: int) -> list[tuple[float, float, int]]:
        """(from, to, how many) over the whole range, in at most `most` bars."""
        if not self.buckets:
            return []
        first, last = min(self.buckets), max(self.buckets)
        width = math.ceil((last - first + 1) / most)
        return [
            (
                _upper(start - 1) if start else 0.0,
                _upper(start + width - 1),
                sum(self.buckets[each] for each in range(start, start + width)),
            )
            for start in range(first, last + 1, width)
        ]

    def shares(self) -> list[tuple[float, float]]:
        """(seconds, the share of all that took at most so long), from 0 on."""
        found, seen = [(0.0, 0.0)], 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            found.append((min(_upper(bucket), self.longest), seen / self.count))
        return found

    def take(self, other: Durations) -> None:
        """All of the other's as well."""
        self.buckets.update(other.buckets)
        self.longest = max(self.longest, other.longest)


def _bucket(seconds: float) -> int:
    if seconds <= _SMALLEST_SECONDS:
        return 0
    return math.ceil(math.log(seconds / _SMALLEST_SECONDS) / math.log(_GROWTH) - 1e-9)


def _upper(bucket: int) -> float:
    return _SMALLEST_SECONDS * _GROWTH**bucket


@dataclass(slots=True)
class Slot:
    """What happened in one stretch of time."""

    counts: Counter[str] = field(default_factory=Counter)
    waits: Durations = field(default_factory=Durations)
    waiting: int = 0
    """The most who waited at once."""

    def take(self, other: Slot) -> None:
        """Makes one slot of this and the stretch after it."""
        self.counts.update(other.counts)
        self.waits.take(other.waits)
        self.waiting = max(self.waiting, other.waiting)


class Timeline:
    """What happened when. A long run has longer slots, not more of them."""

    def __init__(self, *, slots: int = _SLOTS, slot_seconds: float = 0.25) -> None:
        self._most = slots
        self.slot_seconds = slot_seconds
        self._slots: list[Slot] = []

    def at(self, seconds: float) -> Slot:
        """The slot of a moment, counted from the start."""
        while seconds >= self._most * self.slot_seconds:
            self._widen()
        number = max(0, int(seconds / self.slot_seconds))
        while len(self._slots) <= number:
            self._slots.append(Slot())
        return self._slots[number]

    def __iter__(self) -> Iterator[tuple[float, Slot]]:
        for number, slot in enumerate(self._slots):
            yield number * self.slot_seconds, slot

    def _widen(self) -> None:
        self.slot_seconds *= 2
        for n in range(1, len(self._slots), 2):
            self._slots[n - 1].take(self._slots[n])
        self._slots = self._slots[::2]
