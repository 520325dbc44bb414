"""The comparison of policies: that it lets everybody come, looks in time, and counts right."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.fair import traces
from bench.fair.evening import Evening, Played, evening
from bench.fair.figures import at_wait, point
from bench.fair.others import Batches, PopTimer, Quality, Steps
from bench.fair.ours import Ours, mode
from bench.fair.plots import pareto
from bench.fair.runs import OURS, TODAY
from bench.fair.teams import Neighbours
from bench.fair.traces import Trace, rating_of, ticket
from matchkeeper.domain.match import Proposal
from matchkeeper.domain.ticket import Ticket


class Notes:
    """Pairs nobody, and notes when it looked and at how many."""

    def __init__(self) -> None:
        self.looks: list[tuple[float, int]] = []

    def arrived(self, ticket: Ticket) -> Ticket:
        return ticket

    def looks_now(self, waiting: int) -> bool:
        return waiting == 2

    def next_look(self, now: float, waiting: int) -> float:
        return now + 10

    def choose(self, waiting: Sequence[Ticket], now: float) -> Sequence[Proposal]:
        self.looks.append((now, len(waiting)))
        return ()


def test_an_evening_looks_at_its_times_and_when_asked_to() -> None:
    """After a look at an arrival the next one is ten seconds later."""
    trace = Trace(
        name="t", title="", tickets=[ticket(n, 1, at, 1500) for n, at in enumerate((12, 13, 25))]
    )
    notes = Notes()
    found = evening(trace, notes)
    assert notes.looks == [(13, 2), (23, 2)]
    assert len(found.left) == 3


def test_traces_are_what_they_say() -> None:
    steady = traces.steady("a", 10.0, 2_000)
    assert steady.seconds == pytest.approx(200, rel=0.1)
    assert traces.steady("a", 10.0, 2_000) == steady
    day = traces.day("d", 2_000)
    middle = [each for each in day.tickets if abs(each.enqueued_at / day.seconds - 0.5) < 0.1]
    assert len(middle) > 0.3 * len(day.tickets)
    parties = traces.fives("p", 1.0, 2_000, traces.PARTIES)
    fives = sum(len(each.members) == 5 for each in parties.tickets)
    assert fives == pytest.approx(200, rel=0.25)


def test_figures_count_both_players_and_those_who_are_left() -> None:
    tickets = [ticket(n, 1, float(n), 1500.0 + 10 * n) for n in range(4)]
    trace = Trace(name="t", title="", tickets=tickets)
    one = Proposal(teams=((tickets[0],), (tickets[2],)))
    found = point(
        "p",
        "",
        Evening(trace=trace, played=[Played(at=2, proposal=one)], left=[tickets[1], tickets[3]]),
    )
    assert (found.gap, found.wait, found.left) == (20, (2 + 0 + 2 + 0) / 4, 2)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=9))
def test_a_batch_is_the_optimum(values: list[int]) -> None:
    waiting = [ticket(n, 1, float(n), float(value)) for n, value in enumerate(values)]
    found = Batches(5).choose(waiting, 0.0)
    assert len(found) == len(values) // 2

    def least(left: Sequence[int]) -> int:
        if len(left) < 2:
            return 0
        if len(left) % 2:
            return min(least([*left[:n], *left[n + 1 :]]) for n in range(len(left)))
        first, *rest = left
        return min(
            abs(first - other) + least([*rest[:n], *rest[n + 1 :]]) for n, other in enumerate(rest)
        )

    assert sum(abs(rating_of(a) - rating_of(b)) for a, b in (p.tickets for p in found)) == least(
        values
    )


def test_the_others_do_what_is_said_of_them() -> None:
    two = [ticket(0, 1, 0.0, 1500), ticket(1, 1, 15.0, 1590)]
    assert not Steps(oldest=False, nearest=False).choose(two, 20.0)
    assert Steps(oldest=True, nearest=False).choose(two, 20.0)
    assert Steps(oldest=False, nearest=False).choose(two, 25.0)
    quality = Quality()
    far = [ticket(0, 1, 0.0, 1500), ticket(1, 1, 0.0, 1500 + 260)]
    assert not quality.choose(far, 0.0)
    assert quality.choose(far, 60.0), "a pop was missed"
    timer = PopTimer(players=2)
    assert timer.next_pop(0.0, 0) == 45
    assert timer.next_pop(45.0, 9) == 45 + 25, "nine in 45 s are five in 25"


def test_games_of_neighbours_have_full_teams() -> None:
    trace = traces.fives("n", 5.0, 400, traces.PARTIES)
    found = evening(trace, Neighbours(5))
    assert len(found.played) > 20
    for played in found.played:
        assert [sum(len(each.members) for each in team) for team in played.proposal.teams] == [5, 5]
        names = [each.ticket_id for each in played.proposal.tickets]
        assert len(set(names)) == len(names)


def test_what_a_second_is_worth_gives_nearer_opponents_for_the_same_wait() -> None:
    """1.1 to 1.2 in the comparison; without the density it would be below 1."""
    trace = traces.steady("test", 3.0, 2_000)
    curve = [
        point(OURS, f"{worth}", evening(trace, Ours(mode(players=2, teams=2, worth=worth))))
        for worth in (5, 15, 50, 150)
    ]
    today = point(TODAY, "", evening(trace, Ours(mode(players=2, teams=2))))
    ratio = at_wait(curve, today)
    assert ratio is not None
    assert ratio > 1.05
    assert all(one.gap < two.gap and one.wait > two.wait for one, two in combinations(curve, 2))
    assert "second_is_worth" in pareto("T", {OURS: curve, TODAY: [today]})
