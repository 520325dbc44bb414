"""Makes teams more alike by exchanges of equally many players, until none helps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]
_MOST = 100
"""Exchanges for a match of two teams; as many more for each further team."""
_ENOUGH = 0.005
"""Rating points for each player of a team: teams that differ by less are as good as equal."""
_THREE = 24
"""In teams of so many parts, three may go together where two do not help; in larger ones, two."""


class Part(NamedTuple):
    """A ticket of a match."""

    number: int
    players: int
    load: float
    """The sum of its players' ratings."""


class _Bundles(NamedTuple):
    """Parts of one team that may go together, each way to choose them; and their sums."""

    places: Numbers
    """A row for each bundle; -1 where it has fewer parts."""
    players: Numbers
    loads: Floats


def mended(teams: Sequence[list[Part]]) -> None:
    """Exchanges parts of two teams, those that differ most first, as long as that brings the two
    nearer to each other and the strongest and the weakest differ. Teams have equally many players.
    """
    enough = _ENOUGH * sum([part.players for part in teams[0]])
    for _ in range(_MOST * (len(teams) - 1)):
        ranked = sorted(teams, key=_load, reverse=True)
        pairs = sorted(combinations(ranked, 2), key=_gap, reverse=True)
        if _gap(pairs[0]) <= enough:
            return
        if not any(_exchanged(*pair, gap=_gap(pair), enough=enough) for pair in pairs):
            return


def _load(team: Sequence[Part]) -> float:
    return sum([part.load for part in team])


def _gap(pair: tuple[Sequence[Part], Sequence[Part]]) -> float:
    return _load(pair[0]) - _load(pair[1])


def _exchanged(strong: list[Part], weak: list[Part], *, gap: float, enough: float) -> bool:
    """Whether an exchange has made the gap smaller by more than nothing."""
    if gap <= enough / 100:
        return False
    best, few = None, max(len(strong), len(weak)) <= _THREE
    for most in (2, 3) if few else (2,):
        best = best or _best(_bundles(strong, most), _bundles(weak, most), gap - enough / 100)
    if best is None:
        return False
    given, taken = ([place for place in each.tolist() if place >= 0] for each in best)
    there = [strong[place] for place in given]
    strong[:] = [*_without(strong, given), *[weak[place] for place in taken]]
    weak[:] = [*_without(weak, taken), *there]
    return True


def _without(team: Sequence[Part], places: Sequence[int]) -> Iterator[Part]:
    return (part for place, part in enumerate(team) if place not in places)


def _bundles(team: Sequence[Part], most: int) -> _Bundles:
    rows = [
        np.pad(_combinations(len(team), count), ((0, 0), (0, most - count)), constant_values=-1)
        for count in range(1, min(most, len(team)) + 1)
    ]
    places = np.concatenate(rows)
    # What stands behind the last part has nobody, so that -1 finds it.
    players = np.array([*[part.players for part in team], 0])
    loads = np.array([*[part.load for part in team], 0.0])
    return _Bundles(places, players[places].sum(axis=1), loads[places].sum(axis=1))


@lru_cache(maxsize=64)
def _combinations(parts: int, count: int) -> Numbers:
    if count == 1:
        return np.arange(parts)[:, None]
    if count == 2:
        return np.transpose(np.triu_indices(parts, 1))
    return np.array(list(combinations(range(parts), count)))


def _best(strong: _Bundles, weak: _Bundles, gap: float) -> tuple[Numbers, Numbers] | None:
    """The parts to exchange, as places in both teams; None if nothing makes the gap smaller."""
    found, least = None, gap
    for players in np.intersect1d(strong.players, weak.players).tolist():
        here, there = (np.flatnonzero(each.players == players) for each in (strong, weak))
        there = there[np.argsort(weak.loads[there], kind="stable")]
        wanted = strong.loads[here] - gap / 2
        near = np.searchsorted(weak.loads[there], wanted)
        for step in (-1, 0):
            other = there[np.clip(near + step, 0, len(there) - 1)]
            left = np.abs(wanted - weak.loads[other]) * 2
            one = int(left.argmin())
            if left[one] < least:
                least = float(left[one])
                found = strong.places[here[one]], weak.places[other[one]]
    return found
