"""Closest ratings, in a window that widens while a player waits.

Tickets are served in order, longest waiting first. Each takes the nearest free neighbours by
rating, all within its own window: no other window counts. A ticket that finds too few stays free
for tickets served later, whose windows are smaller or the same.

The free tickets stand in a doubly linked list in the order of their ratings, so that the nearest
neighbour is the one before or the one after, and a whole group is a run of the list. Two sorts and
a binary search for each ticket, all of them in vectors, find beforehand the tickets that have
enough neighbours at all: only these are served one by one.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import RatingRules
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.pairing import Pairing
from matchkeeper.matching.splits import Full, divided

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]
_PORTION = 500
ROUNDING = 1e-9
"""Ratings up to this much (relative) beyond the window are checked one by one, which decides."""


def closest_ratings(
    tickets: Sequence[Ticket], now: float, *, rules: RatingRules, required_players: int, teams: int
) -> Pairing:
    """Proposals of players near in rating. `now` is Unix time in seconds; ratings are finite."""
    waiting, since, ratings = by_waiting(tickets, rules.default_rating)
    by_rating = np.argsort(ratings, kind="stable")
    windows = windows_of(rules, now - since)
    anchors = _with_neighbours(ratings[by_rating], windows[by_rating], by_rating, required_players)
    if not anchors:
        return Pairing(proposals=(), unmatched=tuple(waiting))
    chosen = _choose(anchors, windows, ratings, by_rating, required_players)
    free = np.ones(len(waiting), bool)
    free[chosen] = False
    return Pairing(
        proposals=tuple(_proposals(chosen, waiting, ratings, required_players, teams)),
        unmatched=tuple(compress(waiting, free.tolist())),
    )


def by_waiting(
    tickets: Sequence[Ticket], default_rating: float
) -> tuple[Sequence[Ticket], Floats, Floats]:
    """Tickets, longest waiting first, with their enqueue times and ratings."""
    since, ratings = np.empty(len(tickets)), np.empty(len(tickets))
    # Each ticket is read once: in a long queue that takes longer than everything that follows.
    for first in range(0, len(tickets), _PORTION):
        some = tickets[first : first + _PORTION]
        since[first : first + _PORTION] = [each.enqueued_at for each in some]
        ratings[first : first + _PORTION] = [
            default_rating if (own := each.rating) is None else own for each in some
        ]
    if np.all(since[:-1] <= since[1:]):
        return tickets, since, ratings
    order = np.argsort(since, kind="stable")
    return [tickets[each] for each in order.tolist()], since[order], ratings[order]


def _proposals(
    chosen: Sequence[int],
    waiting: Sequence[Ticket],
    ratings: Floats,
    required_players: int,
    teams: int,
) -> Iterator[Proposal]:
    """One for each `required_players` of the chosen."""
    if teams == required_players:
        alone = iter([(waiting[each],) for each in chosen])
        yield from (Proposal(teams=group) for group in zip(*[alone] * teams, strict=True))
        return
    groups = [
        chosen[first : first + required_players]
        for first in range(0, len(chosen), required_players)
    ]
    matches = [Full([waiting[each] for each in group], ratings[group].tolist()) for group in groups]
    size = required_players // teams
    yield from (Proposal(teams=each) for each in divided(matches, teams, size))


def windows_of(rules: RatingRules, waited_seconds: Floats) -> Floats:
    """As `RatingRules.window`, of many."""
    waited = np.maximum(0.0, waited_seconds)
    windows: Floats = np.minimum(rules.maximum, rules.start + rules.growth_per_second * waited)
    if rules.anyone_after is not None:
        windows[waited >= rules.anyone_after.total_seconds()] = np.inf
    return windows


def _with_neighbours(
    ordered: Floats, windows: Floats, by_rating: Places, required_players: int
) -> list[int]:
    """Tickets that have enough others within the window while all are free, longest waiting first.
    `ordered` are the ratings and `windows` the windows, both in the order `by_rating`.
    """
    reach = windows + ROUNDING * (np.abs(ordered) + 1.0)
    low = np.searchsorted(ordered, ordered - reach, side="left")
    high = np.searchsorted(ordered, ordered + reach, side="right")
    found: list[int] = np.sort(by_rating[high - low >= required_players]).tolist()
    return found


def _choose(
    anchors: Sequence[int],
    windows: Floats,
    ratings: Floats,
    by_rating: Places,
    required_players: int,
) -> list[int]:
    """Groups of `required_players`, as places in the order of waiting. The ticket served comes
    first, then the nearest; of two equally near tickets the longer waiting one.
    """
    # Positions are 1 to n, by rating; beyond both ends nobody is in reach. These are arrays, a
    # fifth as large as lists: in a long queue, access to memory takes the time.
    size, nobody = len(by_rating), [np.inf]
    rating = column("d", np.concatenate((np.negative(nobody), ratings[by_rating], nobody)))
    who = column("i", np.concatenate(([-1], by_rating, [-1])))
    before, after = column("i", np.arange(-1, size + 1)), column("i", np.arange(1, size + 3))
    inverse = np.empty(size, np.intc)
    inverse[by_rating] = np.arange(1, size + 1)
    position_of = column("i", inverse)
    window_of = column("d", np.minimum(windows, np.finfo(float).max))
    taken = bytearray(size)
    chosen: list[int] = []
    for index in anchors:
        if taken[index]:
            continue
        here = position_of[index]
        low, high, own, window = before[here], after[here], rating[here], window_of[index]
        group = [index]
        for _ in range(required_players - 1):
            below, above = own - rating[low], rating[high] - own
            if below < above or (below == above and who[low] < who[high]):
                if below > window:
                    break
                group.append(who[low])
                low = before[low]
            else:
                if above > window:
                    break
                group.append(who[high])
                high = after[high]
        else:
            after[low], before[high] = high, low
            for each in group:
                taken[each] = 1
            chosen += group
    return chosen


def column(kind: str, values: npt.NDArray[Any]) -> array[Any]:
    """The values as an array of Python, whose items are read faster than numpy's."""
    column: array[Any] = array(kind)
    column.frombytes(values.astype(kind).tobytes())
    return column
