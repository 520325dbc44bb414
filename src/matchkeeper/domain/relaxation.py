"""A number that a rule demands, and how it changes with the time that a ticket has waited.

The clock is each ticket's own wait, and everybody in a match must accept. So of all the tickets of
a match the tightest number counts, and a rule is off only where it is off for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

_T = TypeVar("_T")

Bound = float | None
"""None: no bound, `"off"` in the settings."""


def step_at(steps: tuple[tuple[float, _T], ...], waited_seconds: float) -> _T:
    """The value of the last step that has begun after so long. The first one is at 0."""
    value = steps[0][1]
    for since, following in steps:
        if since > waited_seconds:
            break
        value = following
    return value


@dataclass(frozen=True, slots=True)
class Steps:
    """A number that changes at some moments. A constant has one step."""

    steps: tuple[tuple[float, Bound], ...]
    """(from so many seconds of waiting on, the number); the first is at 0, and seconds grow."""

    def at(self, waited_seconds: float) -> Bound:
        """The number after so long."""
        return step_at(self.steps, waited_seconds)

    @property
    def last(self) -> Bound:
        """The number in the end."""
        return self.steps[-1][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """A number that grows evenly, `start + per_second * waited`, up to `maximum`."""

    start: float
    per_second: float
    maximum: float

    def at(self, waited_seconds: float) -> Bound:
        """The number after so long."""
        return min(self.maximum, self.start + self.per_second * max(0.0, waited_seconds))

    @property
    def last(self) -> Bound:
        """The number in the end."""
        return self.maximum if self.per_second else self.start


Relaxation = Steps | Ramp


def constant(value: Bound) -> Steps:
    """A number that never changes."""
    return Steps(((0.0, value),))


def at_most(relaxation: Relaxation, waits: Iterable[float]) -> Bound:
    """The upper bound that everybody accepts: the least of those of all tickets."""
    found = [value for each in waits if (value := relaxation.at(each)) is not None]
    return min(found, default=None)


def at_least(relaxation: Relaxation, waits: Iterable[float]) -> Bound:
    """The lower bound that everybody accepts: the largest of those of all tickets."""
    found = [value for each in waits if (value := relaxation.at(each)) is not None]
    return max(found, default=None)


def tightens(steps: Steps, *, is_upper: bool) -> tuple[float, Bound] | None:
    """The first step that demands more than the one before it; None if there is none."""
    for (_, before), (since, after) in pairwise(steps.steps):
        if before is None:
            if after is not None:
                return since, after
        elif after is not None and (after < before if is_upper else after > before):
            return since, after
    return None
