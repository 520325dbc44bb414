"""What is seen of the matches: who was told of them, who claimed and who started them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from crowd.requests import Names
from matchkeeper.swarm.news import News
from matchkeeper.swarm.tally import Invariant, Tally

_MEMORY_SECONDS = 60.0
"""Longer than it takes to tell all players of a match, or to confirm one."""


@dataclass(slots=True)
class _Match:
    since: float
    players: tuple[str, ...] = ()
    told: set[int] = field(default_factory=set)
    claimed_by: str | None = None
    starters: set[str] = field(default_factory=set)
    claims: dict[int, str] = field(default_factory=dict)
    """Epoch -> pod."""
    unsure: bool = False


class MatchBook:
    """The matches of the last minute; each is judged when it is old enough, or at the end."""

    def __init__(self, *, names: Names, tally: Tally) -> None:
        self._names = names
        self._tally = tally
        self._matches: dict[str, _Match] = {}
        self.found_count = 0

    def found(self, number: int, news: News, at: float) -> None:
        """A player of ours was told of a match."""
        match = self._of(news.match_id, at)
        if not match.told:
            self.found_count += 1
            match.players, match.claimed_by = news.players, news.claimed_by
        elif match.players != news.players or match.claimed_by != news.claimed_by:
            name = self._names.player(number)
            what = f"match {news.match_id}: {name} was told something else than others"
            self._tally.violated(Invariant.ALL_TOLD, what)
        match.told.add(number)

    def claimed(self, match_id: str, epoch: int, pod: str, at: float) -> None:
        """A claim of ours was accepted."""
        match = self._of(match_id, at)
        first = match.claims.setdefault(epoch, pod)
        if first != pod:
            what = f"match {match_id}, offer {epoch}: claimed by {first} and by {pod}"
            self._tally.violated(Invariant.ONE_STARTER, what)

    def started(self, match_id: str, pod: str, at: float) -> None:
        """A game server of ours was told to start a match."""
        self._of(match_id, at).starters.add(pod)

    def gap(self) -> None:
        """Answers may have been missed."""
        for match in self._matches.values():
            match.unsure = True

    def sweep(self, at: float) -> None:
        """Judges the matches that are old enough, and forgets them."""
        while self._matches:
            match_id = next(iter(self._matches))
            if self._matches[match_id].since > at - _MEMORY_SECONDS:
                return
            self._judge(match_id, self._matches.pop(match_id))

    def finish(self) -> None:
        """Judges all that is left."""
        for match_id, match in self._matches.items():
            self._judge(match_id, match)
        self._matches.clear()

    def _of(self, match_id: str, at: float) -> _Match:
        return self._matches.setdefault(match_id, _Match(at))

    def _judge(self, match_id: str, match: _Match) -> None:
        if match.told:
            self._all_told(match_id, match)
        if not (match.starters or match.claims or match.claimed_by):
            return
        self._tally.checked[Invariant.ONE_STARTER] += 1
        named = set() if match.claimed_by is None else {match.claimed_by}
        starters = sorted(match.starters | named)
        if len(starters) > 1:
            what = f"match {match_id}: started by {', '.join(starters)}"
            self._tally.violated(Invariant.ONE_STARTER, what)

    def _all_told(self, match_id: str, match: _Match) -> None:
        self._tally.checked[Invariant.ALL_TOLD] += 1
        untold = [
            player for player in match.players if self._number(player) not in {None, *match.told}
        ]
        if untold and not match.unsure:
            self._tally.violated(
                Invariant.ALL_TOLD, f"match {match_id}: {_few(untold)} never heard of it"
            )

    def _number(self, player_id: str) -> int | None:
        return self._names.number(player_id)


def _few(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
