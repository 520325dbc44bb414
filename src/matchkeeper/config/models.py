"""All settings, as one frozen object."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from matchkeeper.config.matchmaking import MatchmakingSettings
from matchkeeper.config.rules import Contradiction, contradictions
from matchkeeper.config.sections import (
    AlertSettings,
    LoggingSettings,
    RedisSettings,
    RetrySettings,
    ServerSettings,
    TracingSettings,
)
from matchkeeper.domain.mode import GameMode

ENV_PREFIX = "MATCHKEEPER_"
ENV_DELIMITER = "__"


class ContradictionsError(ValueError):
    """Settings that cannot be true together."""

    def __init__(self, found: tuple[Contradiction, ...]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, x.at))} {x.found}" for x in found))
        self.found = found


class Settings(BaseSettings):
    """Every setting. `load` reads them; `Settings()` has the defaults and reads nothing."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=ENV_DELIMITER,
        extra="forbid",
        frozen=True,
        strict=True,
        hide_input_in_errors=True,
    )

    server: ServerSettings = Field(default_factory=ServerSettings)
    logging: LoggingSettings = Field(default_factory=LoggingSettings)
    redis: RedisSettings = Field(default_factory=RedisSettings)
    retry: RetrySettings = Field(default_factory=RetrySettings)
    matchmaking: MatchmakingSettings = Field(default_factory=MatchmakingSettings)
    alerts: AlertSettings = Field(default_factory=AlertSettings)
    tracing: TracingSettings = Field(default_factory=TracingSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # pydantic-settings passes them by name
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # as above
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is passed in, and nothing from the process's surroundings: those are `load`'s."""
        return (init_settings,)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        found = tuple(contradictions(self))
        if found:
            raise ContradictionsError(found)
        return self

    def modes(self) -> tuple[GameMode, ...]:
        """The game modes, in the order of the file."""
        return self.matchmaking.modes()
