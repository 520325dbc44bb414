"""What metrics are made of: labels of a bounded number, and a line for the reference."""

from __future__ import annotations

from dataclasses import dataclass


class BoundedLabels:
    """The first `limit` values keep their name; all others are one."""

    def __init__(self, limit: int, *, other: str = "other") -> None:
        self._limit = limit
        self._other = other
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        """The value to use as a label."""
        if value in self._known:
            return value
        if len(self._known) >= self._limit:
            return self._other
        self._known.add(value)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDoc:
    """One metric, for the reference."""

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str
