"""Matches as pods and players saw them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from crowd.history import Event, What
from crowd.judge.verdict import Fault, Finding


@dataclass(slots=True, kw_only=True)
class Match:
    """One match id."""

    at: float = 0.0
    """When it was heard of last."""
    players: tuple[str, ...] = ()
    mode: str = ""
    handoff: str = ""
    epochs: set[int] = field(default_factory=set)
    claims: set[tuple[int, str]] = field(default_factory=set)
    """(epoch, pod)."""
    starts: set[tuple[int, str]] = field(default_factory=set)
    """(epoch, pod)."""
    told: set[str] = field(default_factory=set)
    """Players who were told of it."""
    said: set[tuple[tuple[str, ...], str, str]] = field(default_factory=set)
    """(players, pod that starts it, assignment), as they were told."""
    recorded: bool = False
    """Redis knows it as started, even if nobody heard of that."""

    @property
    def live(self) -> bool:
        """Whether it was delivered: published to somebody, or started by the pod with the claim."""
        published = self.handoff == "publish" and bool(self.epochs)
        return self.recorded or bool(self.starts) or published

    @property
    def starters(self) -> set[str]:
        """Pods that start it, by what they and its players were told."""
        return {pod for _, pod in self.starts} | {pod for _, pod, _ in self.said if pod}


@dataclass(slots=True, kw_only=True)
class Matches:
    """All matches, by id; those that were heard of last stand last."""

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
            found.see(event)
        return found

    def see(self, event: Event) -> None:
        """Takes in what an event says about a match."""
        if event.match and event.what not in (What.CONFIRMING, What.ANSWERED):
            _note(self._of(event.match, event.at), event)
        elif event.state is not None:
            for match_id, players in event.state.started.items():
                match = self._of(match_id, event.at)
                match.players = players
                match.recorded = True

    def forget(self, before: float) -> Iterator[tuple[str, Match]]:
        """Hands over the matches of which nothing was heard since then, and forgets them."""
        while self.by_id:
            match_id, match = next(iter(self.by_id.items()))
            if match.at > before:
                return
            yield match_id, self.by_id.pop(match_id)

    def _of(self, match_id: str, at: float) -> Match:
        match = self.by_id.pop(match_id, None) or Match()
        match.at = at
        self.by_id[match_id] = match
        return match


def _note(match: Match, event: Event) -> None:
    players = tuple(player for player, _ in event.players)
    if event.what is What.OFFERED:
        match.players = players
        match.mode, match.handoff = event.mode, event.word
        match.epochs.add(event.epoch)
    elif event.what is What.CLAIMED:
        match.claims.add((event.epoch, event.who))
    elif event.what is What.STARTED:
        match.players = match.players or players
        match.starts.add((event.epoch, event.who))
    elif event.word == "MatchFound":
        match.players = match.players or players
        match.told.add(event.player)
        match.said.add((players, event.by, event.assignment))


def check_matches(matches: Matches) -> Iterator[Finding]:
    """Findings about all of them."""
    for match_id, match in matches.by_id.items():
        yield from check_match(match_id, match)


def check_match(match_id: str, match: Match) -> Iterator[Finding]:
    """Findings about offers, claims and starts, and what players were told of them."""
    if len(match.starts) > 1:
        text = f"match {match_id} started {len(match.starts)} times: {sorted(match.starts)}"
        yield Finding(fault=Fault.DOUBLED, about=match_id, text=text)
    elif len(match.starters) > 1:
        text = f"match {match_id} is started by {' and '.join(sorted(match.starters))}"
        yield Finding(fault=Fault.DOUBLED, about=match_id, text=text)
    unclaimed = match.starts - match.claims if match.handoff != "publish" else set()
    for start in sorted(unclaimed):
        text = f"match {match_id} was started by {start[1]} without a claim"
        yield Finding(fault=Fault.UNCLAIMED_START, about=match_id, text=text)
    for epoch in sorted({epoch for epoch, _ in match.claims}):
        pods = sorted(pod for each, pod in match.claims if each == epoch)
        if len(pods) > 1:
            text = f"match {match_id}, offer {epoch}, was claimed by {' and '.join(pods)}"
            yield Finding(fault=Fault.DOUBLED, about=match_id, text=text)
    yield from _old_epochs(match_id, match)
    if len(match.said) > 1:
        text = f"players of match {match_id} were told different things of it"
        yield Finding(fault=Fault.TOLD_OTHERWISE, about=match_id, text=text)


def _old_epochs(match_id: str, match: Match) -> Iterator[Finding]:
    newest = max(match.epochs, default=0)
    for epoch, pod in sorted(match.starts):
        if epoch < newest:
            text = f"{pod} started hand-out {epoch} of match {match_id}, which reached {newest}"
            yield Finding(fault=Fault.OLD_EPOCH, about=match_id, text=text)
