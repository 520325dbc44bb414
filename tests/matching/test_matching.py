"""Properties of the strategies: nobody twice, nobody forgotten, the rules kept."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from datetime import timedelta
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchkeeper.domain.mode import GameMode, RatingRules
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching import rating as rating_module
from matchkeeper.matching.pairing import Pairing
from matchkeeper.matching.strategy import strategy_for
from tests.support.tickets import lone

NOW = 10_000.0


def ticket(number: int, since: float, rating: float | None) -> Ticket:
    return lone(f"p{number}", since=since, rating=rating)


# Few values, so that ties and conflicts are common; some from a clock that is ahead.
times = st.sampled_from([NOW - 300, NOW - 60, NOW - 30, NOW - 5, NOW - 1, NOW, NOW + 50])
ratings = st.none() | st.integers(0, 30).map(lambda step: 1000.0 + 50 * step)
queues = st.lists(st.tuples(times, ratings), max_size=40).map(
    lambda pairs: [ticket(number, *pair) for number, pair in enumerate(pairs)]
)
shapes = st.sampled_from([(2, 2), (2, 1), (3, 3), (4, 2), (6, 2), (6, 3), (5, 5)])
rules = st.builds(
    RatingRules,
    start=st.sampled_from([0.0, 50.0, 100.0]),
    growth_per_second=st.sampled_from([0.0, 1.0, 10.0]),
    maximum=st.sampled_from([100.0, 400.0]),
    anyone_after=st.sampled_from([None, timedelta(seconds=60)]),
    default_rating=st.just(1500.0),
)


def rating_of(each: Ticket, given_rules: RatingRules) -> float:
    return given_rules.default_rating if each.rating is None else each.rating


def check_whole(pairing: Pairing, queue: Sequence[Ticket], mode: GameMode) -> None:
    """Everybody exactly once, in teams of the right size."""
    seen = [each for proposal in pairing.proposals for each in proposal.tickets]
    assert sorted(each.ticket_id for each in (*seen, *pairing.unmatched)) == sorted(
        each.ticket_id for each in queue
    )
    for proposal in pairing.proposals:
        assert len(proposal.teams) == mode.teams
        assert {len(team) for team in proposal.teams} == {mode.required_players // mode.teams}


@given(queues, shapes)
def test_first_come_takes_exactly_the_longest_waiting(
    queue: list[Ticket], shape: tuple[int, int]
) -> None:
    mode = GameMode(name="M", required_players=shape[0], teams=shape[1])
    pairing = strategy_for(mode)(queue, NOW)
    check_whole(pairing, queue, mode)
    expected = sorted(queue, key=lambda each: each.enqueued_at)
    full = len(queue) // shape[0] * shape[0]
    for index, proposal in enumerate(pairing.proposals):
        chosen = {each.ticket_id for each in proposal.tickets}
        part = expected[index * shape[0] : (index + 1) * shape[0]]
        assert chosen == {each.ticket_id for each in part}
    assert list(pairing.unmatched) == expected[full:]


@given(queues, shapes, rules)
def test_rating_keeps_the_window_of_the_one_who_was_served(
    queue: list[Ticket], shape: tuple[int, int], given_rules: RatingRules
) -> None:
    mode = GameMode(name="M", required_players=shape[0], teams=shape[1], rating=given_rules)
    pairing = strategy_for(mode)(queue, NOW)
    check_whole(pairing, queue, mode)
    for proposal in pairing.proposals:
        assert any(
            all(
                abs(rating_of(each, given_rules) - rating_of(other, given_rules))
                <= given_rules.window(NOW - each.enqueued_at)
                for other in proposal.tickets
            )
            for each in proposal.tickets
        )


@given(queues, rules)
def test_no_two_who_would_do_for_each_other_are_left(
    queue: list[Ticket], given_rules: RatingRules
) -> None:
    mode = GameMode(name="M", rating=given_rules)
    left = strategy_for(mode)(queue, NOW).unmatched
    for index, one in enumerate(left):
        for two in left[index + 1 :]:
            window = given_rules.window(NOW - min(one.enqueued_at, two.enqueued_at))
            assert abs(rating_of(one, given_rules) - rating_of(two, given_rules)) > window


@given(queues, rules)
def test_the_longest_waiting_gets_the_nearest(
    queue: list[Ticket], given_rules: RatingRules
) -> None:
    mode = GameMode(name="M", rating=given_rules)
    pairing = strategy_for(mode)(queue, NOW)
    if not queue:
        return
    first = min(queue, key=lambda each: each.enqueued_at)
    distances = [
        abs(rating_of(first, given_rules) - rating_of(other, given_rules))
        for other in queue
        if other is not first
    ]
    within = [each for each in distances if each <= given_rules.window(NOW - first.enqueued_at)]
    partners = [p.tickets for p in pairing.proposals if first in p.tickets]
    assert bool(partners) is bool(within)
    if partners:
        (other,) = (each for each in partners[0] if each is not first)
        assert abs(rating_of(first, given_rules) - rating_of(other, given_rules)) == min(within)


@given(queues, rules, st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(
    queue: list[Ticket], given_rules: RatingRules, rng: random.Random
) -> None:
    distinct = [
        ticket(number, each.enqueued_at + number / 1000, 1000.0 + number * 37 % 911)
        for number, each in enumerate(queue)
    ]
    mode = GameMode(name="M", rating=given_rules)
    shuffled = list(distinct)
    rng.shuffle(shuffled)
    assert strategy_for(mode)(distinct, NOW) == strategy_for(mode)(shuffled, NOW)


def test_a_window_widens_to_its_maximum_and_then_to_anybody() -> None:
    given_rules = RatingRules(
        start=100,
        growth_per_second=10,
        maximum=300,
        anyone_after=timedelta(seconds=60),
        default_rating=1500,
    )
    assert [given_rules.window(waited) for waited in (-5, 0, 10, 30, 59, 60)] == [
        100, 100, 200, 300, 300, float("inf"),
    ]  # fmt: skip


def test_no_rating_counts_as_the_default() -> None:
    mode = GameMode(
        name="M", rating=RatingRules(start=10, growth_per_second=0, maximum=10, default_rating=500)
    )
    queue = [ticket(1, NOW, 505.0), ticket(2, NOW, None), ticket(3, NOW, 1500.0)]
    (proposal,) = strategy_for(mode)(queue, NOW).proposals
    assert {each.ticket_id for each in proposal.tickets} == {"p1", "p2"}


@pytest.mark.parametrize("matchable", [True, False])
def test_the_work_of_a_round_grows_no_faster_than_n_log_n(matchable: bool) -> None:
    """Counts the lines of code that run."""
    lines = 0

    def counted(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return counted if frame.f_code.co_filename == rating_module.__file__ else None

    rng = random.Random(3)
    mode = GameMode(
        name="M",
        rating=RatingRules(
            start=1000.0 if matchable else 0.0,
            growth_per_second=0,
            maximum=2000,
            default_rating=1500,
        ),
    )
    counts = []
    for size in (1000, 4000):
        lines = 0
        queue = [ticket(number, NOW - number, rng.gauss(1500, 300)) for number in range(size)]
        before = sys.gettrace()
        sys.settrace(counted)
        try:
            pairing = strategy_for(mode)(queue, NOW)
        finally:
            sys.settrace(before)
        assert bool(pairing.proposals) is matchable
        counts.append(lines)
    assert counts[0] > 20
    assert counts[1] <= 4.5 * counts[0]
