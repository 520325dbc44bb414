"""The settings of the simulated servers."""

from __future__ import annotations

from matchkeeper.config import Settings, load

TIMEOUT_SECONDS = 1.0
REQUIRED = {"normal": 2, "squad": 2, "duos": 4}
"""Players of a match in the modes where anybody may play anybody."""
LIFETIMES = {"normal": 25.0, "brief": 4.0, "duos": 20.0}
"""Seconds after which a player who waits in a mode is taken out."""


def settings(
    *, several: bool = False, at_once: int = 200, realm: str = "", parties: bool = False
) -> Settings:
    """Short times, so that little simulated time holds much.

    `several`: players may wait in several queues. `at_once`: requests written in one call.
    `parties`: there is a mode of two against two, too.
    """
    modes: list[dict[str, object]] = [
        {"game_mode": "Normal", "max_wait_seconds": LIFETIMES["normal"]},
        {"game_mode": "Brief", "max_wait_seconds": LIFETIMES["brief"]},
        {"game_mode": "Squad", "handoff": "claim"},
        {"game_mode": "Trio", "required_players": 3, "handoff": "claim", "use_mmr_matching": True},
    ]
    if parties:
        duos = {"game_mode": "Duos", "required_players": 4, "teams": 2, "handoff": "claim"}
        modes.append({**duos, "max_wait_seconds": LIFETIMES["duos"]})
    return load(
        None,
        environ={},
        overrides={
            "matchmaking.realm": realm,
            "matchmaking.game_modes": modes,
            "matchmaking.allow_multiple_queues": several,
            "matchmaking.ingest_batch_size": at_once,
            "matchmaking.redis_operation_timeout_seconds": TIMEOUT_SECONDS,
            "matchmaking.try_match_tick_interval_seconds": 1.0,
            "matchmaking.offer_timeout_seconds": 2.0,
            "matchmaking.max_offers": 2,
            "matchmaking.match_memory_seconds": 120,
            "matchmaking.unclaimed_hold_seconds": 1,
            "matchmaking.unclaimed_hold_max_seconds": 2,
            "redis.breaker_cooldown_seconds": 2,
            "redis.breaker_cooldown_max_seconds": 3,
            "server.shutdown_deadline_seconds": 3,
        },
    )


def newer(given: Settings) -> Settings:
    """The settings that another server has been given since: a mode is played by one more."""
    modes = tuple(
        mode.model_copy(update={"required_players": 4}) if mode.game_mode == "Trio" else mode
        for mode in given.matchmaking.game_modes
    )
    matchmaking = given.matchmaking.model_copy(update={"game_modes": modes})
    return given.model_copy(update={"matchmaking": matchmaking})
