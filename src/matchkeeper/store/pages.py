"""What stands in a queue, as it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.realm import QueueName
from matchkeeper.domain.ticket import Poison, PoisonedTicket, Ticket
from matchkeeper.store import keys
from matchkeeper.store.scripts import Unsent, script
from matchkeeper.wire.metadata import read_ticket

Place = tuple[bytes, float]
"""The id of a ticket as in Redis, and the enqueue time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The places of a part of a queue, longest waiting first."""

    now: float
    """Unix time in seconds, of Redis."""
    queue_length: int
    places: Sequence[Place]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The tickets of some places. Those that left since the scan are in none of these."""

    tickets: tuple[Ticket, ...]
    poisoned: tuple[PoisonedTicket, ...]
    incomplete: tuple[PoisonedTicket, ...]
    """Entries with no metadata at all."""
    metadata: Mapping[str, str]
    """Ticket id -> JSON text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a queue, longest waiting first, with all that is known of it."""

    scan: Scan
    fetched: Fetched
    cut: bool = False
    """The page ends early, since it grew too large."""

    @property
    def now(self) -> float:
        """Unix time in seconds, of Redis."""
        return self.scan.now

    @property
    def queue_length(self) -> int:
        """Of the whole queue."""
        return self.scan.queue_length

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        """Those that can be read."""
        return self.fetched.tickets

    @property
    def unreadable(self) -> tuple[PoisonedTicket, ...]:
        """Those that cannot."""
        return (*self.fetched.poisoned, *self.fetched.incomplete)


def joined(parts: Sequence[Fetched]) -> Fetched:
    """What was fetched part by part."""
    return Fetched(
        tickets=tuple(each for part in parts for each in part.tickets),
        poisoned=tuple(each for part in parts for each in part.poisoned),
        incomplete=tuple(each for part in parts for each in part.incomplete),
        metadata={ticket_id: text for part in parts for ticket_id, text in part.metadata.items()},
    )


def size_of(part: Fetched) -> int:
    """About how many bytes of metadata the part has."""
    raw = (each.raw_metadata or "" for each in (*part.poisoned, *part.incomplete))
    return sum(map(len, part.metadata.values())) + sum(map(len, raw))


def _scanned(reply: Any) -> Scan:
    entries = reply[2]
    return Scan(
        now=float(reply[0]),
        queue_length=int(reply[1]),
        places=list(zip(entries[::2], map(float, entries[1::2]), strict=True)),
    )


@script(_scanned, keys.queue, keys.clock)
def scan(*, queue: Unsent[QueueName], first: int, count: int) -> None:
    """Places from a rank on."""


@script(_scanned, keys.queue, keys.clock)
def newer(*, queue: Unsent[QueueName], than: str, count: int) -> None:
    """Places behind an enqueue time."""


@script(list[Any], keys.queue, keys.metadata, keys.parties)
def fetch(*, queue: Unsent[QueueName], tickets: Sequence[bytes]) -> None:
    """For `still_there`."""


def still_there(places: Sequence[Place], reply: Any) -> list[tuple[bytes, float, bytes | None]]:
    """From the reply of `fetch.lua`: (ticket, enqueue time, metadata), if still there."""
    return [
        (ticket_id, since, text)
        for (ticket_id, since), score, text in zip(places, reply[0], reply[1], strict=True)
        if score is not None and float(score) == since
    ]


def twice_with(ticket: PoisonedTicket, metadata: Mapping[str, str]) -> PoisonedTicket:
    """A ticket that is in two places, with its metadata, so that it can be put back."""
    return msgspec.structs.replace(ticket, raw_metadata=metadata.get(ticket.ticket_id))


def fetched(
    mode: GameMode,
    there: Sequence[tuple[bytes, float, bytes | None]],
    hand_made: Mapping[bytes, bytes],
) -> Fetched:
    """The tickets that were read. `hand_made`: ticket id -> metadata in a key of its own."""
    tickets: list[Ticket] = []
    poisoned: list[PoisonedTicket] = []
    incomplete: list[PoisonedTicket] = []
    metadata: dict[str, str] = {}
    for ticket_id, since, inline in there:
        text = inline if inline is not None else hand_made.get(ticket_id)
        name = keys.text(ticket_id)
        if text is None:
            incomplete.append(
                PoisonedTicket(
                    ticket_id=name,
                    enqueued_at=since,
                    raw_metadata=None,
                    reason="Metadata not found",
                    kind=Poison.METADATA_NOT_FOUND,
                )
            )
            continue
        ticket = read_ticket(name, since, text, mode, hand_made=inline is None)
        if isinstance(ticket, Ticket):
            tickets.append(ticket)
            metadata[name] = text.decode()
        else:
            poisoned.append(ticket)
    return Fetched(
        tickets=tuple(tickets),
        poisoned=tuple(poisoned),
        incomplete=tuple(incomplete),
        metadata=metadata,
    )
