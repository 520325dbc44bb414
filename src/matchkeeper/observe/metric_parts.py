"""What metrics are made of: labels of a bounded number, and a line for the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

WAITS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
"""Buckets in seconds, unless others are given."""


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


class Registry:
    """Makes metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._docs: list[MetricDoc] = []

    def render(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self.registry)

    def documentation(self) -> tuple[MetricDoc, ...]:
        """Every metric, in the order it was made."""
        return tuple(self._docs)

    def _document(self, name: str, kind: str, text: str, labels: Sequence[str]) -> str:
        full = f"matchkeeper_{name}"
        self._docs.append(MetricDoc(name=full, kind=kind, labels=tuple(labels), text=text))
        return full

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        full = self._document(name, "counter", text, labels)
        return Counter(full, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        full = self._document(name, "gauge", text, labels)
        return Gauge(full, text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, *labels: str, buckets: Sequence[float] = WAITS
    ) -> Histogram:
        full = self._document(name, "histogram", text, labels)
        return Histogram(full, text, labels, registry=self.registry, buckets=tuple(buckets))
