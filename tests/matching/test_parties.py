"""Strategies where parties wait: who is taken, compared with trying everything."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from matchkeeper.domain.mode import GameMode, RatingRules
from matchkeeper.domain.party import misfit
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.first_come import first_come_first_served, first_come_with_parties
from matchkeeper.matching.pairing import Pairing
from matchkeeper.matching.rated_parties import closest_with_parties
from matchkeeper.matching.rating import closest_ratings
from matchkeeper.matching.strategy import strategy_for
from tests.support.tickets import fits, lone, party

NOW = 10_000.0
FIVE = GameMode(name="Five", required_players=10, teams=2)
RULES = RatingRules(
    start=100, growth_per_second=10, maximum=1000, anyone_after=None, default_rating=1500
)

shapes = st.sampled_from([(2, 2), (2, 1), (4, 2), (6, 2), (6, 3), (6, 1), (8, 2), (10, 2), (5, 5)])
sizes = st.sampled_from([1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 10])
times = st.sampled_from([NOW - 300, NOW - 60, NOW - 30, NOW - 5, NOW - 1, NOW])
queues = st.lists(st.tuples(sizes, times, st.integers(0, 30)), max_size=12)
rules = st.builds(
    RatingRules,
    start=st.sampled_from([60.0, 250.0]),
    growth_per_second=st.sampled_from([0.0, 10.0]),
    maximum=st.sampled_from([100.0, 400.0]),
    anyone_after=st.sampled_from([None, timedelta(seconds=60)]),
    default_rating=st.just(1500.0),
)


def mode_of(shape: tuple[int, int], given_rules: RatingRules | None = None) -> GameMode:
    return GameMode(name="M", required_players=shape[0], teams=shape[1], rating=given_rules)


def ticket(number: int, size: int, since: float, rating: float | None = None) -> Ticket:
    """`x` and a number, also where it is one player."""
    return party(f"x{number}", size, since=since, rating=rating)


def queue_of(entries: Sequence[tuple[int, float, int]]) -> list[Ticket]:
    """Tickets of which no two are equally far from a third."""
    distinct = set[int]()
    tickets = []
    for number, (size, since, step) in enumerate(entries):
        place = next(each for each in range(step, step + 100) if each not in distinct)
        distinct.add(place)
        tickets.append(ticket(number, size, since, 1000.0 + 50 * place + 0.001 * place * place))
    return tickets


def is_match(group: Sequence[Ticket], mode: GameMode) -> bool:
    players = [len(each.members) for each in group]
    if sum(players) != mode.required_players:
        return False
    return len(group) == 1 or fits(players, [mode.team_size] * mode.teams)


def best(anchor: Ticket, others: Sequence[Ticket], mode: GameMode) -> set[str] | None:
    """The match around `anchor` that takes the first of `others`, then the second, as it can."""

    def matches(chosen: list[Ticket], left: Sequence[Ticket]) -> Iterator[list[Ticket]]:
        if is_match(chosen, mode):
            yield chosen
        if sum(len(each.members) for each in chosen) < mode.required_players:
            for place, each in enumerate(left):
                yield from matches([*chosen, each], left[place + 1 :])

    found = next(matches([anchor], others), None)
    return None if found is None else {each.ticket_id for each in found}


def expected(
    queue: Sequence[Ticket],
    mode: GameMode,
    near: Callable[[Ticket, Sequence[Ticket]], Sequence[Ticket]],
) -> list[set[str]]:
    """The matches, by trying everything. `near`: who comes in question for a ticket, the first
    choice first.
    """
    free = sorted(queue, key=lambda each: each.enqueued_at)
    found = []
    for anchor in list(free):
        if anchor not in free:
            continue
        others = near(anchor, [each for each in free if each is not anchor])
        if group := best(anchor, others, mode):
            found.append(group)
            free = [each for each in free if each.ticket_id not in group]
    # Parties that fill a match by themselves come first.
    return sorted(found, key=lambda group: len(group) > 1)


def check_whole(pairing: Pairing, queue: Sequence[Ticket], mode: GameMode) -> None:
    """Every ticket exactly once, whole, in teams of the right size."""
    seen = [each for proposal in pairing.proposals for each in proposal.tickets]
    assert sorted(each.ticket_id for each in (*seen, *pairing.unmatched)) == sorted(
        each.ticket_id for each in queue
    )
    for proposal in pairing.proposals:
        assert len(proposal.teams) == mode.teams
        players = [sum(len(each.members) for each in team) for team in proposal.teams]
        if len(proposal.tickets) == 1:
            assert players == [mode.required_players, *[0] * (mode.teams - 1)]
        else:
            assert players == [mode.team_size] * mode.teams


def groups(pairing: Pairing) -> list[set[str]]:
    return [{each.ticket_id for each in proposal.tickets} for proposal in pairing.proposals]


@given(queues, shapes)
def test_first_come_takes_the_longest_waiting_that_fit_together(
    entries: list[tuple[int, float, int]], shape: tuple[int, int]
) -> None:
    mode, queue = mode_of(shape), queue_of(entries)
    pairing = strategy_for(mode)(queue, NOW)
    check_whole(pairing, queue, mode)
    wanted = expected(queue, mode, lambda _, free: free)
    assert groups(pairing) == wanted


@given(queues, shapes, rules)
def test_rating_takes_the_nearest_that_fit_together(
    entries: list[tuple[int, float, int]], shape: tuple[int, int], given_rules: RatingRules
) -> None:
    mode, queue = mode_of(shape, given_rules), queue_of(entries)
    pairing = strategy_for(mode)(queue, NOW)
    check_whole(pairing, queue, mode)

    def near(anchor: Ticket, free: Sequence[Ticket]) -> Sequence[Ticket]:
        window = given_rules.window(NOW - anchor.enqueued_at)
        far = {each.ticket_id: abs((each.rating or 0) - (anchor.rating or 0)) for each in free}
        within = [each for each in free if far[each.ticket_id] <= window]
        return sorted(within, key=lambda each: far[each.ticket_id])

    wanted = expected(queue, mode, near)
    assert groups(pairing) == wanted


@given(queues, shapes)
def test_who_is_left_makes_no_match(
    entries: list[tuple[int, float, int]], shape: tuple[int, int]
) -> None:
    mode, queue = mode_of(shape), queue_of(entries)
    left = strategy_for(mode)(queue, NOW).unmatched
    for count in range(1, min(len(left), mode.required_players) + 1):
        for group in combinations(left, count):
            assert not is_match(group, mode)


@given(queues, shapes, rules, st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(
    entries: list[tuple[int, float, int]],
    shape: tuple[int, int],
    given_rules: RatingRules,
    rated: bool,
    rng: random.Random,
) -> None:
    mode = mode_of(shape, given_rules if rated else None)
    queue = queue_of(
        [(size, since + n / 1000, step) for n, (size, since, step) in enumerate(entries)]
    )
    shuffled = list(queue)
    rng.shuffle(shuffled)
    one, two = strategy_for(mode)(queue, NOW), strategy_for(mode)(shuffled, NOW)
    assert one.proposals == two.proposals
    assert {each.ticket_id for each in one.unmatched} == {each.ticket_id for each in two.unmatched}


alone = st.lists(st.tuples(times, st.none() | st.integers(0, 30)), max_size=60).map(
    lambda entries: [
        lone(f"p{number}", since=since, rating=None if step is None else 1000.0 + 50 * step)
        for number, (since, step) in enumerate(entries)
    ]
)
team_games = st.sampled_from([(2, 1), (4, 2), (6, 2), (6, 3), (10, 2), (4, 1)])


@given(alone, team_games)
def test_without_parties_first_come_is_as_for_lone_players(
    queue: list[Ticket], shape: tuple[int, int]
) -> None:
    mode = mode_of(shape)
    wanted = first_come_first_served(queue, required_players=shape[0], teams=shape[1])
    found = first_come_with_parties(queue, teams=mode.teams, size=mode.team_size)
    assert found == wanted
    assert strategy_for(mode)(queue, NOW) == wanted


@given(alone, team_games, rules)
def test_without_parties_rating_is_as_for_lone_players(
    queue: list[Ticket], shape: tuple[int, int], given_rules: RatingRules
) -> None:
    mode = mode_of(shape, given_rules)
    wanted = closest_ratings(
        queue, NOW, rules=given_rules, required_players=shape[0], teams=shape[1]
    )
    found = closest_with_parties(
        queue, NOW, rules=given_rules, teams=mode.teams, size=mode.team_size
    )
    assert found == wanted
    assert strategy_for(mode)(queue, NOW) == wanted


def test_lone_players_do_not_fill_up_the_places_of_a_party() -> None:
    """Eight wait, and a party of five comes: it plays with the first five at once."""
    queue = [lone(f"p{number}", since=number) for number in range(8)]
    pairing = strategy_for(FIVE)([*queue, party("x", 5, since=9)], NOW)
    assert groups(pairing) == [{"x", "p0", "p1", "p2", "p3", "p4"}]
    assert [each.ticket_id for each in pairing.unmatched] == ["p5", "p6", "p7"]


def test_a_party_that_can_never_fit_harms_nobody_else() -> None:
    queue = [party("y", 7, since=1), *(lone(f"p{number}", since=number) for number in range(10))]
    for given_rules in (None, RULES):
        pairing = strategy_for(mode_of((10, 2), given_rules))(queue, NOW)
        assert groups(pairing) == [{f"p{number}" for number in range(10)}]
        assert [each.ticket_id for each in pairing.unmatched] == ["y"]
        assert misfit(7, mode_of((10, 2)))


def test_a_party_stays_together_and_the_teams_are_alike() -> None:
    queue = [
        party("a", 3, since=1, rating=1600),
        party("b", 3, since=2, rating=1400),
        party("c", 2, since=3, rating=1550),
        lone("p1", since=4, rating=1500),
        lone("p2", since=5, rating=1450),
    ]
    (proposal,) = strategy_for(mode_of((10, 2), RULES))(queue, NOW).proposals
    teams = [{each.ticket_id for each in team} for team in proposal.teams]
    assert teams == [{"a", "p1", "p2"}, {"b", "c"}]


def test_parties_are_dealt_to_teams_in_the_order_in_which_they_came() -> None:
    queue = [party(f"x{number}", 2, since=number) for number in range(3)]
    queue += [lone(f"p{number}", since=number + 0.5) for number in range(4)]
    (proposal,) = strategy_for(mode_of((10, 2)))(queue, NOW).proposals
    teams = [[each.ticket_id for each in team] for team in proposal.teams]
    assert teams == [["x0", "x2", "p2"], ["x1", "p0", "p1", "p3"]]
