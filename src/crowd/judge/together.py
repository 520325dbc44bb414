"""What a party was told, all its players together. Each request is sent once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from crowd.history import Event
from crowd.judge.parties import check_left, check_seats
from crowd.judge.told import Told
from crowd.judge.verdict import Fault, Finding


@dataclass(slots=True, kw_only=True, eq=False)
class Together:
    """Like `Told`, it is judged as it grows, and needs no history."""

    name: str
    players: frozenset[str]
    leaving: set[str] = field(default_factory=set)
    """Who asked to leave; everybody where the party did so as one."""
    queued: str = ""
    """The first player who was told to be queued, or matched."""
    refused: str = ""
    """The first player of whom every request was refused."""

    def heard(self, player: str, told: Told) -> Iterator[Finding]:
        """After news of one of them: if one is queued, all are."""
        if told.queued or told.matches:
            new, self.queued = not self.queued, self.queued or player
        elif told.refused >= told.enqueues:
            new, self.refused = not self.refused, self.refused or player
        else:
            return
        if new and self.queued and self.refused:
            text = f"of party {self.name} {self.queued} was queued, and {self.refused} refused"
            yield Finding(fault=Fault.SPLIT, about=self.name, text=text)

    def left(self, event: Event) -> Iterator[Finding]:
        """After `DeQueued`: it names who of them left."""
        return check_left(event, self.players, self.leaving)

    def seated(self, event: Event) -> Iterator[Finding]:
        """After an offer or `MatchFound` with some of them: all are in it, on one team."""
        seats = tuple(seat for seat in event.seats if seat[1] == self.name)
        if not seats and any(player in self.players for player, _ in event.players):
            text = f"match {event.match} has players of party {self.name}, and not the party"
            yield Finding(fault=Fault.SPLIT, about=self.name, text=text)
        yield from check_seats(replace(event, seats=seats), {self.name: (self.players,)})
