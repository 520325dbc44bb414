"""The table [[matchmaking.game_modes]]."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from matchkeeper.config.checks import ModeName
from matchkeeper.config.rule_tables import (
    AttributeSettings,
    PartySettings,
    RegionSettings,
    RuleSettings,
    Teams,
)
from matchkeeper.config.rules import read
from matchkeeper.config.sections import DAY, HOUR, Section, allowed
from matchkeeper.domain.mode import GameMode, Handoff, RatingRules
from matchkeeper.domain.realm import NO_REALM

_MAX_RATING = 1_000_000


class GameModeSettings(Section):
    """[[matchmaking.game_modes]]"""

    game_mode: ModeName = Field(
        description="Name of the mode. Upper and lower case are the same in keys.",
        json_schema_extra=allowed("1 to 64 printable characters without blanks, { and }"),
    )
    required_players: int | None = Field(
        default=None,
        ge=2,
        le=1000,
        description="Players of one match.",
        json_schema_extra={"default_text": "`2`, or what a table of `teams` says"},
    )
    use_mmr_matching: bool = Field(
        default=False,
        description="`true`: closest ratings (`mmr` in the metadata). `false`: first come, first "
        "served.",
    )
    teams: Teams = Field(
        default=None,
        description="Number of teams, all of one size; divides `required_players`. Or a table, or "
        "several, that say how many players there are: then `required_players` is left out.",
        json_schema_extra={
            "allowed": "a whole number from 1 to 1000, a table, or a list of tables",
            "type_text": "integer or table",
            "default_text": "`required_players`: each player alone",
        },
    )
    handoff: Literal["publish", "claim"] = Field(
        default="publish",
        description="`claim`, the safe way: a match is offered until one game server has claimed "
        "it and confirmed the start. `publish`, for game servers that only listen: a match is "
        "announced once to all who listen. The pod of the first player starts it, and if that pod "
        "dies or hangs, the match is lost.",
    )
    claim_lease_seconds: float = Field(
        default=10,
        gt=0,
        le=HOUR,
        description="Time in which a claimed match must be confirmed; else its players go back. It "
        "should be more than a game server needs to get ready.",
    )
    max_wait_seconds: float = Field(
        default=0,
        ge=0,
        le=30 * DAY,
        description="Players who wait longer than this expire. 0: never.",
    )
    max_queue_length: int = Field(
        default=0,
        ge=0,
        le=10_000_000,
        description="Number of players who may wait. Further ones are refused (`queue_full`). At "
        "least `required_players`. 0: no bound.",
    )
    mmr_window_start: float = Field(
        default=100, ge=0, le=_MAX_RATING, description="Largest rating difference at first."
    )
    mmr_window_growth_per_second: float = Field(
        default=10,
        ge=0,
        le=_MAX_RATING,
        description="What each second of waiting adds to the window.",
    )
    mmr_window_max: float = Field(
        default=1000,
        ge=0,
        le=_MAX_RATING,
        description="Widest window. At least `mmr_window_start`.",
    )
    mmr_anyone_after_seconds: float = Field(
        default=0,
        ge=0,
        le=30 * DAY,
        description="Players who wait longer than this accept any rating. 0: never.",
    )
    second_is_worth: float = Field(
        default=0,
        ge=0,
        le=_MAX_RATING,
        description="Rating points that a second of waiting is worth, for modes of two players "
        "with `use_mmr_matching`: 5 for even matches, 10 to 20 for quick ones. The windows follow "
        "from it and from how many players come. Of the other keys only `mmr_window_start` (until "
        "that is known), `mmr_window_max` and `mmr_default` count. 0: the windows are those above.",
    )
    mmr_default: float = Field(
        default=1500,
        ge=-_MAX_RATING,
        le=_MAX_RATING,
        description="Rating of a player whose metadata has none.",
    )
    any_role_after_seconds: float = Field(
        default=0,
        ge=0,
        le=30 * DAY,
        description="Players who wait longer than this take any role. 0: never.",
    )
    attributes: dict[str, AttributeSettings] = Field(
        default={},
        description="What is read in the metadata of every player: name = table.",
        json_schema_extra={
            "allowed": "tables",
            "type_text": "table of tables",
            "default_text": "none",
        },
    )
    party: PartySettings | None = Field(
        default=None,
        description="How parties count.",
        json_schema_extra={"allowed": "a table", "type_text": "table"},
    )
    region: RegionSettings | None = Field(
        default=None,
        description="Where a match may be played, by each player's own pings: the attribute "
        "`latencies`.",
        json_schema_extra={"allowed": "a table", "type_text": "table"},
    )
    rules: dict[str, RuleSettings] = Field(
        default={},
        description="What every match must have, or should: name = table.",
        json_schema_extra={
            "allowed": "tables",
            "type_text": "table of tables",
            "default_text": "none",
        },
    )

    def to_domain(self, *, realm: str = NO_REALM, max_metadata_bytes: int) -> GameMode:
        """The mode as the rest of the program knows it. Raises ValueError where its rules are
        wrong; `Settings` does not let that happen.
        """
        rating = None
        if self.use_mmr_matching:
            rating = RatingRules(
                start=self.mmr_window_start,
                growth_per_second=self.mmr_window_growth_per_second,
                maximum=self.mmr_window_max,
                anyone_after=_unless_zero(self.mmr_anyone_after_seconds),
                default_rating=self.mmr_default,
                second_is_worth=self.second_is_worth or None,
            )
        demanded = read(self)
        if demanded.faults:
            raise ValueError("; ".join(f"{each.at} {each.found}" for each in demanded.faults))
        rules, teams = demanded.rules, self.teams if isinstance(self.teams, int) else None
        return GameMode(
            name=self.game_mode,
            realm=realm,
            required_players=self.players if rules is None else rules.smallest,
            teams=(teams or self.players) if rules is None else len(rules.teams),
            rating=rating,
            attributes=demanded.attributes,
            rules=rules,
            handoff=Handoff(self.handoff),
            claim_lease=timedelta(seconds=self.claim_lease_seconds),
            max_metadata_bytes=max_metadata_bytes,
            max_wait=_unless_zero(self.max_wait_seconds),
            max_queue_length=self.max_queue_length or None,
        )

    @property
    def players(self) -> int:
        """Players of one match, unless a table of teams says it."""
        return self.required_players or 2

    @property
    def most_players(self) -> int:
        """The most players of one match; `players` where the teams are wrong."""
        rules = read(self).rules
        return self.players if rules is None else rules.largest or self.players


def _unless_zero(seconds: float) -> timedelta | None:
    return timedelta(seconds=seconds) if seconds else None
