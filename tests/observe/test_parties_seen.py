"""What operators see of parties: gauges count players, and waits are told by their number."""

from __future__ import annotations

from collections.abc import Sequence

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Ticket
from matchkeeper.observe.board.recorder import Board
from matchkeeper.observe.board.snapshot import snapshot
from matchkeeper.observe.facts import Facts
from matchkeeper.observe.metrics import Metrics
from matchkeeper.store.committing import CommitReply
from matchkeeper.store.matches import Committed, NewMatch
from matchkeeper.wire.offers import Found
from tests.observe.test_board import NOW
from tests.support.tickets import lone, party

FIVES = GameMode(name="Fives", required_players=10, teams=2)


def waits(metrics: Metrics, players: str) -> tuple[float | None, float | None]:
    """How many tickets of that size waited, and how many seconds in all."""
    labels = {"mode": "Fives", "players": players}
    found = metrics.registry.get_sample_value
    name = "matchkeeper_ticket_wait_seconds"
    return found(f"{name}_count", labels), found(f"{name}_sum", labels)


def committed(facts: Facts, teams: Sequence[Sequence[Ticket]], now: float) -> None:
    """As `Offers` tells it."""
    tickets = tuple([each for team in teams for each in team])
    match = NewMatch(
        match_id="m",
        tickets=tickets,
        team_sizes=tuple(map(len, teams)),
        offer=(),
        notices=Found("", ()),
    )
    facts.match_committed(
        mode=FIVES,
        made=[Committed(match=match, reply=CommitReply.COMMITTED)],
        waits_seconds=[now - each.enqueued_at for each in tickets for _ in each.members],
    )


def test_players_are_counted_not_tickets() -> None:
    metrics, board = Metrics(), Board(clock=lambda: 1.0, wall=lambda: 1.0)
    facts = Facts((*metrics.hears(), *board.hears()))
    facts.mode_served(mode="Fives", required_players=10)

    def waiting() -> tuple[float | None, int]:
        found = metrics.registry.get_sample_value("matchkeeper_queue_length", {"mode": "Fives"})
        return found, board.queues["Fives"].waiting

    facts.queue_read(mode="Fives", length=3, more=4)
    assert waiting() == (7, 7)
    facts.queue_read(mode="Fives", length=4)
    assert waiting() == (8, 8), "a look at the length alone knows nothing new of parties"
    facts.queue_read(mode="Fives", length=0)
    assert waiting() == (0, 0)
    facts.queue_read(mode="Fives", length=3, more=0)
    assert waiting() == (3, 3)


def test_the_page_has_waits_by_the_size_of_the_party_once_one_was_matched() -> None:
    now = 100.0
    board = Board(clock=lambda: now, wall=lambda: now)
    facts = Facts(board.hears())
    facts.mode_served(mode="Fives", required_players=10)

    def seen() -> dict[str, tuple[int, float | None, float | None]]:
        (queue,) = snapshot(board, [FIVES], NOW).queues
        return {each.size: (each.tickets, each.median, each.p95) for each in queue.parties}

    five = [lone(f"p{number}", since=90.0) for number in range(5)]
    committed(facts, [five, five], now=now)
    assert seen() == {}, "nothing is shown where all are alone"
    pairs = [party(f"x{number}", 2, since=98.0 - number) for number in range(2)]
    committed(facts, [[party("y", 5, since=95.0)], [*pairs, five[0]]], now=now)
    assert seen() == {"1": (1, 10.0, 10.0), "2": (2, 2.0, 3.0), "5": (1, 5.0, 5.0)}
    committed(facts, [[party("z", 10, since=99.0)], []], now=now)
    assert list(seen()) == ["1", "2", "5", "more"]
    now += 301
    assert seen() == {}, "of the last five minutes"


def test_waits_are_told_by_the_number_of_players_once_parties_play() -> None:
    metrics = Metrics()
    facts = Facts(metrics.hears())
    five = [lone(f"p{number}", since=90.0) for number in range(5)]
    committed(facts, [five, five], now=100.0)
    assert waits(metrics, "1") == (None, None), "nothing is counted where all are alone"
    pair, lonely = (
        party("y", 2, since=98.0),
        [lone(f"q{number}", since=90.0) for number in range(3)],
    )
    committed(facts, [[party("x", 5, since=95.0)], [pair, *lonely]], now=100.0)
    assert waits(metrics, "5") == (1, 5.0)
    assert waits(metrics, "2") == (1, 2.0)
    assert waits(metrics, "1") == (3, 30.0)
    committed(facts, [[party("z", 10, since=99.0)], []], now=100.0)
    assert waits(metrics, "more") == (1, 1.0)
