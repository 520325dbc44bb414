"""Teams are as equal as they can be: beside trying everything, and beside a longer search."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchkeeper.domain.mode import GameMode, RatingRules
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.splits import Full, divided
from matchkeeper.matching.strategy import strategy_for
from matchkeeper.matching.teams import Teams
from tests.support.tickets import party

NOW = 1_000.0
# Sizes that fill the teams, in the order of the teams.
SHAPES: Sequence[tuple[int, int, tuple[int, ...]]] = (
    (2, 2, (1, 1, 1, 1)),
    (2, 3, (2, 1, 1, 1, 1)),
    (2, 4, (1,) * 8),
    (2, 4, (3, 1, 2, 2)),
    (2, 5, (2, 2, 1, 3, 1, 1)),
    (2, 5, (5, 1, 1, 1, 1, 1)),
    (3, 2, (1, 1, 1, 1, 2)),
    (3, 3, (2, 1, 1, 1, 1, 2, 1)),
)


def match_of(sizes: Sequence[int], ratings: Sequence[float]) -> Full:
    tickets = [party(f"t{number}", size) for number, size in enumerate(sizes)]
    return Full(tickets, list(ratings))


def placed(sizes: Sequence[int], size: int) -> list[tuple[int, int]]:
    """The teams of parties, where tickets fill the teams one after the other."""
    found, filled = [], 0
    for players in sizes:
        if players > 1:
            found.append((players, filled // size))
        filled += players
    return found


def gap(match: Full, teams: Sequence[Sequence[Ticket]]) -> float:
    """Between the strongest team and the weakest, in points for each player."""
    rating = {
        each.ticket_id: value for each, value in zip(match.tickets, match.ratings, strict=True)
    }
    sums = [sum(rating[each.ticket_id] * len(each.members) for each in team) for team in teams]
    return (max(sums) - min(sums)) / sum(len(each.members) for each in teams[0])


def every(tickets: Sequence[Ticket], teams: list[list[Ticket]], size: int) -> Iterator[Teams]:
    """Every way to put the tickets on the teams."""
    if not tickets:
        yield tuple(tuple(team) for team in teams)
        return
    for team in teams:
        if sum(len(each.members) for each in team) + len(tickets[0].members) <= size:
            team.append(tickets[0])
            yield from every(tickets[1:], teams, size)
            team.pop()


def check_whole(match: Full, teams: Teams, count: int, size: int) -> None:
    assert [sum(len(each.members) for each in team) for team in teams] == [size] * count
    seen = [each.ticket_id for team in teams for each in team]
    assert sorted(seen) == sorted(each.ticket_id for each in match.tickets)


@given(st.sampled_from(SHAPES), st.data())
def test_small_teams_are_as_equal_as_any_way_makes_them(
    shape: tuple[int, int, tuple[int, ...]], data: st.DataObject
) -> None:
    count, size, sizes = shape
    values = st.floats(0, 3000)
    matches = [
        match_of(sizes, data.draw(st.lists(values, min_size=len(sizes), max_size=len(sizes))))
        for _ in range(2)
    ]
    for match, teams in zip(matches, divided(matches, count, size), strict=True):
        check_whole(match, teams, count, size)
        best = min(
            gap(match, each) for each in every(match.tickets, [[] for _ in range(count)], size)
        )
        assert gap(match, teams) == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize(
    ("count", "size", "sizes"),
    [
        (2, 10, (1,) * 20),
        (3, 6, (1,) * 18),
        (2, 20, (5, 4, 3, *[2] * 8, *[1] * 12)),
        (2, 100, (*[4] * 10, *[1] * 160)),
        (10, 12, (1,) * 120),
    ],
)
def test_larger_teams_come_near_to_a_longer_search(
    count: int, size: int, sizes: tuple[int, ...]
) -> None:
    """A longer search finds hardly any difference; taking turns leaves 1 to 20 points."""
    rng = random.Random(f"{count} {size}")
    for _ in range(5):
        match = match_of(sizes, [rng.gauss(1500, 200) for _ in sizes])
        match = match._replace(placed=placed(sizes, size))
        (teams,) = divided([match], count, size)
        check_whole(match, teams, count, size)
        assert gap(match, teams) < 0.5


@pytest.mark.parametrize("size", [5, 10])
def test_ratings_whose_sum_is_not_finite_harm_nobody(size: int) -> None:
    match = match_of(
        (1,) * 2 * size, [1.7e308, 1.6e308, *[1500.0 + n for n in range(2 * size - 2)]]
    )
    (teams,) = divided([match], 2, size)
    check_whole(match, teams, 2, size)
    assert not {"t0", "t1"} <= {each.ticket_id for each in teams[0]}


def test_teams_that_nothing_can_make_alike_are_left() -> None:
    """Two parties fill two teams of forty; nobody can change sides, and the search ends."""
    sizes = (40, 40)
    match = match_of(sizes, [1000, 2000])._replace(placed=placed(sizes, 40))
    (teams,) = divided([match], 2, 40)
    assert gap(match, teams) == 1000


def test_a_team_match_of_ratings_is_divided_as_equally_as_can_be() -> None:
    """The strongest with the weakest: by turns the teams would differ by 40 points each."""
    rules = RatingRules(start=1000, growth_per_second=0, maximum=1000, default_rating=1500)
    mode = GameMode(name="M", required_players=4, teams=2, rating=rules)
    queue = [
        party(f"p{number}", 1, since=NOW, rating=rating)
        for number, rating in enumerate((1700, 1500, 1490, 1290))
    ]
    (proposal,) = strategy_for(mode)(queue, NOW).proposals
    teams = [{each.ticket_id for each in team} for team in proposal.teams]
    assert teams == [{"p0", "p3"}, {"p1", "p2"}]


@given(st.lists(st.integers(0, 4), min_size=10, max_size=10), st.randoms(use_true_random=False))
def test_the_order_in_which_matches_come_does_not_matter(
    steps: list[int], rng: random.Random
) -> None:
    """Many ways are equally good; the same one is taken, whoever else is matched."""
    match = match_of((1,) * 10, [1500.0 + 25 * step for step in steps])
    others = [match_of((1,) * 10, [rng.gauss(1500, 100) for _ in range(10)]) for _ in range(7)]
    (alone,) = divided([match], 2, 5)
    assert divided([*others, match], 2, 5)[-1] == alone
