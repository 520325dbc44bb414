"""Pending matches, as they are read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from matchkeeper.domain.match import MatchState, Seating
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.realm import QueueName
from matchkeeper.domain.ticket import Member, PoisonedTicket, Ticket, members_of
from matchkeeper.store import keys
from matchkeeper.store.claimers import Claimer, claimers
from matchkeeper.store.scripts import Unsent, each, script
from matchkeeper.wire.metadata import metadata_sum, read_ticket

_seating = msgspec.json.Decoder(Seating)
_stored = msgspec.msgpack.Decoder(tuple[list[int], list[str], list[str], list[str]])
"""Tickets of each team; then, team after team, their ids, enqueue times and metadata."""


def text_of_seating(seating: Seating | None) -> str | None:
    """A seating, as it is kept with the match: JSON."""
    return None if seating is None else msgspec.json.encode(seating).decode()


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
    """Ticket id -> JSON text."""
    claimed_by: str | None
    confirm: str | None
    """Token of the confirm."""
    declined_by: str | None
    seating: Seating | None = None
    """What the rules of the mode decided, where it had some."""

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
    """Matches whose deadline has passed, the earliest first."""
    claimers: tuple[Claimer, ...]
    """Game servers whose last claims came to nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableMatch:
    """An entry of the pending matches behind which there is no pending match that can be read."""

    match_id: str
    state: str
    """The state as it stands there, like the epoch; empty where there is none."""
    epoch: str
    reason: str

    @property
    def is_over(self) -> bool:
        """There was a match, and it has ended."""
        return self.state in (MatchState.STARTED, MatchState.GIVEN_BACK)


def _overdue(reply: Any) -> Overdue:
    now, pending, overdue, failing = reply
    return Overdue(
        pending=int(pending),
        match_ids=tuple(map(keys.text, overdue)),
        claimers=claimers(float(now), failing),
    )


@script(_overdue, keys.pending, keys.claimers, keys.clock)
def overdue(*, queue: Unsent[QueueName], start: int, count: int) -> None:
    """Matches whose deadline has passed. `start`: how many to pass over."""


class Unreadable(NamedTuple):
    """A match to set aside, if it still is as it was read."""

    match_id: str
    state: str
    epoch: str
    reason: bytes


def _ids(reply: Any) -> tuple[list[str], list[str]]:
    matches, tickets = reply
    return [keys.text(each) for each in matches], [keys.text(each) for each in tickets]


@script(
    _ids,
    *(keys.answered, keys.pending, keys.matched, keys.leaving, keys.dead),
    *(keys.history, keys.news, keys.clock),
    each("matches", match=keys.match),
)
def set_aside_matches(
    *,
    queue: Unsent[QueueName],
    token: Unsent[str],
    memory: int,
    news_ms: int,
    kept: int,
    look_ms: int,
    mode: str,
    matches: Sequence[Unreadable],
) -> None:
    """The matches that this call has set aside, and the tickets that are dead letters now.

    `kept`: how many dead letters. `look_ms`: how long such a match is kept, for people to look at.
    """


def read_match(
    mode: GameMode, match_id: str, fields: Mapping[bytes, bytes] | None
) -> PendingMatch | UnreadableMatch:
    """The match in a hash; `fields` None: the key holds no hash."""
    if fields is None:
        return UnreadableMatch(match_id=match_id, state="", epoch="", reason="it is no hash")
    state = keys.text(fields.get(b"state", b""))
    try:
        if not fields:
            raise ValueError("there is no such match")
        if state not in (MatchState.OFFERED, MatchState.CLAIMED, MatchState.CONFIRMED):
            raise ValueError(f"its state is {state!r}")
        return _pending(mode, match_id, fields)
    except KeyError as error:
        reason = f"it has no field {error.args[0].decode()}"
    except (ValueError, msgspec.DecodeError) as error:
        reason = str(error)
    epoch = keys.text(fields.get(b"epoch", b""))
    return UnreadableMatch(match_id=match_id, state=state, epoch=epoch, reason=reason)


def _pending(mode: GameMode, match_id: str, fields: Mapping[bytes, bytes]) -> PendingMatch:
    sizes, ids, scores, texts = _stored.decode(fields[b"tickets"])
    if sum(sizes) != len(ids):
        raise ValueError("its teams are not its players")
    metadata = dict(zip(ids, texts, strict=True))
    tickets = [
        _ticket(mode, ticket_id, _finite(score), metadata[ticket_id])
        for ticket_id, score in zip(ids, scores, strict=True)
    ]
    claimed_by, confirm, declined_by = map(fields.get, (b"claimed_by", b"confirm", b"declined_by"))
    left = iter(tickets)
    return PendingMatch(
        match_id=match_id,
        state=MatchState(fields[b"state"].decode()),
        epoch=_number(fields[b"epoch"]),
        offers=_number(fields[b"offers"]),
        created_at=_finite(fields[b"created"].decode()),
        teams=tuple(tuple(islice(left, size)) for size in sizes),
        metadata=metadata,
        claimed_by=None if claimed_by is None else claimed_by.decode(),
        confirm=None if confirm is None else confirm.decode(),
        declined_by=None if declined_by is None else declined_by.decode(),
        seating=_seating_in(fields, tickets),
    )


def _seating_in(fields: Mapping[bytes, bytes], tickets: Sequence[Ticket]) -> Seating | None:
    if b"seating" not in fields:
        return None
    seating = _seating.decode(fields[b"seating"])
    seated = sorted([player for team in seating.teams for player, _ in team])
    if seated != sorted([each.player_id for each in members_of(tickets)]):
        raise ValueError("its seats are not its players")
    return seating


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no time")
    return number


def _number(text: bytes) -> int:
    number = int(text)
    if not 0 < number < 2**31:
        raise ValueError(f"{number} is no number of an offer")
    return number


def _ticket(mode: GameMode, ticket_id: str, score: float, metadata: str) -> Ticket:
    ticket = read_ticket(ticket_id, score, metadata.encode(), mode)
    if isinstance(ticket, PoisonedTicket):
        # The match itself is whole: the rules of its mode have changed since the commit.
        return Ticket(
            ticket_id=ticket_id,
            members=ticket.members or (Member(ticket_id, ""),),
            enqueued_at=score,
            metadata_sum=metadata_sum(metadata.encode()),
        )
    return ticket
