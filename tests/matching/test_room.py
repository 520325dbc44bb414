"""Which parties teams have room for, compared with trying everything; and that it has an end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchkeeper.domain.mode import GameMode
from matchkeeper.matching import room
from matchkeeper.matching.room import Searches, Seating, amounts_of
from matchkeeper.matching.strategy import strategy_for
from tests.support.tickets import fits, lone, party

shapes = st.sampled_from([(2, 5), (3, 4), (2, 6), (1, 6), (4, 3), (2, 10)])
parties = st.lists(st.integers(2, 6), max_size=6).map(lambda each: sorted(each, reverse=True))
amounts = st.dictionaries(st.integers(2, 5), st.integers(0, 3), max_size=3)


def mixes(others: Mapping[int, int]) -> Iterator[list[int]]:
    if not others:
        yield []
        return
    (size, count), *rest = others.items()
    for some in range(count + 1):
        for more in mixes(dict(rest)):
            yield [size] * some + more


@given(shapes, parties)
def test_a_place_is_found_for_all_parties_if_there_is_one(
    shape: tuple[int, int], sizes: list[int]
) -> None:
    teams, size = shape
    placed = Searches(teams=teams, size=size).places(sizes)
    assert (placed is not None) == fits(sizes, [size] * teams)
    for team in range(teams):
        assert sum(each for each, where in placed or () if where == team) <= size
    assert placed is None or [each for each, _ in placed] == sizes


@given(shapes, parties, amounts, st.integers(0, 3), st.integers(0, 6))
def test_a_full_match_is_found_if_there_is_one(
    shape: tuple[int, int], sizes: list[int], others: dict[int, int], least: int, more: int
) -> None:
    teams, size = shape
    searches, some = Searches(teams=teams, size=size), amounts_of(others)
    found = searches.completed(sizes, some, least=least, most=least + more)
    there = any(
        least <= teams * size - sum(sizes) - sum(mix) <= least + more
        and fits([*sizes, *mix], [size] * teams)
        for mix in mixes(others)
    )
    assert (found is not None) == there
    assert searches.never(sizes, some, least=least, most=least + more) != there


@given(shapes, st.lists(st.integers(2, 6), max_size=8))
def test_each_party_that_still_fits_is_taken(shape: tuple[int, int], sizes: list[int]) -> None:
    teams, size = shape
    seating, taken = Seating(Searches(teams=teams, size=size)), list[int]()
    for each in sizes:
        fitting = fits([*taken, each], [size] * teams)
        assert seating.takes(each) == fitting
        taken += [each] * fitting
    assert sorted(each for each, _ in seating.placed) == sorted(taken)
    for team in range(teams):
        assert sum(each for each, where in seating.placed if where == team) <= size


def test_when_the_steps_of_a_round_are_spent_nothing_is_certain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "_ROUND_STEPS", 3)
    searches = Searches(teams=2, size=5)
    assert searches.places([2, 2, 2, 2]) is not None, "what was begun is done"
    assert searches.spent
    assert searches.places([2, 2, 2, 2]) is not None, "what is known is known"
    assert searches.places([5]) is None
    assert not searches.never([3, 3, 3], (), least=0, most=10)


@pytest.mark.parametrize("sizes", [(2, 3, 4, 7, 11), (3, 7, 13, 24, 31), (2,)])
def test_a_round_of_many_hard_parties_has_an_end(sizes: tuple[int, ...]) -> None:
    """A thousand players and teams of a hundred, or of two: what is not found is left alone."""
    queue = [party(f"x{n}", sizes[n % len(sizes)], since=n, rating=n) for n in range(3000)]
    begun = time.process_time()
    for teams in (10, 500):
        mode = GameMode(name="M", required_players=1000, teams=teams)
        pairing = strategy_for(mode)([*queue, lone("p1", since=0.5)], 5000.0)
        for proposal in pairing.proposals:
            players = [sum(len(each.members) for each in team) for team in proposal.teams]
            assert players == [1000 // teams] * teams
    assert time.process_time() - begun < 10
