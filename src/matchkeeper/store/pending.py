"""Pending matches, as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

import msgspec

from matchkeeper.domain.match import MatchState
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import PoisonedTicket, Ticket
from matchkeeper.protocol.metadata import metadata_sum, read_ticket
from matchkeeper.store.claimers import Claimer

_stored = msgspec.msgpack.Decoder(tuple[list[int], list[str], list[str], list[str]])
"""Players of each team; then, team after team, the players, enqueue times and metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingMatch:
    """A match that waits to be claimed or confirmed."""

    match_id: str
    state: MatchState
    epoch: int
    offers: int
    created_at: float
    teams: tuple[tuple[Ticket, ...], ...]
    metadata: Mapping[str, str]
    """Player -> JSON text."""
    claimed_by: str | None
    token: str | None
    """Of the claim."""
    declined_by: str | None

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        """All tickets, team after team."""
        return tuple(ticket for team in self.teams for ticket in team)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """The pending matches of a mode at one moment."""

    pending: int
    """How many there are."""
    match_ids: tuple[str, ...]
    """Of those whose deadline has passed, the earliest first."""
    claimers: tuple[Claimer, ...]
    """Game servers whose last claims came to nothing."""


def pending_match(
    mode: GameMode, match_id: str, fields: Mapping[bytes, bytes]
) -> PendingMatch | None:
    """A match out of its hash; None when it is over, or never was.

    Raises ValueError, KeyError or msgspec.DecodeError where it cannot be read.
    """
    if fields.get(b"state") not in (b"offered", b"claimed", b"confirmed"):
        return None

    def text(name: bytes) -> str | None:
        value = fields.get(name)
        return None if value is None else value.decode()

    sizes, players, scores, texts = _stored.decode(fields[b"tickets"])
    metadata = dict(zip(players, texts, strict=True))
    tickets = iter(
        [
            _ticket(mode, player, score, metadata[player])
            for player, score in zip(players, scores, strict=True)
        ]
    )
    return PendingMatch(
        match_id=match_id,
        state=MatchState(fields[b"state"].decode()),
        epoch=int(fields[b"epoch"]),
        offers=int(fields[b"offers"]),
        created_at=float(fields[b"created"]),
        teams=tuple(tuple(islice(tickets, size)) for size in sizes),
        metadata=metadata,
        claimed_by=text(b"claimed_by"),
        token=text(b"token"),
        declined_by=text(b"declined_by"),
    )


def _ticket(mode: GameMode, player_id: str, score: str, metadata: str) -> Ticket:
    ticket = read_ticket(player_id, float(score), metadata.encode(), mode)
    if isinstance(ticket, PoisonedTicket):
        # Only a mode whose rules changed since the commit gets here: the match itself is whole.
        return Ticket(
            player_id=player_id,
            enqueued_at=float(score),
            pod_id=ticket.pod_id or "",
            metadata_sum=metadata_sum(metadata.encode()),
        )
    return ticket
