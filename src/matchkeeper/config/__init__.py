"""The configuration: reads it, checks it as a whole, and shows it without its secrets."""

from __future__ import annotations

from matchkeeper.config.catalog import Setting, catalog
from matchkeeper.config.game_mode import GameModeSettings
from matchkeeper.config.inputs import CONFIG_VARIABLE, InvalidSettingsError, Problem
from matchkeeper.config.loading import load
from matchkeeper.config.masking import masked, masked_redis_url, to_toml
from matchkeeper.config.matchmaking import MatchmakingSettings
from matchkeeper.config.models import Settings
from matchkeeper.config.sections import (
    AlertSettings,
    LoggingSettings,
    RedisSettings,
    RetrySettings,
    ServerSettings,
    TracingSettings,
)

__all__ = [
    "CONFIG_VARIABLE",
    "AlertSettings",
    "GameModeSettings",
    "InvalidSettingsError",
    "LoggingSettings",
    "MatchmakingSettings",
    "Problem",
    "RedisSettings",
    "RetrySettings",
    "ServerSettings",
    "Setting",
    "Settings",
    "TracingSettings",
    "catalog",
    "load",
    "masked",
    "masked_redis_url",
    "to_toml",
]
