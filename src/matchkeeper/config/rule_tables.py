"""What stands below a game mode: attributes, teams, party, region and rules, as it is written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag
from pydantic.config import JsonDict

from matchkeeper.config.sections import DAY, Section, allowed

_MOST = 1000
_RELAXES = "a number, `[[seconds, number], …]` from 0 seconds on"


def _written(text: str, kind: str, *, default: str = "not set") -> JsonDict:
    """For fields that take several forms."""
    return {"allowed": text, "type_text": kind, "default_text": default}


_UPPER = _written(
    f'{_RELAXES}, `{{start, per_second, max}}`, or `"off"`', "number or table", default="not set"
)
_LOWER = _written(f'{_RELAXES}, or `"off"`', "number or array", default="not set")


class Sparse(Section):
    """A table of which only what is written counts, and is shown."""


class AttributeSettings(Sparse):
    """[matchmaking.game_modes.attributes]"""

    type: Literal["number", "string", "set", "ranking", "latencies"] = Field(
        description="Kind of the value. `set` and `ranking` (the favourite first) are lists of "
        "strings, `latencies` milliseconds by region."
    )
    default: Any = Field(
        default=None,
        description="Value of a player whose metadata has none. Without a default such a player "
        "is refused (`missing_attribute`).",
        json_schema_extra=_written("a value of that type", "any"),
    )


class TeamSettings(Sparse):
    """[matchmaking.game_modes.teams]"""

    name: str | None = Field(
        default=None,
        description="Name of the team; with `count` of all these teams: `squad` makes `squad_1`, "
        "`squad_2` and so on.",
        json_schema_extra=allowed("1 to 64 letters, digits and _, not a digit first"),
    )
    names: tuple[str, ...] | None = Field(
        default=None,
        strict=False,
        description="Names of several teams of the same kind, instead of `name`.",
        json_schema_extra=_written("a list of names", "array of strings"),
    )
    count: int = Field(
        default=1, ge=1, le=_MOST, description="Number of teams that share the `name`."
    )
    size: Any = Field(
        description="Players of each team.",
        json_schema_extra=_written(
            "a number, `[least, most]`, or `[[seconds, number or [least, most]], …]`, where each "
            "range includes the one before it",
            "integer or array",
            default="required",
        ),
    )
    roles: dict[str, Annotated[int, Field(ge=1, le=_MOST)]] | None = Field(
        default=None,
        description="Seats of each team: role = how many. Players rank roles in their attribute "
        "`roles`.",
        json_schema_extra=_written(
            "whole numbers from 1 to 1000, together as many as the team has players", "table"
        ),
    )


class PartySettings(Sparse):
    """[matchmaking.game_modes.party]"""

    max_size: int | None = Field(
        default=None,
        ge=1,
        le=_MOST,
        description="Larger parties are refused.",
        json_schema_extra={"default_text": "what a team holds, or a whole match"},
    )
    value: Literal["mean", "max", "min", "every"] = Field(
        default="mean",
        description="With which number the players of a party count in `near` and `balance`: that "
        "of the party, or `every` one with the own.",
    )


class RegionSettings(Sparse):
    """[matchmaking.game_modes.region]"""

    max_ms: Any = Field(
        default="off",
        description="Highest ping to the region of the match, for each player.",
        json_schema_extra={**_UPPER, "default_text": '`"off"`'},
    )
    max_spread_ms: Any = Field(
        default="off",
        description="Highest ping minus lowest.",
        json_schema_extra={**_UPPER, "default_text": '`"off"`'},
    )
    choose: Literal["lowest_worst", "lowest_mean"] = Field(
        default="lowest_worst",
        description="Which of the regions that everybody accepts is taken: with the lowest highest "
        "ping, or the lowest mean.",
    )


_ATTRIBUTE = "the name of an attribute"


class RuleSettings(Sparse):
    """[matchmaking.game_modes.rules]"""

    same: str | None = Field(
        default=None,
        description="Kind: all players have the same value.",
        json_schema_extra=allowed(f"{_ATTRIBUTE} (number or string)"),
    )
    distinct: str | None = Field(
        default=None,
        description="Kind: no two players have the same value.",
        json_schema_extra=allowed(f"{_ATTRIBUTE} (number or string)"),
    )
    near: str | None = Field(
        default=None,
        description="Kind: the largest number minus the smallest is at most `within`.",
        json_schema_extra=allowed(f"{_ATTRIBUTE} (number)"),
    )
    balance: str | None = Field(
        default=None,
        description="Kind: teams differ by at most `within`: in the mean of an attribute, in its "
        "sum, in the size of their largest party, or in their own size.",
        json_schema_extra=allowed(f"{_ATTRIBUTE} (number), `largest_party` or `size`"),
    )
    compare: str | None = Field(
        default=None,
        description="Kind: a comparison of teams holds, as `avg(monster.skill) >= "
        "max(hunters.wants)`.",
        json_schema_extra=allowed(
            "two sums of numbers and of avg, min, max, sum or count, between them >=, <=, >, < "
            "or =="
        ),
    )
    overlap: str | None = Field(
        default=None,
        description="Kind: all players have at least `at_least` values in common.",
        json_schema_extra=allowed(f"{_ATTRIBUTE} (set or ranking)"),
    )
    count: str | None = Field(
        default=None,
        description="Kind: `at_least` and `at_most` so many players have the `value`, or have it "
        "in their set.",
        json_schema_extra=allowed(f"{_ATTRIBUTE} (not latencies)"),
    )
    avoid: str | None = Field(
        default=None,
        description="Kind: nobody's list names another player, or the `of` of another.",
        json_schema_extra=allowed(f"{_ATTRIBUTE} (set)"),
    )
    accepts: str | None = Field(
        default=None,
        description="Kind: everybody's list names all others, or the `of` of all others.",
        json_schema_extra=allowed(f"{_ATTRIBUTE} (set)"),
    )
    any_of: tuple[Any, ...] | None = Field(
        default=None,
        strict=False,
        description="Kind: at least one of these groups of rules holds.",
        json_schema_extra=_written("a list of groups, each a list of rules", "array"),
    )
    no_rematch_within_minutes: float | None = Field(
        default=None,
        gt=0,
        le=60,
        description="Kind: no two opponents were in a match with each other in so many minutes.",
        json_schema_extra={"default_text": "not set"},
    )
    prefer: Any = Field(
        default=None,
        description="Kind: a preference, worth `worth_seconds` of waiting. Somebody accepts a "
        "match without it after as much waiting as all is worth that the match lacks for them.",
        json_schema_extra=_written("`first_role`, `new_opponents`, or a rule", "string or table"),
    )
    worth_seconds: float | None = Field(
        default=None, gt=0, le=DAY, description="What a preference is worth."
    )
    within: Any = Field(
        default=None,
        description="The bound of `near` and `balance`.",
        json_schema_extra=_UPPER,
    )
    at_least: Any = Field(
        default=None, description="The bound of `overlap` and `count`.", json_schema_extra=_LOWER
    )
    at_most: Any = Field(
        default=None, description="The bound of `count`.", json_schema_extra=_UPPER
    )
    value: Any = Field(
        default=None,
        description="For `count`: the value that is counted. For `near` and `balance`: `mean`, "
        "`max`, `min` or `every`, instead of `party.value`.",
        json_schema_extra=_written("a string or a number", "string or number"),
    )
    of: str | None = Field(
        default=None,
        description="For `avoid` and `accepts`: the attribute of others that the list names.",
        json_schema_extra=allowed(f"{_ATTRIBUTE} (string)", default="the player's id"),
    )
    measure: Literal["mean", "sum"] | None = Field(
        default=None,
        description="For `balance`: what of a team is compared.",
        json_schema_extra={"allowed": 'one of "mean", "sum"', "default_text": '`"mean"`'},
    )
    against: Literal["teams", "match"] | None = Field(
        default=None,
        description="For `balance`: whether teams are compared with each other or with the match.",
        json_schema_extra={"allowed": 'one of "teams", "match"', "default_text": '`"teams"`'},
    )
    per: Literal["match", "team"] | None = Field(
        default=None,
        description="For `same`, `distinct`, `near`, `overlap` and `count`: whether it holds in "
        "the whole match or in each team.",
        json_schema_extra={"allowed": 'one of "match", "team"', "default_text": '`"match"`'},
    )
    within_minutes: float | None = Field(
        default=None,
        gt=0,
        le=60,
        description="For `new_opponents`: how long opponents count as known.",
        json_schema_extra={"default_text": "`30`"},
    )
    off_after_seconds: float | None = Field(
        default=None,
        gt=0,
        le=30 * DAY,
        description="Whoever has waited so long demands the rule no more.",
    )


FORMS = ("(number)", "(table)", "(tables)")
"""Of what is written as `teams`. They stand in the places of errors, and in no key."""


def _form(value: object) -> str:
    """Of what is written as `teams`: its form."""
    if isinstance(value, dict | TeamSettings):
        return FORMS[1]
    return FORMS[2] if isinstance(value, list | tuple) else FORMS[0]


Teams = Annotated[
    Annotated[Annotated[int, Field(ge=1, le=_MOST)] | None, Tag(FORMS[0])]
    | Annotated[TeamSettings, Tag(FORMS[1])]
    | Annotated[
        Annotated[tuple[TeamSettings, ...], Field(strict=False, min_length=1, max_length=100)],
        Tag(FORMS[2]),
    ],
    Discriminator(_form),
]
"""A number of equal teams, a table, or several."""
