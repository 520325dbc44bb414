"""Which settings must be the same on all servers of one Redis."""

from __future__ import annotations

from matchkeeper.config.models import Settings
from matchkeeper.domain.agreement import Shared

_EACH_ITS_OWN = frozenset(
    {
        "game_modes",  # compared one by one
        "redis_operation_timeout_seconds",
        "try_match_tick_interval_seconds",
        "max_tickets_per_round",
        "commit_batch_size",
        "ingest_batch_size",
        "pubsub_backlog",
        "read_streams",
    }
)
"""Of [matchmaking]: how fast a server works is its own affair. All other keys must agree."""


def agreed_settings(settings: Settings) -> Shared:
    """The settings that must agree; none of them is secret."""
    matchmaking = settings.matchmaking.model_dump(mode="json", exclude=set(_EACH_ITS_OWN))
    return Shared(
        common={
            "redis.durability": settings.redis.durability,
            "retry.request_memory_seconds": settings.retry.request_memory_seconds,
            **{f"matchmaking.{key}": value for key, value in matchmaking.items()},
        },
        modes={
            mode.game_mode.lower(): mode.model_dump(mode="json")
            for mode in settings.matchmaking.game_modes
        },
    )
