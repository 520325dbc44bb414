"""Counts, within a bound, what fails by itself again and again."""

from __future__ import annotations

from collections.abc import Callable, Hashable

_MOST = 10_000
_REMEMBERED_SECONDS = 600.0
"""If a thing has not failed here for so long, somebody else has done it."""


class Failing:
    """How often each thing has failed in a row. While very many fail, only the first of them are
    counted. When these are over, the next have their turn. `clock` gives monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float], most: int = _MOST) -> None:
        self._clock = clock
        self._most = most
        self._found: dict[Hashable, tuple[int, float]] = {}
        """Thing -> how often it failed and when last; ordered by that time."""

    def __len__(self) -> int:
        return len(self._found)

    def again(self, name: Hashable) -> int:
        """Counts one more failure of `name`; returns how often it has failed by now."""
        now = self._clock()
        times, _ = self._found.pop(name, (0, now))
        if len(self._found) >= self._most and not self._forgets_oldest(now):
            return times + 1
        self._found[name] = times + 1, now
        return times + 1

    def over(self, name: Hashable) -> None:
        """Forgets `name`: it is done, or was given up."""
        self._found.pop(name, None)

    def _forgets_oldest(self, now: float) -> bool:
        name = next(iter(self._found))
        if now - self._found[name][1] < _REMEMBERED_SECONDS:
            return False
        del self._found[name]
        return True
