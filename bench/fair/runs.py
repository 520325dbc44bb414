"""Every policy on every trace."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

import numpy as np

from bench.fair import traces
from bench.fair.evening import Policy, evening
from bench.fair.figures import Point, point
from bench.fair.future import foreseen
from bench.fair.others import Batches, FirstIn, Quality, Steps, Waves
from bench.fair.ours import Ours, mode
from bench.fair.teams import Neighbours
from bench.fair.traces import Trace, rating_of
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.strategy import strategy_for

OURS, TODAY, FUTURE = "second_is_worth", "windows (defaults)", "knows the future"
_WORTHS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
_FUTURE_WORTHS = (1, 4, 20)
_BATCHES = (1, 2, 5, 10, 20, 40, 80)
Shown = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How much of everything."""

    players: int = 2_500
    foreseen: int = 120
    """Players for whom the future is known: the time grows with their cube."""
    fives: int = 2_500
    backlogs: tuple[int, ...] = (100, 1_000, 10_000)
    lengths: tuple[int, ...] = (100_000,)


FULL = Amount(
    players=20_000, foreseen=600, fives=15_000,
    backlogs=(100, 1_000, 10_000, 100_000), lengths=(100_000, 1_000_000),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One trace, and what each policy made of it."""

    trace: Trace
    curves: Mapping[str, Sequence[Point]]


def pairs(amount: Amount, show: Shown) -> Iterator[Found]:
    """All traces of one against one."""
    for trace in (
        traces.steady("quiet", 0.2, amount.players),
        traces.steady("usual", 1.0, amount.players),
        traces.steady("busy", 10.0, amount.players),
        traces.day("day", amount.players),
        traces.steady("experts", 1.0, amount.players, experts=True),
    ):
        show(trace.title)
        curves: dict[str, list[Point]] = {}
        for name, setting, make in _pairers():
            found = evening(trace, make())
            if found.played:
                curves.setdefault(name, []).append(point(name, setting, found))
        start = replace(trace, tickets=trace.tickets[: amount.foreseen])
        curves[FUTURE] = [
            point(FUTURE, f"{worth:g}", foreseen(start, worth)) for worth in _FUTURE_WORTHS
        ]
        yield Found(trace=trace, curves=curves)


def _pairers() -> Iterator[tuple[str, str, Callable[[], Policy]]]:
    """Name, setting, and how to make each policy for two players."""
    for worth in _WORTHS:
        yield OURS, f"{worth:g}", partial(Ours, mode(players=2, teams=2, worth=worth))
    yield TODAY, "", partial(Ours, mode(players=2, teams=2))
    yield "lichess", "10 s, 30 players", partial(Waves, 10, 30)
    yield "lichess", "60 s, 16 players", partial(Waves, 60, 16)
    yield "FAF", "", Quality
    for oldest in (False, True):
        for nearest in (False, True):
            setting = f"{'oldest' if oldest else 'newest'}{', nearest' if nearest else ''}"
            yield "FlexMatch", setting, partial(Steps, oldest=oldest, nearest=nearest)
    yield "Open Match", "", FirstIn
    for seconds in _BATCHES:
        yield "batches", f"{seconds:g} s", partial(Batches, seconds)


def fives(amount: Amount, show: Shown) -> Iterator[Found]:
    """Five against five, alone and with parties."""
    for trace in (
        traces.fives("fives", 2.0, amount.fives, {1: 1.0}),
        traces.fives("parties", 1.0, amount.fives, traces.PARTIES),
    ):
        show(trace.title)
        five = mode(players=10, teams=2)
        curves = {
            name: [point(name, "", evening(trace, policy))]
            for name, policy in ((TODAY, Ours(five)), ("FAF", Neighbours(5)))
        }
        yield Found(trace=trace, curves=curves)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """One round over a queue that has waited for a minute."""

    tickets: int
    optimum: float
    """The least mean gap if everybody is paired."""
    ours: float
    ours_matched: float
    today: float
    today_matched: float


def backlogs(amount: Amount, show: Shown) -> Iterator[Backlog]:
    """How near the pairs of one round are."""
    for count in amount.backlogs:
        show(f"a backlog of {count:,}")
        queue = crowd(count, waited=60.0)
        ordered = sorted(map(rating_of, queue))
        found = [_paired(queue, worth) for worth in (5.0, None)]
        yield Backlog(
            tickets=count,
            optimum=fmean(b - a for a, b in zip(ordered[::2], ordered[1::2], strict=True)),
            ours=found[0][0],
            ours_matched=found[0][1],
            today=found[1][0],
            today_matched=found[1][1],
        )


def crowd(count: int, *, waited: float) -> list[Ticket]:
    """Players alone who have waited that long at 0, a microsecond more for each further one."""
    rng = random.Random(count)
    return [
        traces.ticket(n, 1, -waited - n * 1e-6, rng.gauss(traces.MEAN, traces.SPREAD))
        for n in range(count)
    ]


def _paired(queue: Sequence[Ticket], worth: float | None) -> tuple[float, float]:
    """The mean gap, and the share of those who are matched."""
    strategy = strategy_for(mode(players=2, teams=2, worth=worth))
    matches = strategy(queue, 0.0, parties=False).proposals
    gaps = [abs(rating_of(a) - rating_of(b)) for a, b in (each.tickets for each in matches)]
    return fmean(gaps), 2 * len(gaps) / len(queue)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Processor time of one round, in units of the time to sort a million numbers."""

    what: str
    tickets: int
    units: float
    unit_seconds: float
    matched: float


def costs(amount: Amount, show: Shown) -> Iterator[Cost]:
    """The least of three, in turns with the sorting."""
    numbers = np.random.default_rng(1).random(1_000_000)
    ways = (
        ("second_is_worth, two players", mode(players=2, teams=2, worth=5)),
        ("windows, two players", mode(players=2, teams=2)),
        ("windows, five against five", mode(players=10, teams=2)),
    )
    for count in amount.lengths:
        show(f"rounds over {count:,} tickets")
        queue = crowd(count, waited=1.0)
        for what, each in ways:
            run = partial(strategy_for(each), queue, 0.0, parties=False)
            times, units = [], []
            for _ in range(3):
                units.append(_seconds(partial(np.argsort, numbers)))
                times.append(_seconds(run))
            yield Cost(
                what=what,
                tickets=count,
                units=min(times) / min(units),
                unit_seconds=min(units),
                matched=1 - len(run().unmatched) / count,
            )


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
