"""What one player may cost, counted and not timed: the same on every machine.

A change that costs less moves the figure down here, so that the next one cannot take it back.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.throughput import BATCH, Throughput

_BENCH_ITSELF = ("xlen", "zcard", "info", "ping", "client|setinfo", "client|setname")
SLACK = 1.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of one player, from request to started match."""

    redis_commands: float
    """Those inside scripts among them, and those of the game server that claims."""
    bytes: float
    """Through Redis, in and out, of everybody."""
    round_trips: float
    """Script calls of the server for each full batch of requests."""


# How many rounds fit between two batches is a matter of chance: 5.2 to 6.3 round trips were seen. A
# slow machine counts more of what a server calls once a second.
STREAM_AND_CLAIM = Cost(redis_commands=10.1, bytes=2690, round_trips=6.0)
PUBSUB_AND_PUBLISH = Cost(redis_commands=6.8, bytes=2290, round_trips=6.0)


def cost(found: Throughput) -> Cost:
    """What a player cost in a run."""
    calls = found.redis_commands.items()
    own = found.redis_commands["evalsha"]
    commands = sum(count for name, count in calls if name not in _BENCH_ITSELF)
    return Cost(
        redis_commands=commands / found.players,
        bytes=found.traffic_bytes / found.players,
        round_trips=own / (found.players / BATCH),
    )


def overruns(found: Cost, allowed: Cost) -> list[str]:
    """What is more than a tenth over what is allowed, in sentences."""
    pairs = (
        ("Redis commands", found.redis_commands, allowed.redis_commands),
        ("bytes through Redis", found.bytes, allowed.bytes),
        ("round trips", found.round_trips, allowed.round_trips),
    )
    return [
        f"{name}: {is_:.2f}, {may:.2f} are allowed (see bench/budget.py)"
        for name, is_, may in pairs
        if is_ > SLACK * may
    ]
