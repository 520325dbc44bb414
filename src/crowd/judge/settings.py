"""What the servers' settings promise: how large matches are, and who may claim no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf

from crowd.behaviours import PodBehaviour
from crowd.history import Event, What
from crowd.judge.verdict import Fault, Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """When a pod that claims and starts nothing is refused."""

    claims: int
    """This many claims, one after the other, of matches whose players are back ..."""
    after_seconds: float
    """... as was seen this long ago, so that no answer to an earlier claim is on its way: ..."""
    apart_seconds: float
    """... then at least this much time lies between two claims that are let through."""


def check_sizes(events: Iterable[Event], sizes: Mapping[str, int]) -> Iterator[Finding]:
    """Matches whose number of players is not what the settings wanted when they were made.
    `sizes`: mode -> players of a match, until an event says otherwise.
    """
    wanted: dict[str, tuple[int, ...]] = {mode: (players,) for mode, players in sizes.items()}
    made: set[str] = set()
    for event in events:
        if event.sizes is not None:
            wanted.update(event.sizes)
        if event.what is not What.OFFERED or event.match in made:
            continue
        made.add(event.match)
        # Nobody can tell when a match was made that is first heard of when it is offered again.
        allowed, players = wanted.get(event.mode, ()), len(event.players)
        if event.epoch <= 1 and allowed and players not in allowed:
            text = f"match {event.match} of {event.mode} has {players} players"
            yield Finding(fault=Fault.UNEXPECTED, about=event.match, text=text)


@dataclass(slots=True)
class _Row:
    """Claims of a pod that came to nothing, one after the other."""

    open: dict[str, float] = field(default_factory=dict)
    """match -> when it was claimed; nobody has seen yet what came of it."""
    ended: list[float] = field(default_factory=list)
    """When it was seen that the players of a match were back."""
    latest: float = -inf
    told: bool = False

    def look(self, at: float, there: Mapping[str, object]) -> None:
        """Notes what came of the claims that were made before a look."""
        gone = [match for match, claimed in self.open.items() if claimed < at]
        for match in gone:
            if match not in there:
                del self.open[match]
                self.ended.append(at)


def check_refusals(events: Iterable[Event], refusals: Refusals | None) -> Iterator[Finding]:
    """Pods that went on claiming and started nothing, in one mode. A match that a pod tried to
    start there ends the row.
    """
    if refusals is None:
        return
    rows: dict[tuple[str, str], _Row] = {}
    modes: dict[str, str] = {}
    for event in events:
        mode = modes.get(event.match, "")
        if event.what is What.OFFERED:
            modes[event.match] = event.mode
        elif event.what is What.CONFIRMING:
            rows.pop((event.who, mode), None)
        elif event.what is What.CLAIMED and event.word == PodBehaviour.GRABS:
            row = rows.setdefault((event.who, mode), _Row())
            if not row.told and _was_to_be_refused(row, event.at, refusals):
                row.told = True
                text = f"{event.who} started none of {len(row.ended)} matches, and claims on"
                yield Finding(fault=Fault.NOT_REFUSED, about=event.who, text=text)
            row.open[event.match] = row.latest = event.at
        elif event.state is not None:
            for row in rows.values():
                row.look(event.since or event.at, event.state.matches)


def _was_to_be_refused(row: _Row, now: float, refusals: Refusals) -> bool:
    known = sum(now - at > refusals.after_seconds for at in row.ended)
    return known >= refusals.claims and now - row.latest < refusals.apart_seconds
