"""Pairs of players by what a second of waiting is worth.

Each ticket has a window: the gap that it would rather take than wait for somebody nearer. It opens
at what is best where so many players come as where it stands, and widens by what half of its
waiting is worth. Of all ways to pair some and leave the others, the one is chosen whose gaps and
whose windows of those left out, halved, add up to least. So two meet only if their gap is at most
the mean of their windows.

On a line such a choice is found by sorting and one scan. Whoever is matched alternately begins a
pair and ends it, in the order of the ratings. What the best choice up to a ticket costs while a
pair is open, less what it costs while none is, is all that the scan has to remember.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress

import numpy as np
import numpy.typing as npt

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import RatingRules
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.pairing import Pairing
from matchkeeper.matching.rating import Floats, Places, by_waiting


def worth_waiting(
    tickets: Sequence[Ticket], now: float, *, rules: RatingRules, worth: float, teams: int
) -> Pairing:
    """Proposals of two lone players each, the longest waiting first. `now` is Unix time in seconds;
    `worth`: rating points for a second. No gap is larger than `rules.maximum`.
    """
    waiting, since, ratings = by_waiting(tickets, rules.default_rating)
    windows = windows_worth(rules, worth, densities_of(waiting), now - since)
    one, two = pairs(ratings, windows, rules.maximum)
    free = np.ones(len(waiting), bool)
    free[one] = free[two] = False
    couples = zip(_each(waiting, one), _each(waiting, two), strict=True)
    proposals = [Proposal(teams=each if teams == 2 else (sum(each, ()),)) for each in couples]
    return Pairing(proposals=tuple(proposals), unmatched=tuple(compress(waiting, free.tolist())))


def _each(waiting: Sequence[Ticket], places: Places) -> Iterator[tuple[Ticket]]:
    return zip([waiting[place] for place in places.tolist()], strict=True)


def densities_of(tickets: Sequence[Ticket]) -> Floats:
    """Players a second and point of rating where each ticket stands; nan: not known."""
    nan = float("nan")
    known = [nan if (own := each.density) is None else own for each in tickets]
    return np.array(known, float)


def windows_worth(
    rules: RatingRules, worth: float, densities: Floats, waited_seconds: Floats
) -> Floats:
    """The gap that each ticket would rather take than wait, in rating points."""
    with np.errstate(divide="ignore"):
        first = np.sqrt(worth / (2 * densities))
    first[np.isnan(first)] = rules.start
    windows: Floats = first + worth / 2 * np.maximum(0.0, waited_seconds)
    return np.minimum(windows, rules.maximum)


def pairs(ratings: Floats, windows: Floats, most: float) -> tuple[Places, Places]:
    """Who plays with whom: the places of the two of each pair, the lower one first, the pair with
    the lowest place first. Of equal tickets, those with the lower places are matched. `ratings` are
    finite; `most` is the largest gap.
    """
    order = _by_rating(ratings)
    ordered, costs = ratings[order], windows[order] / 2
    matched = order[_matched(ordered, costs)]
    here, there = matched[::2], matched[1::2]
    near = np.abs(ratings[here] - ratings[there]) <= most
    one, two = np.minimum(here, there)[near], np.maximum(here, there)[near]
    by_place = np.argsort(one)
    return one[by_place], two[by_place]


def _by_rating(ratings: Floats) -> Places:
    """Of equal ratings the last place comes first: it is the one that is left out."""
    order = np.argsort(ratings)
    ordered = ratings[order]
    if np.any(ordered[1:] == ordered[:-1]):  # seldom, and sorting stably takes seven times as long
        order = len(ratings) - 1 - np.argsort(ratings[::-1], kind="stable")
    return order


def _matched(ratings: Floats, costs: Floats) -> npt.NDArray[np.bool_]:
    """Whether each is matched, by the choice with the least sum of gaps and `costs` of those left
    out; ratings ascend. An even number is matched.
    """
    if not len(ratings):
        return np.zeros(0, bool)
    with np.errstate(over="ignore"):  # ratings are finite, their differences may not be
        gaps = np.diff(ratings)
    ahead = _ahead(gaps, costs)
    # Backwards. Where being open costs more than the ticket, no pair is open before it, and where
    # it saves more than that, one is; else the ticket is matched, and it changes.
    opens = np.where(ahead > costs, 0, np.where(ahead < -costs, 1, -1))[::-1]
    fixed = np.flatnonzero(opens >= 0)
    changes = np.cumsum(opens < 0)
    last = np.searchsorted(fixed, np.arange(len(opens)), side="right") - 1
    # Behind the last ticket no pair is open.
    from_state = np.where(last < 0, 0, opens[fixed[last]])
    from_changes = np.where(last < 0, 0, changes[fixed[last]])
    before = (from_state + changes - from_changes) % 2
    behind = np.concatenate(([0], before[:-1]))
    matched: npt.NDArray[np.bool_] = (before != behind)[::-1]
    return matched


def _ahead(gaps: Floats, costs: Floats) -> Floats:
    """For each ticket: what the best choice among those before it costs if a pair is open that ends
    with this ticket, less what it costs if none is.
    """
    ahead = float("inf")
    found = [ahead]
    keep = found.append
    for gap, cost in zip(gaps.tolist(), costs.tolist(), strict=False):
        ahead = gap - (cost if ahead > cost else -cost if ahead < -cost else ahead)
        keep(ahead)
    return np.array(found)
