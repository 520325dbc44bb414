"""What the harness runs: game modes, short times, and how much of everything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import msgspec

from crowd.judge import Refusals

SHARES = {"Duel": 6, "Squad": 3, "Ranked": 3, "Brief": 1, "Open": 2, "Crew": 5, "League": 3}
"""How many come for each mode, of those who come alone or together."""
PARTIES = {"Squad": (2,), "Open": (2,), "Crew": (2, 2, 2, 3, 3, 4, 5), "League": (2, 2, 3)}
"""The sizes of parties, one of which is chosen."""
ANNOUNCED = "Open"
"""The mode of `publish` handoff: announced before a replica has it, so only played without one."""
LIFETIMES = {"brief": 6.0, "crew": 20.0, "league": 20.0}
"""Seconds after which a player who waits in a mode is taken out. Parties that fit into no match
together must go some time.
"""
TEAMS = {"crew": 5, "league": 3}
"""Players of a team."""
LEASE_SECONDS = 2.0
MEMORY_SECONDS = 45.0
"""How long a request is remembered."""
REFUSALS = Refusals(claims=5, after_seconds=1.5, apart_seconds=0.8)
"""When the claims of pods that start nothing are refused, in each mode. One may be let through with
each lease, which is known to a second. A failover may forget a claim, which then does not count."""
TIMES_SENT = 25
"""How often a player sends one request at most, twice at once among them."""
DEADLINE_SECONDS = 1.0
"""The deadline of every operation on Redis, for servers and pods alike."""


def sizes(edition: int) -> dict[str, int]:
    """Players of a match by tag, in an edition of the settings; each differs from the next."""
    squad = 2 if edition % 2 else 4
    return {
        "duel": 2, "squad": squad, "ranked": 2, "brief": 3, "open": 2, "crew": 10, "league": 6
    }  # fmt: skip


def _modes(edition: int) -> list[dict[str, object]]:
    rated = {"use_mmr_matching": True, "mmr_anyone_after_seconds": 2}
    special: dict[str, dict[str, object]] = {
        "Squad": {"teams": 2},
        "Crew": {"teams": 2, "max_wait_seconds": LIFETIMES["crew"]},
        "League": {"teams": 2, "max_wait_seconds": LIFETIMES["league"], **rated},
        "Ranked": {"mmr_window_max": 1000 + edition, **rated},
        "Brief": {"max_wait_seconds": LIFETIMES["brief"]},
        ANNOUNCED: {"handoff": "publish"},
    }
    return [
        {
            "game_mode": name,
            "required_players": sizes(edition)[name.lower()],
            "handoff": "claim",
            "claim_lease_seconds": LEASE_SECONDS,
            **special.get(name, {}),
        }
        for name in SHARES
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for."""

    minutes: float
    crashes: int
    """The least number of crash cycles, however long they take. 0: as many as there is time for."""
    seed: int
    players_per_second: float
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PodOptions:
    """What a pod process is told at its start."""

    name: str
    """The name of the process; its pods are named after it, and keep their names."""
    neighbours: tuple[str, ...] = ()
    """The names of the other processes, at whose pods friends of its players are."""
    start: int
    """How often the process was started; it has other players each time."""
    port: int
    realm: str = ""
    notes: str
    stop: str
    """A file; once it is there, no more players come."""
    swallow: str
    """A file; while it is there, the pods claim every match at once and start none."""
    shares: dict[str, int]
    """Modes, and how many come for each."""
    players_per_second: float
    seed: str

    def text(self) -> str:
        """For the command line of the process."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def parse(cls, text: str) -> PodOptions:
        """The inverse."""
        return msgspec.json.decode(text, type=cls)


def server_environment(
    port: int, durability: str, edition: int = 0, *, realm: str = ""
) -> dict[str, str]:
    """The settings of a match server, whose times are short so that much happens in little time."""
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
        "MATCHMAKING__UNSTARTED_THRESHOLD": 3,
        "MATCHMAKING__UNSTARTED_REFUSAL_SECONDS": 4,
        "MATCHMAKING__UNSTARTED_REFUSAL_MAX_SECONDS": 8,
        "RETRY__REQUEST_MEMORY_SECONDS": MEMORY_SECONDS,
        "MATCHMAKING__POD_HEARTBEAT_TIMEOUT_SECONDS": 4,
        **({"MATCHMAKING__REALM": realm} if realm else {}),
        "MATCHMAKING__GAME_MODES": json.dumps(_modes(edition)),
    }
    return {f"MATCHKEEPER_{name}": str(value) for name, value in settings.items()}
