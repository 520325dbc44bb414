"""How long from a player's request to the battle request at a game server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.site import opened
from bench.throughput import await_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """One run at one rate."""

    stream: bool
    """Players came by stream and were claimed; else by Pub/Sub and published."""
    rate: float
    """Players a second that asked."""
    median_seconds: float
    p99_seconds: float
    longest_seconds: float
    claim_median_seconds: float | None
    """From the battle request to the answer that it is claimed."""
    ping_p99_seconds: float
    """The latency of a PING beside all this."""
    slow_scripts: int
    """Calls that held Redis for more than 5 ms."""
    calls: int
    server_cores: float
    """The share of one core that the server used."""
    redis_cores: float


def at(folder: Path, *, rate: float, seconds: float, stream: bool) -> Latency:
    """Players come at `rate` for `seconds` seconds."""
    with opened(folder) as site:
        mode = {"game_mode": "Duel", "handoff": "claim" if stream else "publish"}
        server, _ = site.server([mode], MATCHMAKING__OFFER_TIMEOUT_SECONDS=60)
        pod = site.pod(claims=stream)
        way = "stream" if stream else "pubsub"
        before = server.cpu_seconds(), site.valkey.cpu_seconds()
        arrivals = site.python(
            "bench.arrivals", str(site.port.number), way, str(rate), str(seconds)
        )
        ping_p99 = site.ping_p99_while(lambda: arrivals.popen.poll() is None)
        assert arrivals.popen.stdout is not None  # noqa: S101  # it was piped
        used = server.cpu_seconds() - before[0], site.valkey.cpu_seconds() - before[1]
        sent = int(arrivals.popen.stdout.read())
        await_all(site, but=1)
        seen = pod.end()
        found = seen["latencies"]
        return Latency(
            stream=stream,
            rate=sent / seconds,
            median_seconds=median(found),
            p99_seconds=found[990],
            longest_seconds=found[-1],
            claim_median_seconds=median(seen["claims"]) if stream else None,
            ping_p99_seconds=ping_p99,
            slow_scripts=site.slow_scripts(),
            calls=site.calls().total(),
            server_cores=used[0] / seconds,
            redis_cores=used[1] / seconds,
        )
