"""What is seen of the matches, until each is judged: when nothing more is heard of it."""

from __future__ import annotations

from collections.abc import Sequence

from crowd.history import Event
from crowd.judge import Fault, Match, Matches, check_match
from crowd.requests import Names
from matchkeeper.swarm.tally import Invariant, Tally

_QUIET_SECONDS = 60.0
"""Longer than it takes to tell all players of a match, or to confirm one."""


class MatchBook:
    """The matches of the last minute."""

    def __init__(self, *, names: Names, tally: Tally) -> None:
        self._names = names
        self._tally = tally
        self._matches = Matches()
        self._unsure: set[str] = set()

    def see(self, event: Event) -> None:
        """A player of ours was told of a match, or a game server of ours claimed or started one."""
        self._matches.see(event)

    def gap(self) -> None:
        """Answers may have been missed."""
        self._unsure = set(self._matches.by_id)

    def sweep(self, at: float) -> None:
        """Judges the matches that are old enough, and forgets them."""
        for match_id, match in self._matches.forget(at - _QUIET_SECONDS):
            self._judge(match_id, match)

    def finish(self) -> None:
        """Judges all that is left."""
        self.sweep(float("inf"))

    def _judge(self, match_id: str, match: Match) -> None:
        checked = self._tally.checked
        checked[Invariant.ALL_TOLD] += bool(match.told)
        checked[Invariant.ONE_STARTER] += bool(match.claims or match.starters)
        for finding in check_match(match_id, match):
            told = finding.fault is Fault.TOLD_OTHERWISE
            self._tally.violated(
                Invariant.ALL_TOLD if told else Invariant.ONE_STARTER, finding.text
            )
        ours = (player for player in match.players if self._names.number(player) is not None)
        untold = [player for player in ours if player not in match.told]
        if untold and match.told and match_id not in self._unsure:
            what = f"match {match_id}: {_few(untold)} never heard of it"
            self._tally.violated(Invariant.ALL_TOLD, what)
        self._unsure.discard(match_id)


def _few(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
