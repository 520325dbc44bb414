"""The six safety devices, as the server's own metrics show them at work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from matchkeeper.handoff.decide import Cause
from matchkeeper.resilience.breaker import BreakerState, CircuitBreaker

_NAMES = (
    "matchkeeper_redis_operations_total",
    "matchkeeper_redis_retries_total",
    "matchkeeper_skipped_ticks_total",
    "matchkeeper_poisoned_total",
    "matchkeeper_game_server_failures",
    "matchkeeper_breaker_opened_total",
    "matchkeeper_reenqueued_total",
    "matchkeeper_redelivered_total",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device and what it has done."""

    name: str
    now: str
    so_far: str
    at_work: bool = False


class Readings:
    """Values of metrics, summed over the labels that are not asked for."""

    def __init__(self, registry: CollectorRegistry) -> None:
        families = registry.restricted_registry(list(_NAMES)).collect()
        self._samples = [sample for family in families for sample in family.samples]

    def total(self, name: str, **labels: str) -> int:
        """The sum of all samples with these labels."""
        full = f"matchkeeper_{name}"
        return round(
            sum(
                sample.value
                for sample in self._samples
                if sample.name == full and _has(sample.labels, labels)
            )
        )


def _has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(labels.get(name) == value for name, value in wanted.items())


def devices(readings: Readings, breaker: CircuitBreaker, *, listening: int) -> list[Device]:
    """All devices, in the order of the documentation."""
    timeouts = readings.total("redis_operations_total", outcome="timeout")
    failures = readings.total("game_server_failures")
    running = readings.total("skipped_ticks_total", why="running")
    # An odd player waits for the next to come; that is no failure.
    kept = readings.total("reenqueued_total") - readings.total(
        "reenqueued_total", cause=Cause.ODD_PLAYER.value
    )
    return [
        Device(
            name="deadlines and retries",
            now="",
            so_far=f"{timeouts} timeouts, {readings.total('redis_retries_total')} retries",
        ),
        Device(name="one round at a time", now="", so_far=f"{running} ticks found one running"),
        Device(
            name="dead letters",
            now="",
            so_far=f"{readings.total('poisoned_total')} players set aside",
        ),
        Device(
            name="game-server monitor",
            now=f"nobody listens: {failures} attempts" if failures else f"{listening} listen",
            so_far="",
            at_work=failures > 0,
        ),
        Device(
            name="circuit breaker",
            now=_breaker(breaker),
            so_far=f"opened {readings.total('breaker_opened_total')} times, "
            f"{readings.total('skipped_ticks_total', why='circuit_open')} ticks skipped",
            at_work=breaker.state is not BreakerState.CLOSED,
        ),
        Device(
            name="place kept",
            now="",
            so_far=f"{readings.total('redelivered_total')} matches offered again, "
            f"{kept} times a player kept the place",
        ),
    ]


def _breaker(breaker: CircuitBreaker) -> str:
    if breaker.state is BreakerState.OPEN:
        return f"OPEN, next try in {breaker.seconds_until_probe():.0f} s"
    return breaker.state.value.replace("_", " ")
