"""How long a round of the rating strategy takes, by the length of the queue."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from pathlib import Path

from bench.players import names, waiting
from bench.site import Lag, Server, opened

_MODE = {"game_mode": "Ranked", "use_mmr_matching": True, "mmr_window_start": 1}
_NOBODY, _EVERYBODY = 1_000_000.0, 0.001
"""Distance of two neighbouring ratings, so that nobody or everybody finds somebody."""
_PATIENCE_SECONDS = 600.0
_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTime:
    """Of one queue."""

    tickets: int
    matchable: bool
    first_seconds: float
    """Of the server's first round, which has to read all metadata."""
    seconds: float
    """Reading and pairing in a later round, the mean of a few; where everybody is matched there is
    no later one.
    """
    commit_seconds: float
    """Of the matches of the first round."""
    lag_seconds: float
    """The 99th percentile of what `/health/live` took meanwhile: who waits there waits for the
    event loop.
    """
    server_bytes: int
    """What the server holds more than before."""
    ping_p99_seconds: float
    slow_scripts: int


def of(folder: Path, *, tickets: int, matchable: bool, metadata_bytes: int = 500) -> RoundTime:
    """Fills the queue, then lets a server at it."""
    with opened(folder) as site:
        spread = _EVERYBODY if matchable else _NOBODY / tickets
        mode = {**_MODE, "mmr_window_max": 1}
        with site.line() as line:
            commands = waiting(
                names(tickets), "ranked", random.Random(1),
                metadata_bytes=metadata_bytes, spread=spread,
            )  # fmt: skip
            line.all(list(commands))
        pod = site.pod(claims=False, tag="ranked")
        empty, server = site.server(
            [mode],
            MATCHMAKING__MAX_TICKETS_PER_ROUND=max(tickets, 2),
            MATCHMAKING__TRY_MATCH_TICK_INTERVAL_SECONDS=0.5,
        )
        before = empty.memory_bytes()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        lag = Lag(server)
        ping_p99 = site.ping_p99_while(lambda: _rounds(server) < 1 and time.monotonic() < deadline)
        first, commit = _spent(server)
        while not matchable and _rounds(server) <= _ROUNDS and time.monotonic() < deadline:
            time.sleep(0.1)
        rounds = _rounds(server)
        if rounds < (1 if matchable else 1 + _ROUNDS):
            raise TimeoutError(f"{rounds:g} rounds over {tickets} in {_PATIENCE_SECONDS:g} s")
        lag.end()
        later = (_spent(server)[0] - first) / (rounds - 1) if rounds > 1 else first
        pod.end()
        return RoundTime(
            tickets=tickets,
            matchable=matchable,
            first_seconds=first,
            seconds=first if matchable else later,
            commit_seconds=commit,
            server_bytes=empty.memory_bytes() - before,
            lag_seconds=lag.p99_seconds(),
            ping_p99_seconds=ping_p99,
            slow_scripts=site.slow_scripts(),
        )


def _rounds(server: Server) -> float:
    return server.metric("matchkeeper_round_duration_seconds_count")


def _spent(server: Server) -> tuple[float, float]:
    """Seconds of all rounds until now: (reading and pairing, committing)."""
    steps = (
        server.metric("matchkeeper_round_step_seconds_sum", step=step)
        for step in ("read", "pair", "commit")
    )
    read, pair, commit = steps
    return read + pair, commit


def exponent(times: list[RoundTime]) -> float:
    """The slope of log(seconds) over log(tickets), by least squares."""
    points = [(math.log(each.tickets), math.log(each.seconds)) for each in times]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    above = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return above / sum((x - mean_x) ** 2 for x, _ in points)
