"""Closest ratings, in a window that widens while a player waits.

Tickets are served in the order of their waiting. Who is served takes the nearest free neighbours by
rating, all within the window of the one served, which alone decides. Who finds too few stays free
for those served later, whose windows are smaller or the same.

The free tickets stand in a doubly linked list in the order of their ratings, so that the nearest
neighbour is the one before or the one after. Two sorts and a binary search for each ticket, all of
them in vectors, tell beforehand who has enough neighbours at all: only those are served one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress

import numpy as np
import numpy.typing as npt

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import RatingRules
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.pairing import Pairing
from matchkeeper.matching.teams import balanced

_Floats = npt.NDArray[np.float64]
_ROUNDING = 1e-9
"""Who is this much (relative) beyond the window is looked at one by one, which decides."""


class _Line:
    """Free tickets by rating. Positions are 1 to n; 0 and n + 1 are the ends."""

    def __init__(self, ratings: list[float]) -> None:
        size = len(ratings)
        self.ratings = ratings
        self.before = list(range(-1, size + 1))
        self.after = list(range(1, size + 3))
        self.end = size + 1

    def remove(self, position: int) -> None:
        before, after = self.before[position], self.after[position]
        self.after[before] = after
        self.before[after] = before

    def nearest(self, anchor: int, wanted: int, window: float, rank: list[int]) -> list[int]:
        """Up to `wanted` free positions nearest to `anchor` within `window`, nearest first; of two
        equally near ones the longer-waiting (lower `rank`).
        """
        found: list[int] = []
        low, high, here = self.before[anchor], self.after[anchor], self.ratings[anchor - 1]
        infinite = float("inf")
        while len(found) < wanted:
            below = here - self.ratings[low - 1] if low > 0 else infinite
            above = self.ratings[high - 1] - here if high < self.end else infinite
            if min(below, above) > window or (low == 0 and high == self.end):
                break
            if below < above or (below == above and high < self.end and rank[low] < rank[high]):
                found.append(low)
                low = self.before[low]
            else:
                found.append(high)
                high = self.after[high]
        return found


def closest_ratings(
    tickets: Sequence[Ticket], now: float, *, rules: RatingRules, required_players: int, teams: int
) -> Pairing:
    """Proposals of players near in rating. `now` is Unix time in seconds; ratings are finite."""
    waiting = sorted(tickets, key=lambda ticket: ticket.enqueued_at)
    ratings = np.array(
        [rules.default_rating if each.rating is None else each.rating for each in waiting], float
    )
    by_rating = np.argsort(ratings, kind="stable")
    windows = _windows(rules, now - np.array([each.enqueued_at for each in waiting], float))
    anchors = _with_neighbours(ratings, by_rating, windows, required_players)
    if not anchors:
        return Pairing(proposals=(), unmatched=tuple(waiting))
    chosen = _choose(anchors, windows.tolist(), ratings, by_rating, required_players)
    free = np.ones(len(waiting), bool)
    free[[each for group in chosen for each in group]] = False
    return Pairing(
        proposals=tuple(_proposals(chosen, waiting, ratings.tolist(), teams)),
        unmatched=tuple(compress(waiting, free.tolist())),
    )


def _proposals(
    groups: Iterable[Sequence[int]],
    waiting: Sequence[Ticket],
    ratings: Sequence[float],
    teams: int,
) -> Iterator[Proposal]:
    for group in groups:
        players = [waiting[each] for each in group]
        yield Proposal(teams=balanced(players, [ratings[each] for each in group], teams))


def _windows(rules: RatingRules, waited_seconds: _Floats) -> _Floats:
    """As `RatingRules.window`, of many."""
    waited = np.maximum(0.0, waited_seconds)
    windows: _Floats = np.minimum(rules.maximum, rules.start + rules.growth_per_second * waited)
    if rules.anyone_after is not None:
        windows[waited >= rules.anyone_after.total_seconds()] = np.inf
    return windows


def _with_neighbours(
    ratings: _Floats, by_rating: npt.NDArray[np.intp], windows: _Floats, required_players: int
) -> list[int]:
    """Tickets that have enough others within their window, while all are free."""
    ordered = ratings[by_rating]
    reach = windows + _ROUNDING * (np.abs(ratings) + 1.0)
    low = np.searchsorted(ordered, ratings - reach, side="left")
    high = np.searchsorted(ordered, ratings + reach, side="right")
    found: list[int] = np.flatnonzero(high - low >= required_players).tolist()
    return found


def _choose(
    anchors: Sequence[int],
    windows: Sequence[float],
    ratings: _Floats,
    by_rating: npt.NDArray[np.intp],
    required_players: int,
) -> list[list[int]]:
    """Groups of tickets, by their places in the order of waiting; the one served comes first."""
    line = _Line(ratings[by_rating].tolist())
    # rank[position]: the ticket's place by waiting; position_of is its inverse.
    rank = [-1, *by_rating.tolist(), -1]
    inverse = np.empty(len(by_rating), np.intp)
    inverse[by_rating] = np.arange(1, len(by_rating) + 1)
    position_of = inverse.tolist()
    taken = bytearray(len(by_rating))
    groups: list[list[int]] = []
    for index in anchors:
        if taken[index]:
            continue
        found = line.nearest(position_of[index], required_players - 1, windows[index], rank)
        if len(found) < required_players - 1:
            continue
        group = [index, *(rank[position] for position in found)]
        for each in group:
            taken[each] = 1
            line.remove(position_of[each])
        groups.append(group)
    return groups
