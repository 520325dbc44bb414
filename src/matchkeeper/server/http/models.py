"""What the API answers."""

from __future__ import annotations

from typing import Any

import msgspec

from matchkeeper.domain.match import seats_of
from matchkeeper.operate.operator import PartyPlace, QueueState
from matchkeeper.store import keys
from matchkeeper.store.dead_letters import DeadLetter
from matchkeeper.store.history import Happened
from matchkeeper.store.pending import PendingMatch, UnreadableMatch
from matchkeeper.wire.limits import printable


class Queue(msgspec.Struct, kw_only=True):
    """One queue. Waits are in seconds."""

    mode: str
    key: str
    required_players: int
    handoff: str
    length: int
    oldest_wait_seconds: float | None
    pending_matches: int
    dead_letters: int
    states: list[str]
    """`drained`, `paused`, or both, while an operator holds the mode."""


class TicketView(msgspec.Struct, kw_only=True):
    """A player or a party that waits. `held`: why it is matched with nobody now."""

    player_id: str
    """The player; the party's id, where it is one."""
    players: list[str]
    """Everybody of the ticket."""
    pod_id: str
    """The pod that asked; of a party that of its first player."""
    enqueued_at: float
    waited_seconds: float
    metadata: Any
    held: str | None


class TicketPage(msgspec.Struct, kw_only=True):
    """Part of a queue, longest waiting first."""

    mode: str
    length: int
    start: int
    tickets: list[TicketView]
    next_start: int | None
    """Where to read on, when the answer ended early because it grew too large."""
    unreadable: list[str]
    """Players whose ticket the next round sets aside."""


class HappenedView(msgspec.Struct, kw_only=True):
    """One thing that happened to a player, or to a match of that player."""

    at: float
    """Unix seconds."""
    event: str
    """queued, committed, offered_again, claimed, started, given_back, dequeued, expired, …"""
    game_mode: str
    match_id: str | None
    pod_id: str | None
    """The pod that claimed, declined or started it."""
    party_id: str | None
    """The party with which it happened to the player."""
    detail: str
    """The cause, the reason, the code of a refusal, or who left."""


class PartyView(msgspec.Struct, kw_only=True):
    """A party that waits, or is in a match that has not started."""

    mode: str
    party_id: str
    players: list[str]


class PlayerView(msgspec.Struct, kw_only=True):
    """Where a player is, or a party, and how that came."""

    player_id: str
    """The party's id, where that was asked about."""
    queues: dict[str, float]
    """Mode -> enqueue time, Unix seconds."""
    pending_match: dict[str, str] | None
    party: PartyView | None
    """The party with which the player waits, or is in the match."""
    history: list[HappenedView]
    """Newest first: what the history of each queue still holds."""


class MatchView(msgspec.Struct, kw_only=True):
    """A match that waits to be claimed or confirmed. `problem`: why it cannot be read; then there
    is nothing else, and it is set aside as soon as it is due.
    """

    match_id: str
    state: str
    epoch: int | None
    offers: int | None
    created_at: float | None
    claimed_by: str | None
    teams: list[list[str]]
    problem: str | None


class DeadLetterView(msgspec.Struct, kw_only=True):
    """A ticket that was set aside."""

    id: str
    player_id: str
    reason: str
    metadata: str
    enqueued_at: float
    set_aside_at: float


class BreakerView(msgspec.Struct, kw_only=True):
    """The circuit breaker of this server."""

    state: str
    failures: int
    seconds_until_probe: float | None
    """None while an operator holds it open."""


class PodView(msgspec.Struct, kw_only=True):
    """A game server process."""

    pod_id: str
    heard_seconds_ago: float | None
    silent: bool
    unclaimed_in_a_row: int
    not_started_in_a_row: int
    """Matches that it claimed, where its claims are refused for that; else 0."""


class Requeue(msgspec.Struct, kw_only=True):
    """Mended metadata for a dead letter; absent: what it had."""

    metadata: dict[str, Any] | None = None


class Done(msgspec.Struct, kw_only=True):
    """A change was made."""

    done: str


class Readiness(msgspec.Struct, kw_only=True):
    """Whether this server should get requests, and why not."""

    ready: bool
    reasons: list[str]
    warnings: list[str]


def queue_view(state: QueueState) -> Queue:
    """A queue for the API."""
    return Queue(
        mode=state.mode.name,
        key=keys.queue(state.mode.queue),
        required_players=state.mode.required_players,
        handoff=state.mode.handoff.value,
        length=state.length,
        oldest_wait_seconds=state.oldest_wait_seconds,
        pending_matches=state.pending_matches,
        dead_letters=state.dead_letters,
        states=sorted(state.states),
    )


def match_view(match: PendingMatch | UnreadableMatch) -> MatchView:
    """A pending match for the API."""
    if isinstance(match, UnreadableMatch):
        return MatchView(
            match_id=printable(match.match_id),
            state=printable(match.state),
            epoch=None,
            offers=None,
            created_at=None,
            claimed_by=None,
            teams=[],
            problem=printable(match.reason),
        )
    return MatchView(
        match_id=match.match_id,
        state=match.state.value,
        epoch=match.epoch,
        offers=match.offers,
        created_at=match.created_at,
        claimed_by=match.claimed_by,
        teams=[
            [seat.player_id for seat in team]
            for team in seats_of(match.teams, len(match.teams), match.seating)
        ],
        problem=None,
    )


def letter_view(letter: DeadLetter) -> DeadLetterView:
    """A dead letter for the API."""
    return DeadLetterView(
        id=letter.entry_id,
        player_id=letter.player_id,
        reason=letter.reason,
        metadata=letter.metadata,
        enqueued_at=letter.enqueued_at,
        set_aside_at=letter.set_aside_at,
    )


def party_view(party: PartyPlace | None) -> PartyView | None:
    """None where there is none."""
    if party is None:
        return None
    return PartyView(mode=party.mode, party_id=party.party_id, players=list(party.players))


def happened_view(happened: Happened, mode: str) -> HappenedView:
    """An entry of the history for the API."""
    return HappenedView(
        at=happened.at,
        event=happened.what,
        game_mode=mode,
        match_id=happened.match_id or None,
        pod_id=happened.pod_id or None,
        party_id=happened.party_id or None,
        detail=happened.detail,
    )
