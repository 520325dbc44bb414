"""Attributes, teams and rules: what is written, and what is refused where it stands."""
# ruff: noqa: E501  # a case a line reads best

from __future__ import annotations

from pathlib import Path

import pytest

from matchkeeper.config import InvalidSettingsError, load, to_toml
from matchkeeper.domain.attribute import Attribute, AttributeType
from matchkeeper.domain.layout import Choose, PartyOptions, RegionRule, Team
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.relaxation import Ramp, Steps
from matchkeeper.domain.rule import (
    Avoid,
    Balance,
    FirstRole,
    Measure,
    Near,
    NewOpponents,
    Overlap,
    PartyValue,
    Rule,
    Same,
)

EXAMPLES = Path(__file__).parents[2] / "examples" / "rules"
HEAD = """
[[matchmaking.game_modes]]
game_mode = "A"
teams = { names = ["red", "blue"], size = 5 }
[matchmaking.game_modes.attributes]
rating = { type = "number" }
map = { type = "string" }
maps = { type = "set", default = [] }
"""
ROLES = HEAD.replace("size = 5", "size = 5, roles = { tank = 1, dps = 4 }")
RULES = "[matchmaking.game_modes.rules]\n"


def loaded(folder: Path, text: str) -> GameMode:
    path = folder / "rules.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, environ={}).modes()[0]


def refused(folder: Path, text: str) -> list[str]:
    with pytest.raises(InvalidSettingsError) as caught:
        loaded(folder, text)
    return [str(each).partition("rules.toml: ")[2] for each in caught.value.problems]


def test_the_example_loads_as_it_is() -> None:
    mode = load(EXAMPLES / "ranked-5v5.toml", environ={}).modes()[0]
    rules = mode.rules
    assert rules is not None
    assert (mode.required_players, mode.most_players, mode.teams, mode.team_size) == (10, 10, 2, 5)
    roles = (("damage", 3), ("healer", 1), ("tank", 1))
    assert rules.teams == tuple(
        Team(name=name, group=name, sizes=((0.0, (5, 5)),), roles=roles) for name in ("red", "blue")
    )
    assert mode.attributes == (
        Attribute(name="rating", type=AttributeType.NUMBER, default=1500.0),
        Attribute(name="build", type=AttributeType.STRING),
        Attribute(name="maps", type=AttributeType.SET, default=frozenset({"harbor", "mill"})),
        Attribute(name="roles", type=AttributeType.RANKING, default=("damage",)),
        Attribute(name="blocked", type=AttributeType.SET, default=frozenset()),
        Attribute(name="latencies", type=AttributeType.LATENCIES),
    )
    assert rules.party == PartyOptions(max_size=5, value=PartyValue.MEAN)
    assert rules.region == RegionRule(
        max_ms=Steps(((0.0, 60.0), (20.0, 100.0), (60.0, 160.0))),
        max_spread_ms=Steps(((0.0, 60.0),)),
        choose=Choose.LOWEST_WORST,
    )
    assert rules.any_role_after_seconds == 90
    value = PartyValue.MEAN
    assert rules.rules == (
        Rule(name="Build", demand=Same(attribute="build")),
        Rule(name="Maps", demand=Overlap(attribute="maps", at_least=Steps(((0.0, 1.0),)))),
        Rule(
            name="Skill",
            demand=Near(
                attribute="rating",
                within=Ramp(start=100.0, per_second=5.0, maximum=600.0),
                value=value,
            ),
        ),
        Rule(
            name="Fair",
            demand=Balance(
                measure=Measure.MEAN,
                attribute="rating",
                within=Steps(((0.0, 20.0), (60.0, 50.0))),
                value=value,
            ),
        ),
        Rule(name="Blocks", demand=Avoid(attribute="blocked")),
        Rule(
            name="Parties",
            demand=Balance(
                measure=Measure.LARGEST_PARTY,
                attribute=None,
                within=Steps(((0.0, 1.0), (45.0, 5.0))),
                value=value,
            ),
        ),
        Rule(name="FirstRole", demand=FirstRole(), worth_seconds=30.0),
        Rule(name="Rematch", demand=NewOpponents(within_seconds=1800.0), worth_seconds=40.0),
    )


@pytest.mark.parametrize(
    "path",
    [each for each in sorted(EXAMPLES.glob("*.toml")) if ".cases." not in each.name],
    ids=lambda path: path.stem,
)
def test_what_is_shown_of_an_example_can_be_loaded(path: Path, tmp_path: Path) -> None:
    settings = load(path, environ={})
    shown = tmp_path / "shown.toml"
    shown.write_text(to_toml(settings), encoding="utf-8")
    assert load(shown, environ={}).modes() == settings.modes()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # attributes
        (HEAD + 'level = { type = "number", default = "high" }', "attributes.level.default (mode"),
        (HEAD + 'pod_id = { type = "string" }', "attributes.pod_id (mode 1, \"A\") is a name that M"),
        (HEAD + 'level = { type = "int" }', 'attributes.level.type (mode 1, "A") is "int"; allowed'),
        (
            HEAD + 'level = { type = "ranking", default = ["a", "a"] }',
            "is no value of type ranking; allowed is a list of different strings",
        ),
        (HEAD + 'roles = { type = "set" }\n', ""),
        (ROLES + 'roles = { type = "set" }', "attributes.roles.type (mode 1, \"A\") is set; allowed"),
        # kinds, and what belongs to them
        (HEAD + RULES + 'X = { within = 5 }', 'rules.X (mode 1, "A") says no kind of rule; allowed is'),
        (HEAD + RULES + 'X = { same = "map", distinct = "map" }', "X (mode 1, \"A\") has same and dis"),
        (HEAD + RULES + 'X = { sane = "map" }', 'rules.X.sane (mode 1, "A") is not a known key; did '),
        (HEAD + RULES + 'X = { same = "map", within = 5 }', "X.within (mode 1, \"A\") does not belong"),
        (HEAD + RULES + 'X = { same = "mapp" }', "attribute \"mapp\", which the mode does not have; all"),
        (HEAD + RULES + 'X = { same = "mapp" }', "one of map, maps, rating; did you mean map?"),
        (HEAD + RULES + 'X = { near = "map", within = 1 }', "near (mode 1, \"A\") names the attribute"),
        (HEAD + RULES + 'X = { near = "rating" }', 'rules.X (mode 1, "A") has no within; allowed is'),
        (
            HEAD + RULES + 'X = "map"',
            'rules.X (mode 1, "A") is "map"; allowed is a table [matchmaking.game_modes.rules.X]',
        ),
        (
            HEAD + RULES + '"(x)" = { same = 5 }',
            'rules.<a name of 3 characters>.same (mode 1, "A") is 5; allowed is the name of an attr',
        ),
        # relaxations
        (
            HEAD + RULES + 'X = { near = "rating", within = [[0, 100], [60, 50]] }',
            'X.within (mode 1, "A") tightens: it is 50 at 60 s, smaller than before; allowed is a ',
        ),
        (
            HEAD + RULES + 'X = { near = "rating", within = [[0, "off"], [60, 50]] }',
            "tightens: it is 50 at 60 s",
        ),
        (
            HEAD + RULES + 'X = { overlap = "maps", at_least = [[0, 1], [60, 2]] }',
            "X.at_least (mode 1, \"A\") tightens: it is 2 at 60 s, larger than before",
        ),
        (
            HEAD + RULES + 'X = { near = "rating", within = [[0, 5], [60, 9], [30, 12]] }',
            "has its steps out of order: 30 s stands behind 60 s",
        ),
        (HEAD + RULES + 'X = { near = "rating", within = [[5, 5]] }', "says nothing about the first se"),
        (HEAD + RULES + 'X = { near = "rating", within = -5 }', "has -5 at 0 s; allowed is numbers fr"),
        (
            HEAD + RULES + 'X = { near = "rating", within = { start = 9, per_second = 1, max = 5 } }',
            "has max = 5, less than start; allowed is a max from 9 on",
        ),
        (
            HEAD + RULES + 'X = { near = "rating", within = { start = 9, per_second = -1, max = 9 } }',
            "tightens",
        ),
        (
            HEAD + RULES + 'X = { near = "rating", within = { start = 9, growth = 1, max = 9 } }',
            "is a table with other keys; allowed is { start, per_second, max }",
        ),
        # what nothing can satisfy
        (
            HEAD + RULES + 'X = { count = "map", value = "a", at_least = 11 }',
            "is 11 in the end, which nothing can satisfy; allowed is at most 10",
        ),
        (
            HEAD + RULES + 'X = { count = "map", value = "a", at_least = 3, at_most = 2 }',
            "is 3 in the end, more than at_most, which is 2",
        ),
        (
            HEAD.replace('{ names = ["red", "blue"], size = 5 }', '[{ name = "x", size = 5 }, { name '
            '= "y", size = 1 }]') + RULES + 'X = { balance = "size", within = 3 }',
            "nothing can satisfy: a team has at least 5 players and another at most 1; allowed is at",
        ),
        (HEAD + RULES + "X = { any_of = [] }", "has no groups: nothing can satisfy it"),
        (HEAD + "[matchmaking.game_modes.region]\nmax_ms = 0", "which no known ping is under"),
        # teams, roles and parties
        (HEAD.replace("size = 5", "size = [8, 4]"), "teams.size (mode 1, \"A\") has no size at 0 s; al"),
        (
            HEAD.replace("size = 5", "size = [[0, 5], [30, 4]]"),
            ("tightens: 4 to 4 at 30 s leaves out sizes that were right before; allowed is a range "
            "that includes 5 to 5, such as [4, 5]"),
        ),
        (HEAD.replace("size = 5", "size = 5, roles = { tank = 1 }"), "has 1 seats, and the team has 5"),
        (HEAD.replace("size = 5", "size = 5, count = 2"), "count (mode 1, \"A\") stands beside names"),
        (
            ROLES.replace("tank = 1", 'tank = "1"'),
            'roles.tank (mode 1, "A") is "1"; allowed is whole numbers from 1 to 1000, together as',
        ),
        (
            HEAD.replace('{ names = ["red", "blue"], size = 5 }', '[{ name = "x", size = 5 }, 5]'),
            'teams[1] (mode 1, "A") is 5; allowed is a table [[matchmaking.game_modes.teams]]',
        ),
        (
            HEAD.replace("size = 5", 'size = 5, "(table)" = 5'),
            'teams.<a name of 7 characters> (mode 1, "A") is not a known key',
        ),
        (HEAD.replace("size = 5", "size = 1000") + "[matchmaking]\nmax_tickets_per_round = 1999",
            'game_modes[0].teams (mode 1, "A") has 2000 players; allowed is at most matchmaking.max'),
        (HEAD.replace('"A"', '"A"\nmax_queue_length = 9'), "is 9; allowed is 0, or at least as long as the largest match, whi"),
        (HEAD.replace("size = 5", "seize = 5"), "teams.seize (mode 1, \"A\") is not a known key; did y"),
        (HEAD.replace('game_mode = "A"', 'game_mode = "A"\nrequired_players = 10'), "beside a table of"),
        (HEAD.replace('game_mode = "A"', 'game_mode = "A"\nuse_mmr_matching = true'), "in a mode with"),
        (HEAD.replace('"blue"', '"red"'), "has the name red twice"),
        (HEAD + "[matchmaking.game_modes.party]\nmax_size = 7", "is 7, and such a party fits no team"),
        (HEAD.replace('"A"', '"A"\nany_role_after_seconds = 9'), "stands in a mode without roles"),
        # preferences, comparisons, groups
        (HEAD + RULES + 'X = { prefer = "first_role", worth_seconds = 5 }', "in a mode without roles"),
        (ROLES + RULES + 'X = { prefer = "first_role" }', "has no worth_seconds; allowed is as many"),
        (HEAD + RULES + 'X = { prefer = "luck", worth_seconds = 5 }', "is \"luck\"; allowed is one of fi"),
        (
            HEAD + RULES + 'X = { prefer = { same = "mop" }, worth_seconds = 5 }',
            "rules.X.prefer.same (mode 1, \"A\") names the attribute \"mop\"",
        ),
        (HEAD + RULES + 'X = { compare = "avg(red.rating)" }', "has not one of >=, <=, ==, > and <"),
        (HEAD + RULES + 'X = { compare = "avg(green.rating) > 1" }', "names the team green; teams are"),
        (HEAD + RULES + 'X = { compare = "avg(red.level) > 1" }', "names the attribute \"level\""),
        (HEAD + RULES + 'X = { compare = "mid(red.rating) > 1" }', "has mid(…); functions are avg, min"),
        (HEAD + RULES + 'X = { compare = "1 < 2" }', "compares nothing of the players"),
        (
            HEAD + RULES + 'X = { any_of = [[{ same = "map" }], [{ naer = "rating" }]] }',
            "rules.X.any_of[1][0].naer (mode 1, \"A\") is not a known key",
        ),
        (
            HEAD + RULES + 'X = { prefer = { naer = "rating" }, worth_seconds = 5 }',
            "within_minutes, worth_seconds; did you mean near?",
        ),
        (
            HEAD + RULES + 'X = { any_of = [[{ same = "map", per = "squad" }]] }',
            'any_of[0][0].per (mode 1, "A") is "squad"; allowed is one of "match", "team"',
        ),
        (
            HEAD + RULES + 'X = { near = "rating", within = "redis://u:p@h" }',
            'has "redis://********@h" at 0 s; allowed is numbers from 0 on, or "off"',
        ),
        (
            HEAD + RULES + 'X = { any_of = [[{ prefer = "new_opponents", worth_seconds = 5 }]] }',
            "is a preference in any_of",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_where_it_stands(tmp_path: Path, text: str, expected: str) -> None:
    if not expected:
        loaded(tmp_path, text)
        return
    found = refused(tmp_path, text)
    assert any(expected in each for each in found), found


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = HEAD + RULES + 'X = { same = "mop" }\nY = { near = "rating" }\nZ = { count = "map" }'
    assert len(refused(tmp_path, text)) == 4


def test_names_that_are_no_texts_hide_nothing_else_that_is_wrong(tmp_path: Path) -> None:
    text = HEAD.replace('names = ["red", "blue"]', "names = [1, 2]")
    found = refused(tmp_path, text + RULES + "[matchmaking]\nround_interval_seconds = -1\n")
    assert any("teams" in each for each in found), found
    assert any("round_interval_seconds" in each for each in found), found


def test_an_integer_of_hundreds_of_digits_is_no_number(tmp_path: Path) -> None:
    found = refused(tmp_path, HEAD + RULES + f'X = {{ near = "rating", within = {"9" * 400} }}')
    assert any("rules.X" in each for each in found), found


def test_several_teams_of_one_name(tmp_path: Path) -> None:
    teams = (
        '[{ name = "squad", count = 3, size = [[0, 4], [9, [2, 4]]] }, { name = "boss", size = 1 }]'
    )
    text = HEAD.replace('{ names = ["red", "blue"], size = 5 }', teams)
    mode = loaded(
        tmp_path, text + RULES + 'X = { compare = "sum(squad.rating) >= 2 * avg(boss.rating)" }'
    )
    assert mode.rules is not None
    assert [each.name for each in mode.rules.teams] == ["squad_1", "squad_2", "squad_3", "boss"]
    assert {each.group for each in mode.rules.teams} == {"squad", "boss"}
    assert (mode.required_players, mode.most_players, mode.team_size) == (7, 13, 4)


def test_a_number_of_teams_may_have_rules(tmp_path: Path) -> None:
    text = HEAD.replace('{ names = ["red", "blue"], size = 5 }', "2\nrequired_players = 6")
    mode = loaded(tmp_path, text + RULES + 'X = { same = "map" }')
    assert mode.rules is not None
    assert [(each.name, each.size_at(0)) for each in mode.rules.teams] == [
        ("team_1", (3, 3)),
        ("team_2", (3, 3)),
    ]


def test_attributes_alone_leave_the_strategy_as_it_is(tmp_path: Path) -> None:
    text = HEAD.replace('{ names = ["red", "blue"], size = 5 }', "2")
    mode = loaded(tmp_path, text)
    assert mode.rules is None
    assert [each.name for each in mode.attributes] == ["rating", "map", "maps"]
