"""Closest ratings where parties wait: as without them, and each match is filled exactly.

Tickets are served in order, longest waiting first; a party counts with its mean rating. Each takes
the nearest free neighbours that make a full match with it, all within its own window. Tickets of
each size stand in a line of their own, in the order of their ratings, since of two tickets of one
size only the nearer is ever needed first.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence

import numpy as np

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import RatingRules
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.filling import Candidate, filled
from matchkeeper.matching.pairing import Pairing
from matchkeeper.matching.rating import (
    ROUNDING,
    Floats,
    Places,
    by_waiting,
    column,
    windows_of,
)
from matchkeeper.matching.room import Searches, amounts_of
from matchkeeper.matching.splits import Full, divided


def closest_with_parties(
    tickets: Sequence[Ticket], now: float, *, rules: RatingRules, teams: int, size: int
) -> Pairing:
    """Proposals of tickets near in rating. `now` is Unix time in seconds; ratings are finite. No
    ticket has more players than a team, `size`.
    """
    waiting, since, ratings = by_waiting(tickets, rules.default_rating)
    windows = np.minimum(windows_of(rules, now - since), np.finfo(float).max)
    players = np.fromiter([len(each.members) for each in waiting], np.intp, len(waiting))
    by_rating = np.argsort(ratings, kind="stable")
    lines = [
        _Line(each, by_rating[players[by_rating] == each], ratings)
        for each in np.unique(players).tolist()
    ]
    searches = Searches(teams=teams, size=size)
    rating_of, window_of, size_of = ratings.tolist(), windows.tolist(), players.tolist()
    taken = bytearray(len(waiting) + 1)
    matches = []
    for number in _hopeful(
        lines, ratings, windows, players=players, by_rating=by_rating, searches=searches
    ):
        if taken[number]:
            continue
        own, window = rating_of[number], window_of[number]
        near = {line.size: line.near(number, own, window, taken) for line in lines}
        found = filled((0.0, number, size_of[number]), near, searches)
        if found is None:
            continue
        for each in found.numbers:
            taken[each] = 1
        group = [waiting[each] for each in found.numbers]
        own_ratings = [rating_of[each] for each in found.numbers]
        matches.append(Full(group, own_ratings, found.placed))
    unmatched = [ticket for ticket, gone in zip(waiting, taken, strict=False) if not gone]
    proposals = tuple([Proposal(teams=each) for each in divided(matches, teams, size)])
    return Pairing(proposals=proposals, unmatched=tuple(unmatched))


class _Line:
    """All tickets of one size, in the order of their ratings; beyond both ends is nobody."""

    def __init__(self, size: int, numbers: Places, ratings: Floats) -> None:
        """`numbers` of the tickets, in the order of their ratings."""
        self.size = size
        self.ratings = ratings[numbers]
        count, nobody, beyond = len(numbers), [len(ratings)], [np.inf]
        self._rating = column("d", np.concatenate((np.negative(beyond), self.ratings, beyond)))
        self._who = column("i", np.concatenate((nobody, numbers, nobody)))
        # The next place to look at. It leads past tickets that are taken.
        self._before = column("i", np.arange(-1, count + 1))
        self._after = column("i", np.arange(1, count + 3))

    def near(self, anchor: int, own: float, window: float, taken: bytearray) -> Iterator[Candidate]:
        """Free tickets but the anchor, nearest to its `own` rating first, within its window."""
        rating, who, before, after, size = (
            self._rating, self._who, self._before, self._after, self.size,
        )  # fmt: skip
        high = bisect_left(rating, own, 1, len(rating) - 1)
        low = high - 1
        while True:
            if taken[who[low]] or who[low] == anchor:
                low = self._free(before, low, anchor, taken)
            if taken[who[high]] or who[high] == anchor:
                high = self._free(after, high, anchor, taken)
            below, above = own - rating[low], rating[high] - own
            if below < above or (below == above and who[low] < who[high]):
                if not below <= window:
                    return
                yield below, who[low], size
                low = before[low]
            else:
                if not above <= window:
                    return
                yield above, who[high], size
                high = after[high]

    def _free(self, links: array[int], place: int, anchor: int, taken: bytearray) -> int:
        """The next place of a free ticket that is not the anchor. Shortens the way there."""
        who = self._who
        while True:
            while taken[who[place]]:
                further = links[place]
                if taken[who[further]]:
                    links[place] = further = links[further]
                place = further
            if who[place] != anchor:
                return place
            place = links[place]


def _hopeful(
    lines: Sequence[_Line],
    ratings: Floats,
    windows: Floats,
    *,
    players: Places,
    by_rating: Places,
    searches: Searches,
) -> list[int]:
    """Tickets that are in a full match while all are free, longest waiting first."""
    ordered, sizes = ratings[by_rating], players[by_rating]
    reach = windows[by_rating] + ROUNDING * (np.abs(ordered) + 1.0)
    amounts, kind = [], sizes.astype(np.int64)
    for line in lines:
        low = np.searchsorted(line.ratings, ordered - reach, side="left")
        high = np.searchsorted(line.ratings, ordered + reach, side="right")
        most = searches.teams * searches.size // line.size
        amounts.append(np.minimum(high - low, most))
        kind = np.unique(kind * (most + 1) + amounts[-1], return_inverse=True)[1]
    _, first = np.unique(kind, return_index=True)
    hope = [
        _hope(
            int(sizes[each]),
            {line.size: int(count[each]) for line, count in zip(lines, amounts, strict=True)},
            searches,
        )
        for each in first.tolist()
    ]
    found: list[int] = np.sort(by_rating[np.array(hope, bool)[kind]]).tolist()
    return found


def _hope(size: int, amounts: dict[int, int], searches: Searches) -> bool:
    """Whether tickets in reach, `amounts` by their size, may make a full match with one of size
    `size`, which is among them.
    """
    lone = amounts.get(1, 0)
    amounts[size] -= 1
    parties = (size,) if size > 1 else ()
    return not searches.never(parties, amounts_of(amounts), least=int(size == 1), most=lone)
