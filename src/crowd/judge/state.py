"""What must hold of everything that stands in Redis at any moment."""

from __future__ import annotations

from collections.abc import Iterator

from crowd.history import State
from crowd.judge.parties import check_index
from crowd.judge.verdict import Fault, Finding


def check_state(state: State, *, several: bool = False) -> Iterator[Finding]:
    """Findings in one look at Redis. `several`: a player may wait in several queues."""
    yield from _one_place(state, several=several)
    yield from _metadata(state)
    yield from _matches(state)
    yield from check_index(state)


def _one_place(state: State, *, several: bool) -> Iterator[Finding]:
    places: dict[str, list[str]] = {}
    for tag, queue in state.queues.items():
        for player in queue:
            if not (several and player in places):
                places.setdefault(player, []).append(f"queue {tag}")
    for match, (_, players) in state.matches.items():
        for player in players:
            places.setdefault(player, []).append(f"match {match}")
    for player, where in places.items():
        if len(where) > 1:
            text = f"{player} is in {' and '.join(where)} at once"
            yield Finding(fault=Fault.DOUBLED, about=player, text=text)


def _metadata(state: State) -> Iterator[Finding]:
    for tag, queue in state.queues.items():
        have = set(state.metadata.get(tag, ()))
        for player in sorted(set(queue) - have):
            text = f"{player} waits in {tag} without metadata"
            yield Finding(fault=Fault.UNEXPECTED, about=player, text=text)
        for player in sorted(have - set(queue)):
            text = f"metadata of {player} in {tag} without a ticket"
            yield Finding(fault=Fault.UNEXPECTED, about=player, text=text)


def _matches(state: State) -> Iterator[Finding]:
    in_index = {
        (match, player) for index in state.matched.values() for player, match in index.items()
    }
    in_matches = {
        (match, player) for match, (_, players) in state.matches.items() for player in players
    }
    for match, player in sorted(in_index ^ in_matches):
        text = f"the index of matched players and match {match} differ about {player}"
        yield Finding(fault=Fault.UNEXPECTED, about=player, text=text)
    listed = {match for pending in state.pending.values() for match in pending}
    for match in sorted(listed ^ set(state.matches)):
        text = f"match {match} is pending in one list and not in the other"
        yield Finding(fault=Fault.LOST, about=match, text=text)
