"""What metrics are made of: labels of a bounded number, and a line for the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from matchkeeper.observe.facts import Fact, Hears

WAITS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
"""Buckets in seconds, unless others are given."""
DURATIONS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Buckets in seconds for what should be quick."""


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
    """Makes metrics, in a registry of their own. Most are fed by one fact, `of`, whose fields its
    labels are named after; the field `by` has the number, where it is not 1. All others are told
    what to hear by `_on`.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._docs: list[MetricDoc] = []
        self._hears: list[tuple[Fact[Any], Callable[..., None]]] = []

    def render(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self.registry)

    def documentation(self) -> tuple[MetricDoc, ...]:
        """Every metric, in the order it was made."""
        return tuple(self._docs)

    def hears(self) -> Hears:
        """What feeds the metrics."""
        return self._hears

    def _on(self, fact: Fact[Any], hear: Callable[..., None]) -> None:
        self._hears.append((fact, hear))

    def _counter(
        self, name: str, text: str, *labels: str, of: Fact[Any] | None = None, by: str = ""
    ) -> Counter:
        full = self._document(name, "counter", text, labels)
        made = Counter(full, text, labels, registry=self.registry)
        self._feed(made, Counter.inc, of, by, labels)
        return made

    def _gauge(
        self, name: str, text: str, *labels: str, of: Fact[Any] | None = None, by: str = ""
    ) -> Gauge:
        full = self._document(name, "gauge", text, labels)
        made = Gauge(full, text, labels, registry=self.registry)
        self._feed(made, Gauge.set, of, by, labels)
        return made

    def _histogram(
        self,
        name: str,
        text: str,
        *labels: str,
        of: Fact[Any] | None = None,
        by: str = "",
        buckets: Sequence[float] = WAITS,
    ) -> Histogram:
        full = self._document(name, "histogram", text, labels)
        made = Histogram(full, text, labels, registry=self.registry, buckets=tuple(buckets))
        self._feed(made, Histogram.observe, of, by, labels)
        return made

    def _document(self, name: str, kind: str, text: str, labels: Sequence[str]) -> str:
        full = f"matchkeeper_{name}"
        self._docs.append(MetricDoc(name=full, kind=kind, labels=tuple(labels), text=text))
        return full

    def _feed(
        self,
        metric: Any,
        change: Callable[[Any, float], None],
        of: Fact[Any] | None,
        by: str,
        labels: Sequence[str],
    ) -> None:
        if of is None:
            return
        if unknown := {*labels, *filter(None, [by])} - of.defaults.keys():
            raise TypeError(f"{of.name} has no {unknown}")

        children: dict[tuple[str, ...], Any] = {} if labels else {(): metric}

        def hear(**fields: Any) -> None:
            values = tuple([fields[each] for each in labels])
            child = children.get(values)
            if child is None:
                child = children[values] = metric.labels(*values)
            change(child, fields[by] if by else 1)

        self._on(of, hear)
