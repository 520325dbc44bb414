"""The requests of the swarm, as text on the wire; some are wrong on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from crowd.behaviours import Behaviour
from crowd.people import Person

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

    def pod(self, number: int) -> str:
        """A game server of this run."""
        return f"{self.run}-pod-{number}"

    def pods(self, count: int) -> list[str]:
        """All of them."""
        return [self.pod(number) for number in range(count)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is written for a player: `mode` names the stream, where it goes by stream."""

    kind: str
    mode: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes requests."""

    names: Names
    metadata_bytes: int = 0
    max_message_bytes: int = 65_536

    def enqueues(self, person: Person) -> list[Request]:
        """What this player sends on arrival: one request, or two."""
        fields = self._fields(person)
        behaviour = person.behaviour
        if behaviour is Behaviour.UNKNOWN_MODE:
            fields["game_mode"] = f"{self.names.run}-no-such-mode"
        elif behaviour is Behaviour.MISSING_FIELDS and person.variant:
            fields["game_mode"] = 7
        elif behaviour is Behaviour.MISSING_FIELDS:
            del fields["game_mode"]
        elif behaviour is Behaviour.BAD_METADATA:
            fields["metadata"] = [7] if person.variant else "no object"
        elif behaviour is Behaviour.OVERSIZED:
            fields["metadata"]["fill"] = "x" * (self.max_message_bytes + 1)
        texts = [fields]
        if behaviour is Behaviour.TWICE:
            texts.append({**fields, "request_id": f"{person.number}-again"})
        return [Request(kind="enqueue", mode=person.mode, body=_encode(each)) for each in texts]

    def dequeue(self, number: int, mode: str, home: int, *, turn: int = 0) -> Request:
        """Asks to leave. The same turn sent again is the same request: the first answer holds."""
        fields = {
            "player_id": self.names.player(number),
            "game_mode": mode,
            "pod_id": self.names.pod(home),
            "request_id": f"{number}-leave-{turn}",
        }
        return Request(kind="dequeue", mode=mode, body=_encode(fields))

    def _fields(self, person: Person) -> dict[str, Any]:
        metadata: dict[str, Any] = {"mmr": person.rating}
        missing = self.metadata_bytes - len(_encode(metadata)) - len(',"fill":""')
        if missing > 0:
            metadata["fill"] = "x" * missing
        return {
            "player_id": self.names.player(person.number),
            "game_mode": person.mode,
            "metadata": metadata,
            "pod_id": self.names.pod(person.home),
            "request_id": f"{person.number}",
        }
