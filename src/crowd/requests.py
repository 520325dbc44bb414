"""The requests of the swarm, as text on the wire; some are wrong on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from crowd.behaviours import Behaviour
from crowd.people import Group, Person
from crowd.tickets import Member, Ticket

_encode = msgspec.json.Encoder().encode


class Via(StrEnum):
    """How requests travel."""

    PUBSUB = "pubsub"
    STREAM = "stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names that no other run has."""

    run: str

    def player(self, number: int) -> str:
        """A player of this run."""
        return f"{self.run}-{number}"

    def number(self, player_id: str) -> int | None:
        """The inverse of `player`; None for somebody else's player."""
        run, _, number = player_id.rpartition("-")
        own = run == self.run and number.isascii() and number.isdecimal() and len(number) < 16
        return int(number) if own else None

    def party(self, together: range) -> str:
        """A party of this run, by the numbers of its players."""
        return f"{self.player(together.start)}-to-{together.stop - 1}"

    def players(self, ticket_id: str) -> range:
        """The numbers behind the id of a player or a party; none for somebody else's."""
        first, to, last = ticket_id.partition("-to-")
        start = self.number(first)
        if start is None:
            return range(0)
        end = self.number(f"{self.run}-{last}") if to else start
        return range(start, start if end is None else end + 1)

    def pod(self, number: int) -> str:
        """A game server of this run."""
        return f"{self.run}-pod-{number}"

    def pods(self, count: int) -> list[str]:
        """All of them."""
        return [self.pod(number) for number in range(count)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is written for players."""

    kind: str
    body: bytes
    about: range
    """Their numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes requests."""

    names: Names
    metadata_bytes: int = 0
    max_message_bytes: int = 65_536

    def enqueues(self, group: Group) -> list[Request]:
        """What those who come together send on arrival: one request for all, or two. What is wrong
        with the metadata is so with that of the last of them.
        """
        lead, behaviour = group[0], group[0].behaviour
        ticket = Ticket(
            mode=lead.mode,
            members=tuple([self._member(each.number, each.home) for each in group]),
            party=self.names.party(lead.together) if len(group) > 1 else "",
        )
        metadata = {self.names.player(each.number): self._metadata(each) for each in group}
        last = ticket.members[-1].player
        if behaviour is Behaviour.BAD_METADATA:
            metadata[last] = [7] if lead.variant else "no object"
        elif behaviour is Behaviour.OVERSIZED:
            metadata[last] = {"fill": "x" * (self.max_message_bytes + 1)}
        fields = ticket.enqueue(metadata)
        if behaviour is Behaviour.UNKNOWN_MODE:
            fields["game_mode"] = f"{self.names.run}-no-such-mode"
        elif behaviour is Behaviour.MISSING_FIELDS and lead.variant:
            fields["game_mode"] = 7
        elif behaviour is Behaviour.MISSING_FIELDS:
            del fields["game_mode"]
        texts = [{**fields, "request_id": f"{lead.number}"}]
        if behaviour is Behaviour.TWICE:
            texts.append({**fields, "request_id": f"{lead.number}-again"})
        return [Request(kind="enqueue", body=_encode(each), about=lead.together) for each in texts]

    def dequeue(self, number: int, mode: str, home: int, *, turn: int = 0) -> Request:
        """A player asks to leave, and takes the own party along. The same turn sent again is the
        same request: the first answer holds.
        """
        ticket = Ticket(mode=mode, members=(self._member(number, home),))
        return _leave(ticket, f"{number}-leave-{turn}", range(number, number + 1))

    def dequeue_party(self, together: range, mode: str, home: int) -> Request:
        """A party asks to leave as one."""
        first = self._member(together.start, home)
        ticket = Ticket(mode=mode, members=(first,), party=self.names.party(together))
        return _leave(ticket, f"{together.start}-all-leave", together)

    def _member(self, number: int, home: int) -> Member:
        return Member(self.names.player(number), self.names.pod(home))

    def _metadata(self, person: Person) -> object:
        metadata: dict[str, Any] = {"mmr": person.rating}
        missing = self.metadata_bytes - len(_encode(metadata)) - len(',"fill":""')
        if missing > 0:
            metadata["fill"] = "x" * missing
        return metadata


def _leave(ticket: Ticket, request_id: str, about: range) -> Request:
    body = _encode({**ticket.dequeue(), "request_id": request_id})
    return Request(kind="dequeue", body=body, about=about)
