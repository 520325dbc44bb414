"""Which parties fit into a match, and which rating they count with."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchkeeper.domain.mode import GameMode, RatingRules
from matchkeeper.domain.party import mean_rating, misfit

FIVE = GameMode(name="Five", required_players=10, teams=2)
RULES = RatingRules(
    start=100,
    growth_per_second=10,
    maximum=1000,
    anyone_after=timedelta(seconds=60),
    default_rating=1500,
)


@pytest.mark.parametrize(
    ("mode", "fitting"),
    [
        (FIVE, {1, 2, 3, 4, 5, 10}),
        (GameMode(name="Duel"), {1, 2}),
        (GameMode(name="All", required_players=4, teams=1), {1, 2, 3, 4}),
        (GameMode(name="Each", required_players=4, teams=4), {1, 4}),
    ],
)
def test_a_party_fits_into_one_team_or_fills_the_match(mode: GameMode, fitting: set[int]) -> None:
    assert {players for players in range(1, 13) if not misfit(players, mode)} == fitting


def test_why_a_party_never_fits_is_said_with_the_numbers() -> None:
    assert misfit(7, FIVE) == (
        "a party of 7 does not fit into one team of Five, where a team has 5 players, and does not "
        "fill a match by itself, which takes 10"
    )
    assert misfit(11, FIVE) == "a party of 11 is larger than a match of Five, which has 10"
    assert "where each player is alone" in misfit(
        3, GameMode(name="Each", required_players=4, teams=4)
    )


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_the_mean_rating_lies_between_those_of_the_members(ratings: list[float | None]) -> None:
    known = [RULES.default_rating if each is None else each for each in ratings]
    mean = mean_rating(ratings, RULES)
    assert math.isfinite(mean)
    assert min(known) <= mean <= max(known)


def test_the_mean_rating_counts_the_default_for_who_has_none() -> None:
    assert mean_rating([1000.0, None], RULES) == 1250
    assert mean_rating([1501.0] * 3, RULES) == 1501
