"""What came of an evening, in figures, and how two policies compare at the same wait."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from bench.fair.evening import Evening, Played
from bench.fair.traces import Trace, rating_of
from matchkeeper.domain.ticket import Ticket

_BEGINNING = 0.1
"""Who comes in this part of the evening does not count: the queue was empty."""
_RARE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One policy with one setting, on one trace. Waits in seconds, of tickets; of those left at the
    end, too. Gaps in rating points, of the tickets of a match: the highest less the lowest.
    """

    policy: str
    setting: str
    wait: float
    late_wait: float
    """The 95th percentile, as are the others called late."""
    gap: float
    late_gap: float
    largest_gap: float
    team_gap: float
    """Between the means of the strongest and the weakest team."""
    left: int
    rare_wait: float
    rare_late_wait: float
    rare_longest_wait: float
    rare_gap: float
    """Of the hundredth with the highest and the hundredth with the lowest ratings."""


def point(policy: str, setting: str, found: Evening) -> Point:
    """The figures of an evening in which somebody was matched."""
    trace = found.trace
    first = trace.tickets[int(_BEGINNING * len(trace.tickets))].enqueued_at
    counted = [each for each in _seen(found) if each.ticket.enqueued_at >= first]
    waits = [each.wait for each in counted]
    gaps = [_spread(each.played) for each in counted if each.played]
    low, high = _rare_bounds(trace)
    rare = [each for each in counted if not low < rating_of(each.ticket) < high]
    rare_waits = [each.wait for each in rare]
    return Point(
        policy=policy,
        setting=setting,
        wait=fmean(waits),
        late_wait=late(waits),
        gap=fmean(gaps),
        late_gap=late(gaps),
        largest_gap=max(gaps),
        team_gap=fmean([_team_gap(each.played) for each in counted if each.played]),
        left=len(found.left),
        rare_wait=fmean(rare_waits),
        rare_late_wait=late(rare_waits),
        rare_longest_wait=max(rare_waits),
        rare_gap=fmean([_spread(each.played) for each in rare if each.played] or [math.nan]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What became of a ticket."""

    ticket: Ticket
    wait: float
    played: Played | None


def _seen(found: Evening) -> list[_Seen]:
    matched = [
        _Seen(ticket=ticket, wait=played.at - ticket.enqueued_at, played=played)
        for played in found.played
        for ticket in played.proposal.tickets
    ]
    end = found.trace.seconds
    return matched + [
        _Seen(ticket=ticket, wait=end - ticket.enqueued_at, played=None) for ticket in found.left
    ]


def _rare_bounds(trace: Trace) -> tuple[float, float]:
    ratings = sorted(map(rating_of, trace.tickets))
    place = int(_RARE * len(ratings))
    return ratings[place], ratings[-1 - place]


def late(values: Sequence[float]) -> float:
    """The 95th percentile."""
    return sorted(values)[int(0.95 * (len(values) - 1))]


def _spread(played: Played) -> float:
    ratings = list(map(rating_of, played.proposal.tickets))
    return max(ratings) - min(ratings)


def _team_gap(played: Played) -> float:
    means = []
    for team in played.proposal.teams:
        if not team:
            return 0.0  # one party, divided among the teams
        players = sum(len(each.members) for each in team)
        means.append(sum(rating_of(each) * len(each.members) for each in team) / players)
    return max(means) - min(means)


def at_wait(curve: Sequence[Point], other: Point) -> float | None:
    """Their mean gap over that of the `curve` at the same mean wait; None beyond its ends."""
    return _ratio([(each.wait, each.gap) for each in curve], other.wait, other.gap)


def at_late_wait(curve: Sequence[Point], other: Point) -> float | None:
    """As `at_wait`, of the late gap at the same late wait."""
    known = [(each.late_wait, each.late_gap) for each in curve]
    return _ratio(known, other.late_wait, other.late_gap)


def _ratio(known: Sequence[tuple[float, float]], wait: float, gap: float) -> float | None:
    """Between two points of a curve it is a line of logarithms."""
    ordered = sorted(known)
    if not ordered[0][0] <= wait <= ordered[-1][0]:
        return None
    waits, gaps = (np.log([each[n] for each in ordered]) for n in (0, 1))
    return gap / math.exp(float(np.interp(math.log(wait), waits, gaps)))
