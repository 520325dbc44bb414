"""How long a round of the rating strategy takes, by the length of the queue."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.players import names, waiting
from bench.site import Lag, Server, Site, metric_in, opened
from crowd.wire import packed
from matchkeeper.domain.form import FORM
from matchkeeper.store import keys

_MODE = {"game_mode": "Ranked", "use_mmr_matching": True, "mmr_window_start": 1}
_NOBODY, _EVERYBODY = 2.0, 0.001
"""Distance of two neighbouring ratings, where windows are 1: nobody or everybody finds somebody."""
_PATIENCE_SECONDS = 600.0
_ROUNDS = 7
_LOOK_EVERY_SECONDS = 0.2
_TICK_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTime:
    """The figures of one queue."""

    tickets: int
    matchable: bool
    first_seconds: float
    """Seconds of the server's first round, which has to read all metadata."""
    seconds: tuple[float, ...]
    """Reading and pairing in later rounds."""
    commit_seconds: float
    """Seconds for all matches, once a game server is there."""
    lag_seconds: float
    """The 99th percentile of what `/health/live` took meanwhile: such a request waits for the
    event loop.
    """
    server_bytes: int
    """What the server holds more than before."""
    ping_p99_seconds: float
    slow_scripts: int


def of(folder: Path, *, tickets: int, matchable: bool, metadata_bytes: int = 500) -> RoundTime:
    """Fills the queue, then lets a server at it; a game server comes when rounds were measured."""
    with opened(folder) as site:
        _fill(site, tickets, spread=_EVERYBODY if matchable else _NOBODY,
              metadata_bytes=metadata_bytes)  # fmt: skip
        empty, server = site.server(
            [{**_MODE, "mmr_window_max": 1}],
            MATCHMAKING__MAX_TICKETS_PER_ROUND=max(tickets, 2),
            MATCHMAKING__TRY_MATCH_TICK_INTERVAL_SECONDS=_TICK_SECONDS,
        )
        before = empty.memory_bytes()
        lag = Lag(server)
        ping_p99 = site.ping_p99_while(_until(lambda: _rounds(server) >= 1))
        first = _looking(server)
        done = _rounds(server)
        later = _each_round(server, _ROUNDS)
        pod = site.pod(claims=False, tag="ranked")
        if matchable:
            ping_p99 = site.ping_p99_while(_until(lambda: _waiting(site) < tickets / 100))
        time.sleep(2 * _TICK_SECONDS)
        lag.end()
        pod.end()
        return RoundTime(
            tickets=tickets,
            matchable=matchable,
            first_seconds=first / done,
            seconds=tuple(later),
            commit_seconds=_spent(server, "commit"),
            server_bytes=empty.memory_bytes() - before,
            lag_seconds=lag.p99_seconds(),
            ping_p99_seconds=ping_p99,
            slow_scripts=site.slow_scripts(),
        )


def _fill(site: Site, tickets: int, *, spread: float, metadata_bytes: int) -> None:
    with site.line() as line:
        commands = waiting(
            names(tickets), "ranked", random.Random(1),
            metadata_bytes=metadata_bytes, spread=spread,
        )  # fmt: skip
        # Else the server takes what it finds there for the state of another version.
        stamp = packed("HSET", keys.version(), "form", FORM, "by", "bench")
        line.all([stamp, *commands])


def _until(there: Callable[[], bool]) -> Callable[[], bool]:
    """Whether to wait on. Raises TimeoutError."""
    deadline = time.monotonic() + _PATIENCE_SECONDS

    def on() -> bool:
        if time.monotonic() > deadline:
            raise TimeoutError(f"no end within {_PATIENCE_SECONDS:g} s")
        return not there()

    return on


def _each_round(server: Server, count: int) -> list[float]:
    """Seconds that each of the next rounds has read and paired; there is a tick between two."""
    found: dict[str, list[float]] = {"read": [], "pair": []}
    before = server.metrics()
    going_on = _until(lambda: min(map(len, found.values())) >= count)
    while going_on():
        time.sleep(_LOOK_EVERY_SECONDS)
        now = server.metrics()
        for step, times in found.items():
            (rounds, spent), (more, spent_more) = _step(before, step), _step(now, step)
            if more > rounds:
                times.append((spent_more - spent) / (more - rounds))
        before = now
    return [sum(each) for each in zip(*found.values(), strict=False)]


def _step(metrics: str, step: str) -> tuple[float, float]:
    """How often a step was done, and how many seconds that took in all."""
    name = "matchkeeper_round_step_seconds"
    count = metric_in(metrics, f"{name}_count", step=step)
    return count, metric_in(metrics, f"{name}_sum", step=step)


def _waiting(site: Site) -> int:
    with site.line() as line:
        return int(line.ask("ZCARD", "queue:{ranked}"))


def _rounds(server: Server) -> float:
    return metric_in(server.metrics(), "matchkeeper_round_duration_seconds_count")


def _looking(server: Server) -> float:
    """Seconds that all rounds until now have read and paired."""
    return _spent(server, "read") + _spent(server, "pair")


def _spent(server: Server, step: str) -> float:
    return _step(server.metrics(), step)[1]


def exponent(times: list[RoundTime]) -> float:
    """The slope of log(seconds) over log(tickets), by least squares."""
    points = [(math.log(each.tickets), math.log(median(each.seconds))) for each in times]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    above = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return above / sum((x - mean_x) ** 2 for x, _ in points)
