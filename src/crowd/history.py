"""What everybody outside saw, in the order in which it was seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec


class What(StrEnum):
    """Kinds of events. `who` is a pod, or `operator` for what stands in Redis."""

    ASKED = "asked"
    """A request was sent: `word` is enqueue or dequeue; `player`, `mode`, `who` (its pod),
    `by_stream`; of a party one for each player, with its `party` and all its players
    `together`."""
    TOLD = "told"
    """A pod was told about `player`: `word`, and `code` of an error, or of a match `match`, `mode`,
    `players`, `by`, `assignment` and `secret`; `left_by`: the player of its party who left."""
    SOUGHT = "sought"
    """A pod asks where a player is: `player`, `who`. The answer is TOLD, with the word `Status`,
    the state in `code`, and the pending or started `match`."""
    OFFERED = "offered"
    """A pod heard a battle request: `match`, `epoch`, `mode`, `players`; `word`: the handoff;
    `seats`: of players of parties, the party and the team."""
    CLAIMED = "claimed"
    """A pod was told that it has the match: `match`, `epoch`; `word` is its behaviour, where known:
    `grabs` starts nothing that it claims."""
    CONFIRMING = "confirming"
    """A pod asks for the last word: `match`, `epoch`; `assigns`: with an assignment and secrets, as
    `crowd.handing` has them."""
    ANSWERED = "answered"
    """A pod was told what came of a message about a match: `match`, `epoch`, `token`; `word`: its
    kind, `code`: the reply."""
    STARTED = "started"
    """A pod was told that it starts the match, or starts an announced one: `match`, `epoch`, and
    `players` where no offer tells them."""
    GAVE_UP = "gave up"
    """A request was sent again and again, long enough, and nobody answered it: `player`, `word`."""
    LISTENS = "listens"
    """From now on `who` hears what it is told."""
    DEAF = "deaf"
    """From now on `who` hears nothing: the connection is gone."""
    DIED = "died"
    """A process was killed: `who`."""
    FROZE = "froze"
    """A process stands still: `who`."""
    THAWED = "thawed"
    """The process goes on: `who`."""
    SIZED = "sized"
    """From now on, by the settings of now, matches have as many players as `sizes` says."""
    STEPPED = "stepped"
    """The clock of Redis stepped: what it keeps for a time may be gone too early."""
    LOOKED = "looked"
    """What stands in Redis: `state`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What stands in Redis, as an operator sees it with plain commands."""

    queues: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """tag -> player -> score. Here and below, all players of a party, not the party."""
    metadata: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """tag -> players who have some."""
    matched: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """tag -> player -> match id."""
    parties: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """`<tag> <party>` -> players, of parties that wait or are in a pending match."""
    index: Mapping[str, str] = field(default_factory=dict)
    """player -> `<tag> <party>`, as the index of players in parties says."""
    pending: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """tag -> match id -> deadline."""
    matches: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """match id -> (state, players), for those of claim handoff that are not over."""
    started: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """match id -> players, for those that Redis still remembers as started."""
    dead: tuple[str, ...] = ()
    """Players among the dead letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that was seen."""

    at: float
    """Seconds; only the order matters."""
    what: What
    who: str = ""
    player: str = ""
    mode: str = ""
    word: str = ""
    code: str = ""
    match: str = ""
    epoch: int = 0
    players: tuple[tuple[str, int], ...] = ()
    """(player, score in whole seconds) of an offer; what players are told has no score."""
    by: str = ""
    """The pod that starts a match, as its players are told."""
    by_stream: bool = False
    party: str = ""
    together: tuple[str, ...] = ()
    left_by: str = ""
    token: str = ""
    assigns: bool = False
    assignment: str = ""
    """As JSON text."""
    secret: str = ""
    seats: tuple[tuple[str, str, int], ...] = ()
    """(player, party, team)."""
    sizes: Mapping[str, tuple[int, ...]] | None = None
    """mode -> how many players a match may have; what is not named is as before."""
    state: State | None = None
    since: float = 0.0
    """When a look began, where that was earlier: the look shows a moment between the two."""


class History:
    """Events as they come in."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._closed = False

    def see(self, event: Event) -> None:
        """Takes in an event, unless the history is closed."""
        if not self._closed:
            self.events.append(event)

    def add(self, what: What, at: float, **fields: Any) -> None:
        """Notes what happened at this moment."""
        self.see(Event(at=at, what=what, **fields))

    def close(self) -> None:
        """What happens from now on is not judged."""
        self._closed = True

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def text(self) -> bytes:
        """One line of JSON per event, the same for the same history."""
        return b"\n".join(map(msgspec.json.encode, self.events)) + b"\n"
