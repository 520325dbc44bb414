"""Matches as the pods saw them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from crowd.history import Event, What
from crowd.judge.verdict import Fault, Finding


@dataclass(slots=True, kw_only=True)
class Match:
    """One match id."""

    players: tuple[str, ...] = ()
    mode: str = ""
    handoff: str = ""
    epochs: set[int] = field(default_factory=set)
    claims: set[tuple[int, str]] = field(default_factory=set)
    """(epoch, pod)."""
    starts: set[tuple[int, str]] = field(default_factory=set)
    """(epoch, pod)."""
    recorded: bool = False
    """Redis knows it as started, whoever heard of that."""

    @property
    def live(self) -> bool:
        """Whether it was delivered: published to somebody, or started by who claimed it."""
        published = self.handoff == "publish" and bool(self.epochs)
        return self.recorded or bool(self.starts) or published


@dataclass(slots=True, kw_only=True)
class Matches:
    """All of them, by id."""

    by_id: dict[str, Match] = field(default_factory=dict)

    @property
    def live(self) -> dict[str, Match]:
        """Those that were delivered."""
        return {match_id: match for match_id, match in self.by_id.items() if match.live}

    @classmethod
    def of(cls, events: Iterable[Event]) -> Matches:
        """Reads them out of a history."""
        found = cls()
        for event in events:
            if event.what in (What.OFFERED, What.CLAIMED, What.STARTED):
                _note(found.by_id.setdefault(event.match, Match()), event)
            elif event.state is not None:
                for match_id, players in event.state.started.items():
                    match = found.by_id.setdefault(match_id, Match())
                    match.players = players
                    match.recorded = True
        return found


def _note(match: Match, event: Event) -> None:
    if event.what is What.OFFERED:
        match.players = tuple(player for player, _ in event.players)
        match.mode, match.handoff = event.mode, event.word
        match.epochs.add(event.epoch)
    elif event.what is What.CLAIMED:
        match.claims.add((event.epoch, event.who))
    else:
        match.starts.add((event.epoch, event.who))


def check_matches(matches: Matches) -> Iterator[Finding]:
    """Findings about offers, claims and starts."""
    for match_id, match in matches.by_id.items():
        if len(match.starts) > 1:
            text = f"match {match_id} started {len(match.starts)} times: {sorted(match.starts)}"
            yield Finding(fault=Fault.DOUBLED, about=match_id, text=text)
        unclaimed = match.starts - match.claims if match.handoff != "publish" else set()
        for start in sorted(unclaimed):
            text = f"match {match_id} was started by {start[1]} without a claim"
            yield Finding(fault=Fault.UNCLAIMED_START, about=match_id, text=text)
        for epoch in sorted({epoch for epoch, _ in match.claims}):
            pods = sorted(pod for each, pod in match.claims if each == epoch)
            if len(pods) > 1:
                text = f"match {match_id} was claimed by {' and '.join(pods)}"
                yield Finding(fault=Fault.DOUBLED, about=match_id, text=text)
        yield from _old_epochs(match_id, match)


def _old_epochs(match_id: str, match: Match) -> Iterator[Finding]:
    newest = max(match.epochs, default=0)
    for epoch, pod in sorted(match.starts):
        if epoch < newest:
            text = f"{pod} started hand-out {epoch} of match {match_id}, which reached {newest}"
            yield Finding(fault=Fault.OLD_EPOCH, about=match_id, text=text)
