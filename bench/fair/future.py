"""The bound: who knows everybody who will come can do no better."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.fair.evening import Evening, Played
from bench.fair.others import cheapest
from bench.fair.traces import Trace, rating_of
from matchkeeper.domain.match import Proposal

_NEAREST = 16


def foreseen(trace: Trace, worth: float) -> Evening:
    """Everybody is paired so that gaps, and waits at `worth` points a second, add up to least; a
    pair plays as soon as the later one is there. Each is tried with those who cost least.
    """
    tickets = trace.tickets
    ratings = np.array([rating_of(each) for each in tickets])
    times = np.array([each.enqueued_at for each in tickets])
    costs: set[tuple[int, int, float]] = set()
    for one in range(len(tickets)):
        cost = np.abs(ratings - ratings[one]) + worth * np.abs(times - times[one])
        for two in np.argsort(cost)[: _NEAREST + 1].tolist():
            if two != one:
                costs.add((min(one, two), max(one, two), float(cost[two])))
    pairs: Sequence[tuple[int, int]] = cheapest(len(tickets), sorted(costs))
    paired = {each for pair in pairs for each in pair}
    return Evening(
        trace=trace,
        played=[
            Played(
                at=float(times[two]), proposal=Proposal(teams=((tickets[one],), (tickets[two],)))
            )
            for one, two in pairs
        ],
        left=[each for number, each in enumerate(tickets) if number not in paired],
    )
