"""A round tells its strategy whether parties wait, and counts players."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.strategy import Pairing
from matchkeeper.observe.facts import Facts
from matchkeeper.observe.metrics import Metrics
from matchkeeper.queue.round import Round
from matchkeeper.queue.view import View
from tests.support.runtimes import runtime
from tests.support.tickets import lone, party

FIVES = GameMode(name="Fives", required_players=10, teams=2)


async def _expire(mode: GameMode, tickets: Sequence[Ticket], now: float) -> Sequence[Ticket]:
    del mode, now
    return tickets


async def _nothing() -> None:
    return


@pytest.mark.parametrize("parties", [True, False])
async def test_a_round_over_tickets_of_several_players(parties: bool) -> None:
    tickets = [party("x", 5), lone("p1")] if parties else [lone("p1"), lone("p2")]
    told: list[bool] = []
    metrics = Metrics()

    def strategy(tickets: Sequence[Ticket], now: float, *, parties: bool = True) -> Pairing:
        del now
        told.append(parties)
        return Pairing(proposals=(), unmatched=tuple(tickets))

    async def read() -> View:
        found = {each.ticket_id.encode(): each for each in tickets}
        return View(queue_length=2, tickets=found, has_parties=parties)

    view: Any = SimpleNamespace(read=read, refresh=_nothing, unmatched=lambda _: None)
    other: Any = SimpleNamespace(
        expire=_expire, paused=lambda _: False, holding=False, at_once=lambda _: 1
    )
    facts = Facts(metrics.hears())
    round_ = Round(
        FIVES, strategy, view, runtime(facts),
        offers=other, departures=other, pods=other, game_servers=other, fleet=other,
    )  # fmt: skip
    await round_.run()
    assert told == [parties]
    waiting = metrics.registry.get_sample_value("matchkeeper_queue_length", {"mode": "Fives"})
    assert waiting == (6 if parties else 2)
