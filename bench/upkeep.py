"""What it takes to be there: memory of waiting players, an idle server, a start."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.players import fill_stream, names
from bench.site import opened
from bench.throughput import await_all

_SETTLE_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """A server with empty queues."""

    queues: int
    cores: float
    """The share of one core that it uses."""
    start_seconds: float
    """From its start to ready."""


def idle(folder: Path, *, queues: int, seconds: float) -> Idle:
    """Measures a server to which nothing happens for `seconds` seconds."""
    with opened(folder) as site:
        process, server = site.server([{"game_mode": f"Mode{n}"} for n in range(queues)])
        time.sleep(_SETTLE_SECONDS)
        before = process.cpu_seconds()
        time.sleep(seconds)
        used = process.cpu_seconds() - before
        return Idle(queues=queues, cores=used / seconds, start_seconds=server.start_seconds)


def help_seconds() -> float:
    """How long `matchkeeper --help` takes."""
    begun = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "matchkeeper", "--help"], check=True, stdout=subprocess.DEVNULL
    )
    return time.monotonic() - begun


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Memory of a server through which players pass."""

    passed: tuple[int, ...]
    bytes: tuple[int, ...]
    """What the server held after each of these."""


def flow(folder: Path, *, players: int, steps: int) -> Flow:
    """Lets `players` pass through in `steps` steps."""
    passed, sizes = [], []
    with opened(folder) as site:
        mode = {"game_mode": "Duel", "handoff": "publish"}
        process, _ = site.server([mode])
        pod = site.pod(claims=False)
        for step in range(steps):
            with site.line() as line:
                fill_stream(line, names(players // steps, prefix=f"f{step}-"))
            await_all(site, but=1)
            passed.append((step + 1) * (players // steps))
            sizes.append(process.memory_bytes())
        pod.end()
    return Flow(passed=tuple(passed), bytes=tuple(sizes))
