"""Divides the tickets of many matches into teams of equal strength.

Where there are few ways to divide the tickets of a match, all are tried, for all matches whose
tickets have the same sizes at once: 126 ways for ten lone players in two teams, and fewer with
parties. Where there are too many, a good division is mended until no exchange helps.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.exchange import Part, mended
from matchkeeper.matching.room import Placed
from matchkeeper.matching.teams import Teams, in_order, seated

Floats = npt.NDArray[np.float64]
Ways = npt.NDArray[np.int8]
_MOST_WAYS = 7_000
_AT_ONCE = 1_000_000
"""Sums that are worked out in one go: 8 MB."""
_MOST_RATING = 1e12
"""What is beyond counts as this: sums stay finite."""
_EQUAL = 1e-6
"""Of ways whose differences are as near to each other as this, the first counts."""


class Full(NamedTuple):
    """The tickets of a full match."""

    tickets: Sequence[Ticket]
    ratings: Sequence[float]
    """One for each ticket; a party's is the mean of its players'."""
    placed: Placed = []  # noqa: RUF012  # nobody changes it
    """One way to put its parties on teams: (size, team)."""


def divided(matches: Sequence[Full], teams: int, size: int) -> list[Teams]:
    """Teams of `size` players for each match, whose sums of ratings differ as little as can be
    found: the strongest less the weakest. Parties stay whole. The same tickets in the same order
    give the same teams.
    """
    if size == 1:
        return [in_order(match.tickets, teams) for match in matches]
    found: list[Teams] = [()] * len(matches)
    alike: dict[tuple[int, ...], list[tuple[int, list[int]]]] = {}
    for number, match in enumerate(matches):
        order, sizes = _in_order(match)
        alike.setdefault(sizes, []).append((number, order))
    for sizes, some in alike.items():
        ways = _ways(sizes, teams, size)
        if ways is None:
            for number, _ in some:
                found[number] = _mended(matches[number], teams, size)
            continue
        loads = [[matches[number].ratings[each] for each in order] for number, order in some]
        bounded = np.clip(loads, -_MOST_RATING, _MOST_RATING)
        chosen = _fairest(bounded * sizes, ways, teams)
        for (number, order), way in zip(some, ways[chosen].tolist(), strict=True):
            found[number] = _dealt(matches[number].tickets, order, way, teams)
    return found


def _in_order(match: Full) -> tuple[list[int], tuple[int, ...]]:
    """The tickets, largest first, of equally large ones the strongest, and their sizes."""
    sizes = [len(each.members) for each in match.tickets]
    keys = [(-players, -rating) for players, rating in zip(sizes, match.ratings, strict=True)]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return order, tuple([sizes[each] for each in order])


@lru_cache(maxsize=64)
def _ways(sizes: tuple[int, ...], teams: int, size: int) -> Ways | None:
    """All ways to put tickets of these sizes, the largest first, on teams: a row for each, with the
    team of each ticket. Teams are alike, so that each is begun in its turn. None if there are more
    than it pays to try.
    """
    ways = np.zeros((1, 0), np.int8)
    room = np.full((1, teams), size)
    for players in sizes:
        begun = ways.max(axis=1, initial=-1) + 1
        may = (room >= players) & (np.arange(teams) <= begun[:, None])
        row, team = np.nonzero(may)
        if len(row) > _MOST_WAYS:
            return None
        ways = np.hstack((ways[row], team[:, None].astype(np.int8)))
        room = room[row]
        room[np.arange(len(row)), team] -= players
    return ways


def _fairest(loads: Floats, ways: Ways, teams: int) -> npt.NDArray[np.intp]:
    """The best way for each match; `loads` has a row for each, with the sum of each ticket."""
    on = [(ways == team).T.astype(float) for team in range(teams)]
    best = np.empty(len(loads), np.intp)
    step = max(1, _AT_ONCE // len(ways))
    for first in range(0, len(loads), step):
        sums = [loads[first : first + step] @ each for each in on]
        gaps = np.maximum.reduce(sums) - np.minimum.reduce(sums)
        best[first : first + step] = _first_least(gaps)
    return best


def _first_least(gaps: Floats) -> npt.NDArray[np.intp]:
    least: Floats = gaps.min(axis=1, keepdims=True)
    first: npt.NDArray[np.intp] = np.argmax(gaps <= least + _EQUAL, axis=1)
    return first


def _dealt(
    tickets: Sequence[Ticket], order: Sequence[int], way: Sequence[int], teams: int
) -> Teams:
    members: list[list[Ticket]] = [[] for _ in range(teams)]
    for index, team in zip(order, way, strict=True):
        members[team].append(tickets[index])
    return tuple([tuple(team) for team in members])


def _mended(match: Full, teams: int, size: int) -> Teams:
    """A good division to begin with, then exchanges."""
    numbers = {ticket.ticket_id: number for number, ticket in enumerate(match.tickets)}
    begun = seated(match.tickets, match.ratings, match.placed, teams, size)
    parts = [[_part(match, numbers[ticket.ticket_id]) for ticket in team] for team in begun]
    mended(parts)
    return tuple([tuple([match.tickets[part.number] for part in team]) for team in parts])


def _part(match: Full, number: int) -> Part:
    players = len(match.tickets[number].members)
    rating = min(max(match.ratings[number], -_MOST_RATING), _MOST_RATING)
    return Part(number, players, players * rating)
