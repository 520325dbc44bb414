"""Pairs by what a second is worth: beside trying everything, and what holds whatever it chooses."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from functools import cache

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchkeeper.domain.mode import GameMode, RatingRules
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.pairing import Pairing
from matchkeeper.matching.strategy import strategy_for
from matchkeeper.matching.worth import pairs, windows_worth
from tests.support.tickets import lone, party

NOW = 10_000.0
MOST = 400.0
RULES = RatingRules(
    start=100, growth_per_second=7, maximum=MOST, default_rating=1500, second_is_worth=5
)
MODE = GameMode(name="M", rating=RULES)

# Few values, so that ties are common.
lines = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20)), max_size=10)
times = st.sampled_from([NOW - 300, NOW - 60, NOW - 30, NOW - 5, NOW - 1, NOW, NOW + 50])
densities = st.sampled_from([None, 0.0001, 0.01, 1.0, math.inf])
queues = st.lists(st.tuples(times, st.integers(0, 60), densities), max_size=40).map(
    lambda entries: [
        ticket(number, since, 1000.0 + 25 * step, density)
        for number, (since, step, density) in enumerate(entries)
    ]
)


def ticket(number: int, since: float, rating: float | None, density: float | None) -> Ticket:
    return msgspec.structs.replace(lone(f"p{number}", since=since, rating=rating), density=density)


def least(ratings: Sequence[float], windows: Sequence[float]) -> float:
    """The least sum of gaps and of halved windows of those left out, by trying everything."""

    @cache
    def of(left: frozenset[int]) -> float:
        if not left:
            return 0.0
        one = min(left)
        others = left - {one}
        found = windows[one] / 2 + of(others)
        return min(
            found, *(abs(ratings[one] - ratings[two]) + of(others - {two}) for two in others)
        ) if others else found  # fmt: skip

    return of(frozenset(range(len(ratings))))


@given(lines)
def test_no_other_choice_costs_less(entries: list[tuple[int, int]]) -> None:
    ratings, windows = ([float(entry[n]) for entry in entries] for n in (0, 1))
    one, two = pairs(np.array(ratings), np.array(windows), math.inf)
    left = set(range(len(entries))) - set(one.tolist()) - set(two.tolist())
    assert len(left) + 2 * len(one) == len(entries)
    gaps = [abs(ratings[a] - ratings[b]) for a, b in zip(one, two, strict=True)]
    assert sum(gaps) + sum(windows[each] / 2 for each in left) == pytest.approx(
        least(ratings, windows)
    )
    for a, b, gap in zip(one, two, gaps, strict=True):
        assert gap <= (windows[a] + windows[b]) / 2 + 1e-9


def window(each: Ticket) -> float:
    density = each.density
    first = RULES.start if density is None else math.sqrt(5 / (2 * density))
    return min(MOST, first + 2.5 * max(0.0, NOW - each.enqueued_at))


@given(queues)
def test_everybody_once_and_nobody_beyond_the_windows(queue: list[Ticket]) -> None:
    pairing = strategy_for(MODE)(queue, NOW)
    seen = [each for proposal in pairing.proposals for each in proposal.tickets]
    assert sorted(each.ticket_id for each in (*seen, *pairing.unmatched)) == sorted(
        each.ticket_id for each in queue
    )
    for proposal in pairing.proposals:
        assert [len(team) for team in proposal.teams] == [1, 1]
        one, two = proposal.tickets
        gap = abs((one.rating or 0) - (two.rating or 0))
        assert gap <= MOST
        assert gap <= (window(one) + window(two)) / 2 + 1e-9


@given(queues)
def test_no_two_are_left_who_would_rather_play_than_wait(queue: list[Ticket]) -> None:
    left = strategy_for(MODE)(queue, NOW).unmatched
    for number, one in enumerate(left):
        for two in left[number + 1 :]:
            gap = abs((one.rating or 0) - (two.rating or 0))
            assert gap > (window(one) + window(two)) / 2 - 1e-9


@given(st.integers(0, 12), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(count: int, rng: random.Random) -> None:
    queue = [
        ticket(n, NOW - n - rng.random() / 2, rng.uniform(1000, 2000), rng.choice([None, 0.01]))
        for n in range(count)
    ]
    shuffled = list(queue)
    rng.shuffle(shuffled)
    assert strategy_for(MODE)(queue, NOW) == strategy_for(MODE)(shuffled, NOW)


def ids(pairing: Pairing) -> list[set[str]]:
    return [{each.ticket_id for each in proposal.tickets} for proposal in pairing.proposals]


def test_a_player_waits_for_somebody_nearer_where_many_come() -> None:
    """Where one a second comes for each 100 points, 22 are too far at first, and not later."""
    many = [ticket(1, NOW, 1500, 0.01), ticket(2, NOW, 1522, 0.01)]
    few = [msgspec.structs.replace(each, density=0.0001) for each in many]
    assert not strategy_for(MODE)(many, NOW).proposals
    assert ids(strategy_for(MODE)(few, NOW)) == [{"p1", "p2"}]
    assert ids(strategy_for(MODE)(many, NOW + 3)) == [{"p1", "p2"}]


def test_who_waits_longer_is_not_the_one_who_is_left_out() -> None:
    """Of three alike the youngest waits on, and matches come by who has waited longest."""
    queue = [ticket(n, NOW - wait, 1500, None) for n, wait in enumerate((1, 500, 300))]
    queue += [ticket(n + 3, NOW - wait, 2500, None) for n, wait in enumerate((900, 800))]
    pairing = strategy_for(MODE)(queue, NOW)
    assert ids(pairing) == [{"p3", "p4"}, {"p1", "p2"}]
    assert [each.ticket_id for each in pairing.unmatched] == ["p0"]


def test_windows_are_those_that_the_page_names() -> None:
    found = windows_worth(RULES, 5, np.array([math.nan, 0.025, math.inf]), np.array([4.0, 4, -1]))
    assert found.tolist() == [100 + 10, 10 + 10, 0]


def test_a_party_of_two_is_a_match_by_itself() -> None:
    for teams in (1, 2):
        mode = GameMode(name="M", teams=teams, rating=RULES)
        queue = [lone("p1", since=1, rating=1500), party("x", 2, since=2, rating=1500)]
        pairing = strategy_for(mode)([*queue, lone("p2", since=3, rating=1510)], NOW)
        assert ids(pairing) == [{"x"}, {"p1", "p2"}]
        assert [len(each.teams) for each in pairing.proposals] == [teams, teams]


def test_ratings_whose_differences_are_not_finite_harm_nobody() -> None:
    values = (1.7e308, 1500, -1.7e308, 1510, 1.7e308)
    queue = [ticket(n, NOW - 60 - n, rating, None) for n, rating in enumerate(values)]
    pairing = strategy_for(MODE)(queue, NOW)
    assert ids(pairing) == [{"p4", "p0"}, {"p1", "p3"}]
    assert [each.ticket_id for each in pairing.unmatched] == ["p2"]


@pytest.mark.parametrize("count", [100, 3_000])
def test_a_backlog_is_paired_as_near_as_can_be(count: int) -> None:
    rng = random.Random(count)
    queue = [ticket(n, NOW - 120, rng.gauss(1500, 100), None) for n in range(count)]
    pairing = strategy_for(MODE)(queue, NOW)
    assert len(pairing.proposals) >= 0.98 * count / 2
    ratings = sorted(each.rating or 0 for p in pairing.proposals for each in p.tickets)
    best = sum(high - low for low, high in zip(ratings[::2], ratings[1::2], strict=True))
    gaps = [
        abs((a.rating or 0) - (b.rating or 0)) for a, b in (p.tickets for p in pairing.proposals)
    ]
    assert sum(gaps) == pytest.approx(best)
