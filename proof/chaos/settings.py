"""What the harness runs: game modes, short times, and how much of everything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import msgspec

MODES: tuple[dict[str, object], ...] = (
    {"game_mode": "Duel"},
    {"game_mode": "Squad", "required_players": 4, "teams": 2},
    {"game_mode": "Ranked", "use_mmr_matching": True, "mmr_anyone_after_seconds": 2},
    {"game_mode": "Brief", "required_players": 3, "max_wait_seconds": 6},
)
SHARES = (6, 3, 3, 1)
"""How many of the players come for each mode."""
REQUIRED = {"duel": 2, "squad": 4, "ranked": 2, "brief": 3}
"""Players of a match, by tag."""
LIFETIMES = {"brief": 6.0}
"""Seconds after which a player who waits in a mode is taken out."""
LEASE_SECONDS = 2.0
DEADLINE_SECONDS = 1.0
"""Of every operation on Redis, of servers and pods alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for."""

    minutes: float
    crashes: int
    """At least so many crash cycles, however long they take. 0: as many as there is time for."""
    seed: int
    players_per_second: float
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PodOptions:
    """What a pod process is told at its start."""

    name: str
    """Of the process; its pods are named after it, and keep their names."""
    start: int
    """How often the process was started; its players are others each time."""
    port: int
    notes: str
    stop: str
    """A file; once it is there, no more players come."""
    players_per_second: float
    seed: str

    def text(self) -> str:
        """For the command line of the process."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def parse(cls, text: str) -> PodOptions:
        """The inverse."""
        return msgspec.json.decode(text, type=cls)


def server_environment(port: int, durability: str) -> dict[str, str]:
    """The settings of a match server, whose times are short so that much happens in little time."""
    claimed = {"handoff": "claim", "claim_lease_seconds": LEASE_SECONDS}
    settings = {
        "REDIS__URL": f"redis://127.0.0.1:{port}/0",
        "REDIS__DURABILITY": durability,
        "REDIS__DURABILITY_TIMEOUT_SECONDS": 0.5,
        "REDIS__BREAKER_FAILURES": 10,
        "REDIS__BREAKER_COOLDOWN_SECONDS": 0.5,
        "REDIS__BREAKER_COOLDOWN_MAX_SECONDS": 1,
        "SERVER__PORT": 0,
        "SERVER__SHUTDOWN_DEADLINE_SECONDS": 5,
        "LOGGING__FORMAT": "json",
        "LOGGING__LEVEL": "INFO",
        "MATCHMAKING__REDIS_OPERATION_TIMEOUT_SECONDS": DEADLINE_SECONDS,
        "MATCHMAKING__TRY_MATCH_TICK_INTERVAL_SECONDS": 0.2,
        "MATCHMAKING__OFFER_TIMEOUT_SECONDS": 1.5,
        "MATCHMAKING__COMMIT_BATCH_SIZE": 5,
        "MATCHMAKING__UNCLAIMED_THRESHOLD": 10,
        "MATCHMAKING__UNCLAIMED_HOLD_SECONDS": 0.5,
        "MATCHMAKING__UNCLAIMED_HOLD_MAX_SECONDS": 1,
        "MATCHMAKING__POD_HEARTBEAT_TIMEOUT_SECONDS": 4,
        "MATCHMAKING__GAME_MODES": json.dumps([{**mode, **claimed} for mode in MODES]),
    }
    return {f"MATCHKEEPER_{name}": str(value) for name, value in settings.items()}
