"""The checker: what holds, by whose clock, and why not."""
# ruff: noqa: E501  # a case a line reads best

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from matchkeeper.domain.expression import parse
from matchkeeper.domain.layout import Choose, MatchRules, RegionRule, Team
from matchkeeper.domain.match import Proposal, Seating
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.relaxation import Ramp, Steps, constant
from matchkeeper.domain.rule import (
    Accepts,
    Against,
    AnyOf,
    Avoid,
    Balance,
    Compare,
    Count,
    Demand,
    Distinct,
    FirstRole,
    Measure,
    Near,
    NewOpponents,
    Overlap,
    PartyValue,
    Rule,
    Same,
    Scope,
)
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.rules.checker import refusals
from tests.support.ruled import NOW, duel, mode_of, ruled, team, ticket

Who = Sequence[tuple[float, Mapping[str, Any]]]
"""(wait, metadata) of lone players: the first half is red, the others are blue."""
MEAN = PartyValue.MEAN


def near(within: float) -> Near:
    return Near(attribute="n", within=constant(within), value=MEAN)


def balance(within: float, measure: Measure = Measure.MEAN) -> Balance:
    name = "n" if measure in (Measure.MEAN, Measure.SUM) else None
    return Balance(measure=measure, attribute=name, within=constant(within), value=MEAN)


def compare(text: str) -> Compare:
    return Compare(comparison=parse(text, frozenset({"red", "blue"})))


def count(**bounds: float) -> Count:
    found: dict[str, Any] = {key: constant(value) for key, value in bounds.items()}
    return Count(attribute="s", value="b", **{"at_least": None, "at_most": None, **found})


def proposal(
    tickets: Sequence[Ticket],
    teams: Sequence[Sequence[str]],
    *,
    region: str | None = None,
    roles: Mapping[str, str] | None = None,
) -> Proposal:
    seats = tuple([tuple([(each, (roles or {}).get(each)) for each in its]) for its in teams])
    by_team = tuple(
        [tuple([each for each in tickets if each.members[0].player_id in its]) for its in teams]
    )
    return Proposal(teams=by_team, seating=Seating(teams=seats, region=region))


def broken(mode: GameMode, who: Who, **more: Any) -> list[str]:
    """The rules that a match of these players breaks."""
    tickets = [ticket(f"p{n}", waited, mode=mode, **its) for n, (waited, its) in enumerate(who)]
    names = [each.ticket_id for each in tickets]
    half = len(names) // 2
    made = proposal(tickets, [names[:half], names[half:]], **more)
    return [each.rule for each in refusals(made, mode, NOW)]


def values(name: str, *of: Any) -> Who:
    return [(0.0, {name: each}) for each in of]


@pytest.mark.parametrize(
    ("demand", "holds", "breaks"),
    [
        (Same(attribute="s"), values("s", *"aaaa"), values("s", *"aaab")),
        (Same(attribute="s", scope=Scope.TEAM), values("s", *"aabb"), values("s", *"abab")),
        (Distinct(attribute="s"), values("s", *"abcd"), values("s", *"abca")),
        (Distinct(attribute="s", scope=Scope.TEAM), values("s", *"abab"), values("s", *"aabb")),
        (near(10), values("n", 0, 10, 5, 5), values("n", 0, 10.5, 5, 5)),
        (balance(5), values("n", 10, 0, 5, 5), values("n", 10, 5, 0, 4)),
        (balance(5, Measure.SUM), values("n", 0, 5, 10, 0), values("n", 0, 5, 10, 1)),
        (
            replace(balance(2), against=Against.MATCH),
            values("n", 4, 4, 0, 0),
            values("n", 5, 5, 0, 0),
        ),
        (compare("avg(red.n) >= max(blue.n)"), values("n", 4, 6, 5, 0), values("n", 4, 6, 6, 0)),
        (compare("2 * sum(red.n) - 1 < count(blue)"), values("n", 1, 0, 9, 9), values("n", 1, 1, 9, 9)),
        (compare("min(n) == 1"), values("n", 1, 2, 3, 4), values("n", 2, 2, 3, 4)),
        (
            Overlap(attribute="m", at_least=constant(2)),
            values("m", ["x", "y"], ["x", "y", "z"], ["x", "y"], ["y", "x"]),
            values("m", ["x", "y"], ["x", "z"], ["x", "y"], ["x", "y"]),
        ),
        (count(at_most=1), values("s", *"abaa"), values("s", *"abab")),
        (count(at_least=2), values("s", *"abab"), values("s", *"abaa")),
        (
            replace(count(at_most=1), scope=Scope.TEAM),
            values("s", *"abab"),
            values("s", *"bbaa"),
        ),
        (Avoid(attribute="blocked"), values("blocked", ["p9"], [], [], []), values("blocked", [], [], [], ["p0"])),
        (
            Accepts(attribute="m", of="s"),
            [(0.0, {"s": "x", "m": ["x"]})] * 4,
            [(0.0, {"s": "x", "m": ["x"]})] * 3 + [(0.0, {"s": "x", "m": ["y"]})],
        ),
        (
            AnyOf(groups=((Rule(name="", demand=near(1)),), (Rule(name="", demand=Same(attribute="s")),))),
            values("n", 0, 9, 0, 9),
            [(0.0, {"n": 0, "s": "a"}), (0.0, {"n": 9, "s": "b"}), *values("n", 0, 0)],
        ),
    ],
    ids=lambda each: type(each).__name__ if not isinstance(each, list) else "",
)  # fmt: skip
def test_a_rule_holds_or_does_not(demand: Demand, holds: Who, breaks: Who) -> None:
    mode = duel(demand)
    assert broken(mode, holds) == []
    assert broken(mode, breaks) == ["R0"]


@pytest.mark.parametrize(
    "within",
    [Steps(((0.0, 5.0), (10.0, 20.0), (20.0, None))), Ramp(start=5, per_second=1, maximum=20)],
)
def test_the_clock_is_each_tickets_own_and_everybody_must_accept(within: Any) -> None:
    mode = duel(Near(attribute="n", within=within, value=MEAN))
    numbers = (0.0, 0.0, 0.0, 15.0)

    def after(*waits: float) -> list[str]:
        pairs = zip(waits, numbers, strict=True)
        return broken(mode, [(waited, {"n": number}) for waited, number in pairs])

    assert after(10, 10, 10, 10) == []
    assert after(1000, 1000, 1000, 9) == ["R0"], "one who has just come does not accept it yet"
    assert after(9, 1000, 1000, 1000) == ["R0"]


def test_a_rule_is_off_only_where_it_is_off_for_all() -> None:
    mode = duel(Rule(name="S", demand=Same(attribute="s"), off_after_seconds=15))
    assert broken(mode, [(15, {"s": each}) for each in "abcd"]) == []
    assert broken(mode, [(99, {"s": "a"}), (99, {"s": "b"}), (99, {}), (14, {})]) == ["S"]


def test_off_is_no_bound_for_who_has_waited_and_one_for_others() -> None:
    mode = duel(Near(attribute="n", within=Steps(((0.0, 5.0), (20.0, None))), value=MEAN))
    assert broken(mode, [(20, {"n": each}) for each in (0, 99, 0, 99)]) == []
    assert broken(mode, [(20, {"n": 0}), (20, {"n": 99}), (20, {}), (19, {})]) == ["R0"]


@pytest.mark.parametrize(
    ("value", "within"), [(MEAN, 0), (PartyValue.MAX, 10), (PartyValue.MIN, 10), (PartyValue.EVERY, 20)]
)  # fmt: skip
def test_the_players_of_a_party_count_with_its_number(value: PartyValue, within: float) -> None:
    """A party of 0 and 20 beside two lone players of 10."""
    for allowed, expected in ((within, []), (within - 1, ["R0"])):
        mode = duel(Near(attribute="n", within=constant(allowed), value=value))
        crew = ticket("crew", mode=mode, players={"a": {"n": 0}, "b": {"n": 20}})
        lone = [ticket(each, mode=mode, n=10) for each in ("c", "d")]
        made = proposal([crew, *lone], [["a", "b"], ["c", "d"]])
        assert [each.rule for each in refusals(made, mode, NOW)] == (
            expected if allowed >= 0 else ["R0"]
        )


def test_a_party_is_on_one_team() -> None:
    mode = duel()
    crew = ticket("crew", mode=mode, players={"a": {}, "b": {}})
    lone = [ticket(each, mode=mode) for each in ("c", "d")]
    made = Proposal(
        teams=((crew, lone[0]), (lone[1],)),
        seating=Seating(teams=((("a", None), ("c", None)), (("b", None), ("d", None)))),
    )
    assert [each.rule for each in refusals(made, mode, NOW)] == ["parties"]


def test_everybody_has_one_seat() -> None:
    mode = duel()
    four = [ticket(each, mode=mode) for each in "abcd"]
    assert refusals(proposal(four, ["ab", "cd"]), mode, NOW) == []
    assert [each.rule for each in refusals(proposal(four, ["ab", "cc"]), mode, NOW)] == ["seats"]
    assert [each.rule for each in refusals(proposal(four, ["abc", "d"]), mode, NOW)] == ["sizes"]


def test_sizes_are_what_each_ticket_accepts() -> None:
    sizes = ((0.0, (2, 2)), (30.0, (1, 2)))
    teams = tuple([Team(name=each, group=each, sizes=sizes) for each in ("red", "blue")])
    mode = mode_of(MatchRules(teams=teams))
    assert broken(mode, [(30, {}), (30, {})]) == []
    assert broken(mode, [(30, {}), (29, {})]) == ["sizes"]


def roled(first: float | None = None) -> GameMode:
    rules = () if first is None else (Rule(name="First", demand=FirstRole(), worth_seconds=first),)
    teams = (team("red", 2, tank=1, healer=1), team("blue", 2, tank=1, healer=1))
    return mode_of(replace(ruled(teams, *rules), any_role_after_seconds=90))


def test_roles_are_seats_and_players_rank_them() -> None:
    mode = roled()
    roles = {"p0": "tank", "p1": "healer", "p2": "tank", "p3": "healer"}
    wishes: tuple[list[str], ...] = (["tank"], ["healer", "tank"], [], ["healer"])
    assert broken(mode, values("roles", *wishes), roles=roles) == []
    swapped = {**roles, "p0": "healer", "p1": "tank"}
    assert broken(mode, values("roles", *wishes), roles=swapped) == ["roles"]
    late = [(90.0, {"roles": each}) for each in wishes]
    assert broken(mode, late, roles=swapped) == []
    assert broken(mode, values("roles", *wishes), roles={**roles, "p0": "healer"}) == ["roles"]


def test_what_a_preference_is_worth_is_waited_for_by_who_lacks_it() -> None:
    mode = roled(first=30)
    roles = {"p0": "tank", "p1": "healer", "p2": "tank", "p3": "healer"}
    second = {"roles": ["tank", "healer"]}
    others = [(0.0, {"roles": [each]}) for each in ("tank", "healer", "tank")]
    assert broken(mode, [*others, (30.0, second)], roles=roles) == []
    assert broken(mode, [*others, (29.0, second)], roles=roles) == ["First"]


def test_what_two_preferences_are_worth_adds_up() -> None:
    mode = duel(
        Rule(name="S", demand=Same(attribute="s"), worth_seconds=20),
        Rule(name="N", demand=near(1), worth_seconds=10),
    )
    both = [{"s": "a", "n": 0}, {"s": "b", "n": 9}, {"s": "a", "n": 0}, {"s": "a", "n": 0}]
    assert broken(mode, [(30.0, each) for each in both]) == []
    assert broken(mode, [(29.0, each) for each in both]) == ["S", "N"]
    assert broken(mode, [(20.0, {**each, "n": 0}) for each in both]) == []


@pytest.mark.parametrize(("worth", "waited", "fits"), [(40.0, 40.0, True), (40.0, 39.0, False)])
def test_opponents_who_met_lately(worth: float, waited: float, fits: bool) -> None:
    mode = duel(
        Rule(name="New", demand=NewOpponents(within_seconds=600), worth_seconds=worth),
    )
    tickets = [ticket(each, waited, mode=mode) for each in "abcd"]

    def found(teams: Sequence[str], ago: float) -> list[str]:
        met = {"a": {"d": NOW - ago}}
        return [
            each.rule
            for each in refusals(
                proposal(tickets, teams), mode, NOW, met=lambda player: met.get(player, {})
            )
        ]

    assert found(["ab", "cd"], 599) == ([] if fits else ["New"])
    assert found(["ab", "cd"], 600) == [], "that was long ago"
    assert found(["ad", "bc"], 10) == [], "they are on one team"


def test_a_region_that_all_accept_and_that_is_the_best() -> None:
    region = RegionRule(
        max_ms=Steps(((0.0, 60.0), (20.0, 100.0))),
        max_spread_ms=constant(50),
        choose=Choose.LOWEST_WORST,
    )
    mode = mode_of(replace(ruled((team("red", 1), team("blue", 1))), region=region))

    def found(chosen: str | None, waited: float, *pings: Mapping[str, float]) -> list[str]:
        return broken(mode, [(waited, {"latencies": each}) for each in pings], region=chosen)

    assert found("eu", 0, {"eu": 20, "us": 60}, {"eu": 50, "us": 60}) == []
    assert found("us", 0, {"eu": 20, "us": 60}, {"eu": 50, "us": 60}) == ["region"], "eu is better"
    assert found("eu", 0, {"eu": 20}, {"eu": 61}) == ["region"]
    assert found("eu", 20, {"eu": 51}, {"eu": 100}) == []
    assert found("eu", 20, {"eu": 20}, {"eu": 100}) == ["region"], "too far apart"
    assert found("eu", 20, {"eu": 20}, {"us": 30}) == ["region"], "unknown is not accepted"
    assert found("eu", 20, {"eu": 20}, {"eu": 0}) == ["region"], "zero is unknown"
    assert found(None, 20, {"eu": 20}, {"us": 30}) == ["region"]
