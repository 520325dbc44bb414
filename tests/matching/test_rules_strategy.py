"""The strategy of modes with rules, against the checker and against trying everything."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import combinations, permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchkeeper.domain.expression import parse
from matchkeeper.domain.layout import Choose, MatchRules, RegionRule
from matchkeeper.domain.match import Proposal, Seating
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.relaxation import Ramp, Relaxation, Steps, constant
from matchkeeper.domain.rule import (
    Accepts,
    Against,
    AnyOf,
    Avoid,
    Balance,
    Compare,
    Count,
    Distinct,
    FirstRole,
    Measure,
    Near,
    Overlap,
    PartyValue,
    Rule,
    Same,
    Scope,
)
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.rules.checker import best_region, refusals
from matchkeeper.matching.rules.lineup import players_of
from matchkeeper.matching.strategy import strategy_for
from tests.support.ruled import NOW, duel, example, mode_of, ruled, team, ticket

WAITS = st.sampled_from([0.0, 4.0, 10.0, 30.0])
NUMBERS = st.integers(0, 4)
upper = st.one_of(
    st.integers(0, 3).map(constant),
    st.integers(0, 2).map(lambda n: Steps(((0.0, float(n)), (10.0, n + 1.0), (30.0, None)))),
    st.integers(0, 2).map(lambda n: Ramp(start=n, per_second=0.1, maximum=n + 2.0)),
)
scopes = st.sampled_from(Scope)
values = st.sampled_from(PartyValue)
simple = st.one_of(
    st.builds(Same, attribute=st.just("s"), scope=scopes),
    st.builds(Distinct, attribute=st.just("n"), scope=scopes),
    st.builds(Near, attribute=st.just("n"), within=upper, value=values, scope=scopes),
    st.builds(
        Balance,
        measure=st.sampled_from([Measure.MEAN, Measure.SUM]),
        attribute=st.just("n"),
        within=upper,
        value=values,
        against=st.sampled_from(Against),
    ),
    st.builds(
        Balance,
        measure=st.just(Measure.LARGEST_PARTY),
        attribute=st.none(),
        within=upper,
        value=values,
    ),
    st.builds(
        Overlap,
        attribute=st.just("m"),
        at_least=st.sampled_from([constant(1.0), Steps(((0.0, 2.0), (10.0, 1.0), (30.0, None)))]),
        scope=scopes,
    ),
    st.builds(
        Count,
        attribute=st.just("s"),
        value=st.just("b"),
        at_least=st.one_of(st.none(), st.just(constant(1.0))),
        at_most=st.one_of(st.none(), upper),
        scope=scopes,
    ),
    st.just(Avoid(attribute="blocked")),
    st.just(Accepts(attribute="m", of="s")),
    st.sampled_from(["avg(red.n) >= avg(blue.n)", "max(red.n) > 1", "sum(n) <= 9"]).map(
        lambda text: Compare(comparison=parse(text, frozenset({"red", "blue"})))
    ),
)
offs = st.one_of(st.none(), st.just(10.0))
worths = st.one_of(st.none(), st.just(10.0))
groups = st.lists(
    st.lists(st.builds(Rule, name=st.just("in"), demand=simple), min_size=1, max_size=2).map(tuple),
    min_size=1,
    max_size=2,
).map(tuple)
demands = st.one_of(simple, st.builds(AnyOf, groups=groups))
rules_of = st.lists(
    st.builds(
        Rule, name=st.just("R"), demand=demands, off_after_seconds=offs, worth_seconds=worths
    ),
    max_size=3,
)


@st.composite
def regions(draw: st.DrawFn) -> RegionRule | None:
    if draw(st.booleans()):
        return None
    caps: list[Relaxation] = [constant(50), Steps(((0.0, 50.0), (10.0, 90.0), (30.0, None)))]
    return RegionRule(
        max_ms=draw(st.sampled_from(caps)),
        max_spread_ms=draw(st.sampled_from([constant(None), constant(30)])),
        choose=draw(st.sampled_from(Choose)),
    )


@st.composite
def populations(draw: st.DrawFn, mode: GameMode, *, parties: bool) -> list[Ticket]:
    found = []
    for number in range(draw(st.integers(3, 6))):
        size = draw(st.sampled_from([1, 1, 2, 4])) if parties else 1
        players = {
            f"p{number}{'abcd'[nth] if size > 1 else ''}": {
                "n": draw(NUMBERS),
                "s": draw(st.sampled_from("ab")),
                "m": draw(st.lists(st.sampled_from("abx"), max_size=3)),
                "blocked": draw(st.lists(st.sampled_from(["p0", "p1"]), max_size=1)),
                "roles": draw(st.permutations(["tank", "healer"]))[: draw(st.integers(0, 2))],
                "latencies": {
                    region: draw(st.sampled_from([0, 20, 45, 80])) for region in ("eu", "us")
                },
            }
            for nth in range(size)
        }
        name = f"p{number}" if size == 1 else f"crew{number}"
        # No two wait equally long, so that there is one order.
        found.append(ticket(name, draw(WAITS) + number / 100, mode=mode, players=players))
    return found


@st.composite
def worlds(draw: st.DrawFn, *, parties: bool) -> tuple[GameMode, list[Ticket]]:
    has_roles: bool = draw(st.booleans())
    roles: dict[str, int] = {"tank": 1, "healer": 1} if has_roles else {}
    rules = [replace(each, name=f"R{n}") for n, each in enumerate(draw(rules_of))]
    is_first_preferred: bool = draw(st.booleans())
    if has_roles and is_first_preferred:
        rules.append(Rule(name="First", demand=FirstRole(), worth_seconds=10.0))
    mode = mode_of(
        MatchRules(
            teams=(team("red", 2, **roles), team("blue", 2, **roles)),
            rules=tuple(rules),
            region=draw(regions()),
            any_role_after_seconds=draw(st.sampled_from([None, 10.0])),
        )
    )
    return mode, draw(populations(mode, parties=parties))


def anything(tickets: list[Ticket], mode: GameMode) -> Proposal | None:
    """A match of four lone players that the checker accepts, found by trying all."""
    rules = mode.rules
    assert rules is not None
    for some in combinations(tickets, 4):
        players = [each for one in some for each in players_of(one, mode)]
        waits = tuple([NOW - each.enqueued_at for each in some])
        region = best_region(players, waits, rules.region)
        for order in permutations(range(4)):
            seats = [some[each].ticket_id for each in order]
            roles = ["healer", "tank"] if rules.roles else [None, None]
            teams = tuple([tuple(zip(its, roles, strict=True)) for its in (seats[:2], seats[2:])])
            made = Proposal(
                teams=(
                    tuple(some[each] for each in order[:2]),
                    tuple(some[each] for each in order[2:]),
                ),
                seating=Seating(teams=teams, region=region),
            )
            if not refusals(made, mode, NOW):
                return made
    return None


@settings(max_examples=250, deadline=None)
@given(worlds(parties=False))
def test_it_finds_a_match_wherever_there_is_one(world: tuple[GameMode, list[Ticket]]) -> None:
    mode, tickets = world
    pairing = strategy_for(mode)(tickets, NOW)
    assert pairing.refused == ()
    for proposal in pairing.proposals:
        assert refusals(proposal, mode, NOW) == []
    left = anything(list(pairing.unmatched), mode)
    assert left is None, f"{left} was left out of {tickets}"


@settings(max_examples=250, deadline=None)
@given(worlds(parties=True))
def test_what_it_proposes_the_checker_accepts(world: tuple[GameMode, list[Ticket]]) -> None:
    mode, tickets = world
    pairing = strategy_for(mode)(tickets, NOW)
    assert pairing.refused == (), "a search that proposes what is wrong has a defect"
    for proposal in pairing.proposals:
        assert refusals(proposal, mode, NOW) == []
    seen = [each.ticket_id for one in pairing.proposals for each in one.tickets]
    everybody = sorted([*seen, *(each.ticket_id for each in pairing.unmatched)])
    assert everybody == sorted(each.ticket_id for each in tickets)


@given(st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_in_which_tickets_are_read_does_not_matter(rng: random.Random) -> None:
    mode = duel(Near(attribute="n", within=constant(2), value=PartyValue.MEAN))
    tickets = [ticket(f"p{n}", n, mode=mode, n=rng.randrange(6)) for n in range(14)]
    shuffled = rng.sample(tickets, len(tickets))
    assert strategy_for(mode)(shuffled, NOW) == strategy_for(mode)(tickets, NOW)


def test_first_come_first_served() -> None:
    mode = duel(Same(attribute="s"))
    tickets = [ticket(f"p{n}", 100 - n, mode=mode, s="ab"[n % 2]) for n in range(11)]
    (one, two) = strategy_for(mode)(tickets, NOW).proposals
    assert {each.ticket_id for each in one.tickets} == {"p0", "p2", "p4", "p6"}
    assert {each.ticket_id for each in two.tickets} == {"p1", "p3", "p5", "p7"}


def test_a_preference_is_worth_as_much_as_waiting_longer() -> None:
    rule = Rule(name="S", demand=Same(attribute="s"), worth_seconds=20)
    mode = mode_of(ruled((team("red", 1), team("blue", 1)), rule))

    def opponent(waited: float) -> str:
        three = [
            ticket("a", 90, mode=mode, s="a"),
            ticket("other", 60, mode=mode, s="b"),
            ticket("alike", waited, mode=mode, s="a"),
        ]
        (match,) = strategy_for(mode)(three, NOW).proposals
        return next(each.ticket_id for each in match.tickets if each.ticket_id != "a")

    assert opponent(41) == "alike"
    assert opponent(39) == "other"


def test_a_party_that_fills_the_match_is_divided_by_the_rules() -> None:
    mode = example("whole-party")
    players = {f"p{n}": {"skill": each} for n, each in enumerate((99, 98, 1, 2, 50, 50))}
    crew = ticket("crew", mode=mode, players=players)
    (match,) = strategy_for(mode)([crew], NOW).proposals
    assert match.teams == ((crew,), ())
    assert match.seating is not None
    skills = [[players[name]["skill"] for name, _ in team] for team in match.seating.teams]
    assert [sum(each) for each in skills] in ([150, 150], [151, 149], [149, 151])


def _known(everybody: Mapping[str, float], player_id: str) -> Mapping[str, float]:
    del player_id
    return everybody


def test_players_who_know_each_other_are_opponents_only_after_a_wait() -> None:
    mode = example("ranked-5v5")
    pings: dict[str, Any] = {"latencies": {"eu": 20}, "build": "1"}
    wishes: list[list[str]] = [["tank"], ["healer"], [], [], []] * 2
    waits = {"soon": 39.0, "late": 40.0}
    for name, expected in (("soon", 0), ("late", 1)):
        tickets = [
            ticket(f"p{n}", waits[name], mode=mode, **pings, roles=each)
            for n, each in enumerate(wishes)
        ]
        everybody = {each.ticket_id: NOW - 60 for each in tickets}
        choose = strategy_for(mode, met=partial(_known, everybody))
        assert len(choose(tickets, NOW).proposals) == expected, name
        assert len(strategy_for(mode)(tickets, NOW).proposals) == 1


def test_those_in_front_do_not_hide_those_behind_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matchkeeper.matching.rules.strategy._ROUND_WORK", 400)
    mode = duel(Rule(name="S", demand=Same(attribute="s"), off_after_seconds=1e6))
    alone = [ticket(f"a{n}", 1000 - n, mode=mode, s=f"s{n}") for n in range(40)]
    four = [ticket(f"b{n}", 10 - n, mode=mode, s="b") for n in range(4)]
    choose = strategy_for(mode)
    assert choose([*alone, *four], NOW).proposals == (), "the work is not enough for all"
    moments = [NOW + tick * 0.37 for tick in range(60)]
    assert any(choose([*alone, *four], now).proposals for now in moments)


def test_teams_of_a_hundred_are_balanced() -> None:
    balance = Balance(
        measure=Measure.MEAN, attribute="n", within=constant(1), value=PartyValue.MEAN
    )
    mode = mode_of(ruled((team("red", 100), team("blue", 100)), balance))
    rng = random.Random(5)
    tickets = [ticket(f"p{n}", n, mode=mode, n=rng.gauss(1500, 300)) for n in range(200)]
    (match,) = strategy_for(mode)(tickets, NOW).proposals
    assert refusals(match, mode, NOW) == []
