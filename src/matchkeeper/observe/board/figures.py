"""Figures from what was remembered: pure, and made only when somebody looks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TypeVar

V = TypeVar("V", float, tuple[str, float])

_EDGES = (25, 50, 100, 150, 200, 300, 500)
"""Upper ends of the bins of rating differences, in MMR points; the last bin has none."""


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of all do not exceed; None of nothing.

    `ordered` is sorted.
    """
    if not ordered:
        return None
    rank = math.ceil(share * len(ordered))
    return ordered[min(len(ordered), max(1, rank)) - 1]


def newest(groups: Iterable[tuple[float, Sequence[V]]], *, since: float, enough: int) -> list[V]:
    """Values of groups that came at `since` or later, sorted. `groups` come newest first; after
    `enough` values the older ones do not matter.
    """
    values: list[V] = []
    for at, group in groups:
        if at < since or len(values) >= enough:
            break
        values.extend(group)
    values.sort()
    return values


def by_size(waits: Iterable[tuple[str, float]]) -> dict[str, list[float]]:
    """Size -> seconds, sorted; the smallest first. `waits` are sorted."""
    found: dict[str, list[float]] = {}
    for size, seconds in waits:
        found.setdefault(size, []).append(seconds)
    return found


def histogram(values: Iterable[float]) -> list[tuple[float, float | None, int]]:
    """(from, below, how many), in fixed bins, so that the picture does not jump."""
    counts = [0] * (len(_EDGES) + 1)
    for value in values:
        counts[next((i for i, edge in enumerate(_EDGES) if value < edge), len(_EDGES))] += 1
    starts = (0.0, *(float(edge) for edge in _EDGES))
    ends = (*(float(edge) for edge in _EDGES), None)
    return list(zip(starts, ends, counts, strict=True))


def mean(values: Sequence[float]) -> float:
    """0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def count_since(times: Sequence[float], since: float) -> int:
    """How many of these times, oldest first, are `since` or later."""
    later = 0
    for at in reversed(times):
        if at < since:
            break
        later += 1
    return later


def last(values: Sequence[float], count: int) -> list[float]:
    """The last `count`, newest first."""
    return list(islice(reversed(values), count))
