"""How others pair two players: made anew from their public descriptions, in the simplest form.

Each takes its defaults, or what its own examples say. What has nothing to do with ratings (blocks,
manners of play, newcomers, regions) is left out; nobody is new.
"""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence

from bench.fair.traces import rating_of
from matchkeeper.domain.match import Proposal
from matchkeeper.domain.ticket import Ticket

Pair = tuple[int, int]


def _gap(one: Ticket, two: Ticket) -> float:
    return abs(rating_of(one) - rating_of(two))


def cheapest(count: int, costs: Iterable[tuple[int, int, float]]) -> list[Pair]:
    """As many pairs as possible, of all such choices the cheapest: the blossom algorithm."""
    # Of a dependency group of its own, that only `make fair` installs.
    import networkx as nx  # noqa: PLC0415

    edges = list(costs)
    most = max((cost for _, _, cost in edges), default=0.0) + 1
    graph = nx.Graph()
    graph.add_nodes_from(range(count))
    graph.add_weighted_edges_from((one, two, most - cost) for one, two, cost in edges)
    found = nx.max_weight_matching(graph, maxcardinality=True)
    return sorted((min(pair), max(pair)) for pair in found)


class _Timed(ABC):
    """Looks from time to time, whoever comes."""

    def arrived(self, ticket: Ticket) -> Ticket:
        """As it came."""
        return ticket

    def looks_now(self, waiting: int) -> bool:
        """Never."""
        del waiting
        return False

    def choose(self, waiting: Sequence[Ticket], now: float) -> list[Proposal]:
        """The pairs of this look."""
        return [
            Proposal(teams=((waiting[one],), (waiting[two],)))
            for one, two in self.pairs(waiting, now)
        ]

    @abstractmethod
    def pairs(self, waiting: Sequence[Ticket], now: float) -> Sequence[Pair]:
        """Places of who plays with whom."""


class Waves(_Timed):
    """The pool of lichess: a wave every so many seconds, or as soon as so many wait; in it as many
    pairs as there can be, with the least sum of what they cost: the gap less 12 points for each
    wave that both have missed. What costs more than a bound, about a fifteenth of the rating, is
    not played.
    """

    def __init__(self, every_seconds: float, players: int) -> None:
        self._every_seconds = every_seconds
        self._players = players
        self._missed = Counter[str]()
        self._rng = random.Random(1)

    def looks_now(self, waiting: int) -> bool:
        """When a wave is full."""
        return waiting >= self._players

    def next_look(self, now: float, waiting: int) -> float:
        """The next wave."""
        del waiting
        return now + self._every_seconds + self._rng.random()

    def pairs(self, waiting: Sequence[Ticket], now: float) -> Sequence[Pair]:
        """The cheapest of one wave."""
        del now
        costs = []
        for two, later in enumerate(waiting):
            for one, earlier in enumerate(waiting[:two]):
                cost = self._cost(earlier, later)
                if cost <= _bound(min(rating_of(earlier), rating_of(later))):
                    costs.append((one, two, cost))
        found = cheapest(len(waiting), costs)
        self._missed.update(each.ticket_id for each in waiting)
        return found

    def _cost(self, one: Ticket, two: Ticket) -> float:
        missed = min(self._missed[one.ticket_id], self._missed[two.ticket_id])
        # 30 for two players of good manners, as all are here.
        return _gap(one, two) - min(12 * missed, 400) - 30


def _bound(rating: float) -> float:
    return 130 if rating < 1000 else 100 if rating < 1500 else rating / 15


class Quality(_Timed):
    """Forged Alliance Forever: the queue pops when two and a half matches should be there; the best
    match first, where its quality is at least 80 % of that of a match with oneself, and 5 % less
    for each pop that was missed, up to 25 %. The quality is that of TrueSkill, for players whose
    ratings are known as well as they come to be.
    """

    _BETA, _SIGMA, _TOP = 240.0, 80.0, 2000.0

    def __init__(self) -> None:
        self.timer = PopTimer(players=2)
        self._missed = Counter[str]()
        variance = 2 * self._BETA**2 + 2 * self._SIGMA**2
        self._variance = variance
        self._own = math.sqrt(2 * self._BETA**2 / variance)

    def next_look(self, now: float, waiting: int) -> float:
        """The next pop."""
        return self.timer.next_pop(now, waiting)

    def pairs(self, waiting: Sequence[Ticket], now: float) -> Sequence[Pair]:
        """The best first."""
        del now
        least = [self._least(each) for each in waiting]
        found = []
        for two, later in enumerate(waiting):
            for one, earlier in enumerate(waiting[:two]):
                gap = _gap(earlier, later)
                quality = self._own * math.exp(-(gap**2) / (2 * self._variance))
                if quality >= max(least[one], least[two]):
                    found.append((-quality, one, two))
        taken: set[int] = set()
        pairs = []
        for _, one, two in sorted(found):
            if not {one, two} & taken:
                taken |= {one, two}
                pairs.append((one, two))
        self._missed.update(each.ticket_id for n, each in enumerate(waiting) if n not in taken)
        return pairs

    def _least(self, ticket: Ticket) -> float:
        missed = self._missed[ticket.ticket_id]
        top = rating_of(ticket) >= self._TOP
        lowered = min(0.15 * missed, 0.3) if top else min(0.05 * missed, 0.25)
        return max(0.8 * self._own - lowered, 0)


class PopTimer:
    """When the queue of Forged Alliance Forever pops: when two and a half matches should be there,
    by how many were there at the last five pops; after 15 seconds at least, 90 at most.
    """

    _LEAST_SECONDS, _MOST_SECONDS = 15.0, 90.0

    def __init__(self, *, players: int) -> None:
        self._wanted = 2.5 * players
        self._counts, self._times = deque[int](maxlen=5), deque[float](maxlen=5)
        self._last: float | None = None

    def next_pop(self, now: float, waiting: int) -> float:
        """When it pops next; it has just popped with so many players waiting."""
        if self._last is None:
            self._last = now
            return now + self._MOST_SECONDS / 2
        self._counts.append(waiting)
        self._times.append(now - self._last)
        self._last = now
        players = sum(self._counts)
        wanted = self._wanted * sum(self._times) / players if players else self._MOST_SECONDS
        return now + min(max(wanted, self._LEAST_SECONDS), self._MOST_SECONDS)


class Steps(_Timed):
    """FlexMatch: a rule that allows 50 points, 100 after 10 seconds, 200 after 20, 400 after 40, by
    the clock of the newest ticket of the match, its default, or of the oldest. Matches are built
    around the oldest ticket, with the next oldest that the rule allows, or, with a rule that sorts
    by distance, with the nearest.
    """

    _STEPS = ((40, 400.0), (20, 200.0), (10, 100.0), (0, 50.0))

    def __init__(self, *, oldest: bool, nearest: bool) -> None:
        self._clock: Callable[[float, float], float] = max if oldest else min
        self._nearest = nearest

    def next_look(self, now: float, waiting: int) -> float:
        """Every second."""
        del waiting
        return now + 1.0

    def pairs(self, waiting: Sequence[Ticket], now: float) -> Sequence[Pair]:
        """Around the oldest first."""
        free, found = dict(enumerate(waiting)), []
        for one, ticket in enumerate(waiting):
            if free.pop(one, None) is None:
                continue
            fits = [
                two
                for two, other in free.items()
                if _gap(ticket, other)
                <= self._limit(self._clock(now - ticket.enqueued_at, now - other.enqueued_at))
            ]
            if not fits:
                continue
            by_gap = sorted(fits, key=lambda two: _gap(ticket, waiting[two]))
            two = by_gap[0] if self._nearest else fits[0]
            del free[two]
            found.append((one, two))
        return found

    def _limit(self, waited: float) -> float:
        return next(limit for seconds, limit in self._STEPS if waited >= seconds)


class FirstIn(_Timed):
    """Open Match, as its examples use it: every five seconds, in the order of arrival, with the
    first one who is within 100 points.
    """

    _WITHIN, _EVERY_SECONDS = 100.0, 5.0

    def next_look(self, now: float, waiting: int) -> float:
        """When the director fetches again."""
        del waiting
        return now + self._EVERY_SECONDS

    def pairs(self, waiting: Sequence[Ticket], now: float) -> Sequence[Pair]:
        """The first who fit."""
        del now
        taken: set[int] = set()
        found = []
        for one, ticket in enumerate(waiting):
            if one in taken:
                continue
            for two in range(one + 1, len(waiting)):
                if two not in taken and _gap(ticket, waiting[two]) <= self._WITHIN:
                    taken |= {one, two}
                    found.append((one, two))
                    break
        return found


class Batches(_Timed):
    """The optimum of each batch: every so many seconds everybody is paired (of an odd number, one
    is left out) with the least sum of gaps. On a line neighbours play, and the one is left out who
    saves most.
    """

    def __init__(self, every_seconds: float) -> None:
        self._every_seconds = every_seconds

    def next_look(self, now: float, waiting: int) -> float:
        """The next batch."""
        del waiting
        return now + self._every_seconds

    def pairs(self, waiting: Sequence[Ticket], now: float) -> Sequence[Pair]:
        """Neighbours by rating."""
        del now
        order = sorted(range(len(waiting)), key=lambda each: rating_of(waiting[each]))
        if len(order) % 2:
            del order[_spare([rating_of(waiting[each]) for each in order])]
        return list(zip(order[::2], order[1::2], strict=True))


def _spare(ratings: Sequence[float]) -> int:
    """The place in an odd number of ascending ratings without which pairs of neighbours are
    nearest: those before it pair up from the left, those behind it from the right.
    """
    costs = [0.0]
    for place in range(0, len(ratings) - 1, 2):
        left_before = ratings[place + 1] - ratings[place]
        left_behind = ratings[place + 2] - ratings[place + 1]
        costs.append(costs[-1] + left_before - left_behind)
    return 2 * costs.index(min(costs))
