"""Whether what pods were told of where players are was true at some moment since they asked."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from crowd.history import Event, State, What
from crowd.judge.verdict import Fault, Finding

_ASKED_WITHIN_SECONDS = 40.0
"""A question is sent again and again for less than this; any of them may be answered."""
_REMEMBERED_SECONDS = 100.0
"""Less than `match_memory_seconds`."""


@dataclass(slots=True)
class _Look:
    at: float
    state: State


@dataclass(slots=True)
class _Player:
    """What is known of one player."""

    asked: dict[str, list[float]] = field(default_factory=dict)
    """Pod -> when it asked."""
    matches: dict[str, float] = field(default_factory=dict)
    """Started matches -> when they were seen first; the latest stands last."""
    stood: float = -1.0
    """When the player was last seen in a queue or in a pending match."""


def check_statuses(events: Sequence[Event]) -> Iterator[Finding]:
    """Findings about each status that was told."""
    players: dict[str, _Player] = {}
    looks: list[_Look] = []
    stepped = -math.inf
    later = deque(_Look(event.at, event.state) for event in events if event.state is not None)
    # The id of a party is no player's: what stands there is its ticket.
    parties = {event.party for event in events}
    sought = {event.player for event in events if event.what is What.SOUGHT} - parties
    for event in events if sought else ():
        if event.what is What.SOUGHT:
            player = players.setdefault(event.player, _Player())
            player.asked.setdefault(event.who, []).append(event.at)
        elif event.what is What.STEPPED:
            stepped = event.at
        elif event.state is not None:
            looks.append(later.popleft())
            _note(players, sought, looks[-1])
        elif event.what is What.TOLD and event.word == "Status" and event.player not in parties:
            player = players.setdefault(event.player, _Player())
            since = _since(looks, _begun(event, player))
            and_next = [*since, *(later and [later[0]])]
            remembered = max(stepped, event.at - _REMEMBERED_SECONDS)
            if why := _untrue(event, player, since, and_next, remembered):
                text = f"{event.player} was told to be {event.code} {event.match}: {why}"
                yield Finding(fault=Fault.UNTRUE, about=event.player, text=text)


def _begun(event: Event, player: _Player) -> float:
    """Since when what was told may have been true."""
    asked = player.asked.get(event.who, [event.at])
    lately = [at for at in asked if at >= event.at - _ASKED_WITHIN_SECONDS]
    return min(lately, default=max(asked))


def _since(looks: Sequence[_Look], begun: float) -> list[_Look]:
    """The looks since then, and the one that showed what was there then."""
    found = []
    for look in reversed(looks):
        found.append(look)
        if look.at < begun:
            break
    else:
        found.append(_Look(begun, State()))  # before the first look nothing stood there
    return found[::-1]


def _note(players: dict[str, _Player], sought: set[str], look: _Look) -> None:
    for match, members in look.state.started.items():
        for name in sought.intersection(members):
            players.setdefault(name, _Player()).matches.setdefault(match, look.at)
    for name in sought:
        if _stands(look.state, name):
            players.setdefault(name, _Player()).stood = look.at


def _stands(state: State, player: str) -> bool:
    """Whether the player waits, or is in a pending match."""
    return any(player in queue for queue in state.queues.values()) or any(
        player in members for _, members in state.matches.values()
    )


def _untrue(
    event: Event,
    player: _Player,
    looks: Sequence[_Look],
    and_next: Sequence[_Look],
    remembered: float,
) -> str:
    """Why it was true at no moment; empty where it may have been. `and_next`: the looks until it
    was told, and the next one. `remembered`: since when all that began has to be known.
    """
    name, states = event.player, [look.state for look in looks]
    if event.code == "waiting":
        waits = any(name in queue for state in states for queue in state.queues.values())
        return "" if waits else "no queue had the player"
    if event.code == "pending":
        found = [state.matches.get(event.match, ("", ()))[1] for state in states]
        return "" if any(name in members for members in found) else "no such match was pending"
    if all(_stands(state, name) for state in states):
        return "the player waits, or is in a pending match"
    if event.code == "started":
        return _no_start(event.match, player, looks)
    return _forgotten(player, and_next, remembered)


def _no_start(match: str, player: _Player, looks: Sequence[_Look]) -> str:
    began = player.matches.get(match)
    if began is None:
        return "no such match of the player started"
    if began < player.stood < looks[0].at:
        return f"the player stood in a queue since, at {player.stood:g}"
    newer = [each for each, at in player.matches.items() if began < at < looks[0].at]
    return f"match {newer[-1]} is newer" if newer else ""


def _forgotten(player: _Player, looks: Sequence[_Look], remembered: float) -> str:
    """The started match that was not told of."""
    for match, began in player.matches.items():
        still = all(match in look.state.started for look in looks)
        if still and max(player.stood, remembered) < began:
            return f"match {match} had started"
    return ""
