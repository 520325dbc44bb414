"""All settings as one frozen object, and the rules between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from matchkeeper.config.game_mode import GameModeSettings
from matchkeeper.config.matchmaking import EACH_ITS_OWN, MatchmakingSettings
from matchkeeper.config.rules import read
from matchkeeper.config.sections import (
    AlertSettings,
    LoggingSettings,
    RedisSettings,
    RetrySettings,
    ServerSettings,
    TracingSettings,
)
from matchkeeper.domain.agreement import Shared
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.party import misfit_of_rules
from matchkeeper.domain.realm import folded

ENV_PREFIX = "MATCHKEEPER_"
ENV_DELIMITER = "__"
Location = tuple[str | int, ...]
_MODES: Location = ("matchmaking", "game_modes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Settings that are valid one by one and impossible together."""

    at: Location
    found: str
    allowed: str
    others: tuple[Location, ...]
    """The other settings that take part."""


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
        """Takes only what is passed in: `load` reads the file and the environment."""
        return (init_settings,)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        found = tuple(_contradictions(self))
        if found:
            raise ContradictionsError(found)
        return self

    def modes(self) -> tuple[GameMode, ...]:
        """The game modes, in the order of the file."""
        return self.matchmaking.modes()

    @property
    def longest_operation_seconds(self) -> float:
        """How long all attempts at one operation and the pauses between them take at most."""
        retry, attempt = self.retry, self.matchmaking.redis_operation_timeout_seconds
        if self.redis.durability != "none":
            attempt += self.redis.durability_timeout_seconds
        pauses = (
            min(retry.max_delay_seconds, retry.base_delay_seconds * float(2**i))
            for i in range(retry.max_attempts - 1)
        )
        return retry.max_attempts * attempt + sum(pauses)

    def agreed(self) -> Shared:
        """The settings that must be the same on all servers of one Redis; none of them is
        secret.
        """
        own = {
            name
            for name, field in MatchmakingSettings.model_fields.items()
            if field.json_schema_extra == EACH_ITS_OWN
        }
        matchmaking = self.matchmaking.model_dump(mode="json", exclude={"game_modes", *own})
        return Shared(
            common={
                "redis.durability": self.redis.durability,
                "retry.request_memory_seconds": self.retry.request_memory_seconds,
                **{f"matchmaking.{key}": value for key, value in matchmaking.items()},
            },
            modes={
                folded(mode.game_mode): {
                    **mode.model_dump(mode="json", exclude_none=True),
                    "required_players": mode.players,  # left out, it is the same as said
                }
                for mode in self.matchmaking.game_modes
            },
        )


def _contradictions(settings: Settings) -> Iterator[Contradiction]:
    """All contradictions of the settings."""
    matchmaking = settings.matchmaking
    yield from _limits(settings)
    yield from _password(settings.redis)
    yield from _memories(settings)
    yield from _take_over(settings)
    yield from _channels(matchmaking)
    yield from _names(matchmaking)
    yield from _colons(matchmaking)
    yield from _modes(matchmaking)
    yield from _worth(matchmaking)


def _limits(settings: Settings) -> Iterator[Contradiction]:
    pairs = (
        ("redis", "breaker_cooldown_seconds", "breaker_cooldown_max_seconds"),
        ("retry", "base_delay_seconds", "max_delay_seconds"),
        ("matchmaking", "unclaimed_hold_seconds", "unclaimed_hold_max_seconds"),
        ("matchmaking", "unstarted_refusal_seconds", "unstarted_refusal_max_seconds"),
    )
    for name, low_name, high_name in pairs:
        section = getattr(settings, name)
        low: float = getattr(section, low_name)
        high: float = getattr(section, high_name)
        if high < low:
            yield Contradiction(
                at=(name, high_name),
                found=f"is {high:g}",
                allowed=f"allowed is at least {name}.{low_name}, which is {low:g}",
                others=((name, low_name),),
            )


def _password(redis: RedisSettings) -> Iterator[Contradiction]:
    if redis.password_file is None:
        return
    url = urlsplit("" if redis.url is None else redis.url.get_secret_value())
    if redis.url is None or url.password or "password" in parse_qs(url.query):
        found = "has no redis.url" if redis.url is None else "is not the only password"
        yield Contradiction(
            at=("redis", "password_file"),
            found=found,
            allowed="allowed is one beside a redis.url that has a user and no password",
            others=(("redis", "url"),),
        )


def _memories(settings: Settings) -> Iterator[Contradiction]:
    retry, matchmaking = settings.retry, settings.matchmaking
    longest = settings.longest_operation_seconds
    memories: tuple[tuple[Location, float], ...] = (
        (("retry", "request_memory_seconds"), retry.request_memory_seconds),
        (("matchmaking", "match_memory_seconds"), matchmaking.match_memory_seconds),
    )
    for at, seconds in memories:
        if seconds <= longest:
            yield Contradiction(
                at=at,
                found=f"is {seconds:g}",
                allowed=f"allowed is more than {longest:g}, the seconds that retry.max_attempts = "
                f"{retry.max_attempts} attempts and their pauses may take",
                others=(
                    ("retry", "max_attempts"),
                    ("retry", "base_delay_seconds"),
                    ("retry", "max_delay_seconds"),
                    ("matchmaking", "redis_operation_timeout_seconds"),
                    ("redis", "durability"),
                    ("redis", "durability_timeout_seconds"),
                ),
            )


def _take_over(settings: Settings) -> Iterator[Contradiction]:
    seconds, retry = settings.matchmaking.take_over_seconds, settings.retry
    if settings.matchmaking.read_streams and retry.request_memory_seconds <= seconds:
        yield Contradiction(
            at=("retry", "request_memory_seconds"),
            found=f"is {retry.request_memory_seconds:g}",
            allowed=f"allowed is more than {seconds:g}, three times "
            "matchmaking.redis_operation_timeout_seconds: only then are the requests of a server "
            "that died done by another, and what is forgotten is not done",
            others=(("matchmaking", "redis_operation_timeout_seconds"),),
        )


def _channels(matchmaking: MatchmakingSettings) -> Iterator[Contradiction]:
    taken: dict[str, str] = {}
    for name in (
        "battle_request_channel",
        "enqueue_request_channel",
        "dequeue_request_channel",
        "handoff_request_channel",
    ):
        first = taken.setdefault(getattr(matchmaking, name), name)
        if first != name:
            yield Contradiction(
                at=("matchmaking", name),
                found=f"is the same as matchmaking.{first}",
                allowed="allowed is a channel of its own",
                others=(("matchmaking", first),),
            )


def _names(matchmaking: MatchmakingSettings) -> Iterator[Contradiction]:
    first: dict[str, int] = {}
    for index, mode in enumerate(matchmaking.game_modes):
        earlier = first.setdefault(folded(mode.game_mode), index)
        if earlier != index:
            yield Contradiction(
                at=(*_MODES, index, "game_mode"),
                found=f"is the name of matchmaking.game_modes[{earlier}], too",
                allowed="allowed is a name that differs in more than upper and lower case",
                others=((*_MODES, earlier, "game_mode"),),
            )


def _colons(matchmaking: MatchmakingSettings) -> Iterator[Contradiction]:
    """In a realm a mode's name stands in keys between colons."""
    for index, mode in enumerate(matchmaking.game_modes if matchmaking.realm else ()):
        if ":" in mode.game_mode:
            yield Contradiction(
                at=(*_MODES, index, "game_mode"),
                found="has a colon",
                allowed=f"allowed in a realm ({matchmaking.realm}) is a name without one",
                others=(("matchmaking", "realm"),),
            )


def _worth(matchmaking: MatchmakingSettings) -> Iterator[Contradiction]:
    """What a second is worth, decides alone, and of pairs of players."""
    for index, mode in enumerate(matchmaking.game_modes):
        needed = (
            ("use_mmr_matching", "true", mode.use_mmr_matching),
            ("required_players", "2", mode.players == 2),
            ("mmr_anyone_after_seconds", "0", not mode.mmr_anyone_after_seconds),
        )
        for key, value, good in needed if mode.second_is_worth else ():
            if not good:
                yield Contradiction(
                    at=(*_MODES, index, "second_is_worth"),
                    found=f"is {mode.second_is_worth:g}",
                    allowed=f"allowed is 0, or {key} = {value} beside it",
                    others=((*_MODES, index, key),),
                )


def _modes(matchmaking: MatchmakingSettings) -> Iterator[Contradiction]:
    for index, mode in enumerate(matchmaking.game_modes):
        at = (*_MODES, index)
        yield from _teams(mode, at)
        yield from _demands(mode, at)
        if mode.mmr_window_max < mode.mmr_window_start:
            yield Contradiction(
                at=(*at, "mmr_window_max"),
                found=f"is {mode.mmr_window_max:g}",
                allowed=f"allowed is at least mmr_window_start, which is {mode.mmr_window_start:g}",
                others=((*at, "mmr_window_start"),),
            )
        yield from _room(mode, matchmaking.max_tickets_per_round, at)


def _teams(mode: GameModeSettings, at: Location) -> Iterator[Contradiction]:
    players, teams = mode.players, mode.teams
    if isinstance(teams, int) and players % teams:
        divisors = [n for n in range(1, players + 1) if players % n == 0]
        yield Contradiction(
            at=(*at, "teams"),
            found=f"is {teams}, which does not divide required_players = {players}",
            allowed=f"allowed is one of {', '.join(map(str, divisors))}",
            others=((*at, "required_players"),),
        )
    elif not isinstance(teams, int | None) and mode.required_players is not None:
        yield Contradiction(
            at=(*at, "required_players"),
            found=f"is {players} beside a table of teams",
            allowed="allowed is none: the sizes of the teams say how many players there are",
            others=((*at, "teams"),),
        )


def _demands(mode: GameModeSettings, at: Location) -> Iterator[Contradiction]:
    """What is wrong with attributes, teams, party, region and rules."""
    demanded = read(mode)
    for fault in demanded.faults:
        yield Contradiction(
            at=(*at, *fault.at), found=fault.found, allowed=fault.allowed, others=()
        )
    rules, party = demanded.rules, mode.party
    if rules is None:
        return
    if mode.use_mmr_matching:
        yield Contradiction(
            at=(*at, "use_mmr_matching"),
            found="stands in a mode with rules",
            allowed="allowed is a rule in its place, such as { near = 'mmr', within = { start = "
            "100, per_second = 10, max = 1000 } }",
            others=(),
        )
    size = None if party is None else party.max_size
    if size is not None and rules.teams and misfit_of_rules(size, rules, mode.game_mode):
        yield Contradiction(
            at=(*at, "party", "max_size"),
            found=f"is {size}, and such a party fits no team: the largest has "
            f"{max(each.largest for each in rules.teams)} players",
            allowed="allowed is what a team holds, or what fills a match",
            others=((*at, "teams"),),
        )


def _room(mode: GameModeSettings, most_tickets: int, at: Location) -> Iterator[Contradiction]:
    most = mode.most_players
    by_teams = not isinstance(mode.teams, int | None)
    if 0 < mode.max_queue_length < most:
        least = f"required_players, which is {most}"
        if by_teams:
            least = f"as long as the largest match, which has {most} players"
        yield Contradiction(
            at=(*at, "max_queue_length"),
            found=f"is {mode.max_queue_length}",
            allowed=f"allowed is 0, or at least {least}",
            others=((*at, "teams" if by_teams else "required_players"),),
        )
    if most > most_tickets:
        yield Contradiction(
            at=(*at, "teams" if by_teams else "required_players"),
            found=f"has {most} players" if by_teams else f"is {most}",
            allowed="allowed is at most matchmaking.max_tickets_per_round, which is "
            f"{most_tickets}",
            others=(("matchmaking", "max_tickets_per_round"),),
        )
