"""Closest ratings, in a window that widens while a player waits.

Tickets are served in the order of their waiting. Who is served takes the nearest free neighbours by
rating, all within the window of the one served, which alone decides. Who finds too few stays free
for those served later, whose windows are smaller or the same.

The free tickets stand in a doubly linked list in the order of their ratings, so that the nearest
neighbour is the one before or the one after: a round is two sorts and one pass.
"""

from __future__ import annotations

from collections.abc import Sequence

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import RatingRules
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.pairing import Pairing
from matchkeeper.matching.teams import balanced


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
    ratings = [
        rules.default_rating if ticket.rating is None else ticket.rating for ticket in waiting
    ]
    by_rating = sorted(range(len(waiting)), key=lambda index: ratings[index])
    line = _Line([ratings[index] for index in by_rating])
    # rank[position]: the ticket's place by waiting; position_of is its inverse.
    rank = [-1, *by_rating, -1]
    position_of = [0] * len(waiting)
    for position, index in enumerate(by_rating, start=1):
        position_of[index] = position
    taken = bytearray(len(waiting))
    proposals: list[Proposal] = []
    for index, ticket in enumerate(waiting):
        if taken[index]:
            continue
        window = rules.window(now - ticket.enqueued_at)
        anchor = position_of[index]
        found = line.nearest(anchor, required_players - 1, window, rank)
        if len(found) < required_players - 1:
            continue
        chosen = [index, *(rank[position] for position in found)]
        for each in chosen:
            taken[each] = 1
            line.remove(position_of[each])
        proposals.append(
            Proposal(
                teams=balanced(
                    [waiting[each] for each in chosen], [ratings[each] for each in chosen], teams
                )
            )
        )
    free = tuple(ticket for index, ticket in enumerate(waiting) if not taken[index])
    return Pairing(proposals=tuple(proposals), unmatched=free)
