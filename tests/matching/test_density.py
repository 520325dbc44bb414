"""How many come where a rating is."""

from __future__ import annotations

import random

import pytest

from matchkeeper.matching.density import ENOUGH, Density


def test_nothing_is_said_before_enough_have_come() -> None:
    density = Density()
    said = [density.seen(float(n), 1500.0 + n, float(n)) for n in range(ENOUGH)]
    assert said[:-1] == [None] * (ENOUGH - 1)
    assert said[-1] is not None


@pytest.mark.parametrize("rate", [0.2, 5.0])
def test_a_density_is_players_a_second_and_point(rate: float) -> None:
    """Ratings are spread evenly over 2,000 points, so that each point has a 2,000th of them."""
    rng, density = random.Random(rate), Density()
    now, found = 0.0, []
    for _ in range(4_000):
        now += rng.expovariate(rate)
        found.append(density.seen(now, rng.uniform(500, 2500), now))
    said = [each for each in found[1_000:] if each is not None]
    assert sum(said) / len(said) == pytest.approx(rate / 2_000, rel=0.15)


def test_it_is_less_where_few_are() -> None:
    rng, density = random.Random(3), Density()
    for n in range(1_000):
        density.seen(n / 10, rng.gauss(1500, 200), n / 10)
    middle, edge = (density.seen(100.0, rating, 100.0) for rating in (1500.0, 2100.0))
    assert middle is not None
    assert edge is not None
    assert middle > 10 * edge


def test_who_comes_late_does_not_count_as_a_newcomer() -> None:
    """Who comes back with an old place says nothing of how many come."""
    one, two = Density(), Density()
    for n in range(ENOUGH):
        for each in (one, two):
            each.seen(float(n), 1500.0 + n, float(n))
    for n in range(100):
        one.seen(-100.0, 1500.0 + n, 50.0)
    assert one.seen(51.0, 1500, 51.0) == two.seen(51.0, 1500, 51.0)


def test_many_with_one_rating_are_as_near_as_can_be() -> None:
    density = Density()
    for n in range(ENOUGH):
        said = density.seen(float(n), 1500.0, float(n))
    assert said == float("inf")


def test_it_forgets() -> None:
    """After a thousand others, where everybody once was is empty."""
    density = Density()
    for n in range(1_000):
        density.seen(n / 10, 1000.0 + n % 10, n / 10)
    for n in range(1_000):
        said = density.seen(100 + n / 10, 2000.0 + n % 10, 100 + n / 10)
    before = density.seen(200.0, 1005.0, 200.0)
    assert before is not None
    assert said is not None
    assert before < said / 10


def test_ratings_that_are_far_beyond_harm_nobody() -> None:
    density = Density()
    for n in range(2 * ENOUGH):
        said = density.seen(float(n), 1.7e308 * (-1) ** n, float(n))
    assert said == float("inf")
    assert density.seen(200.0, 1500.0, 200.0) == 0
