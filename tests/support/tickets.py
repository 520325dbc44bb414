"""Tickets for tests that need no store, and which of them a match has room for."""

from __future__ import annotations

from collections.abc import Sequence

from matchkeeper.domain.match import seats_of
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Member, Ticket
from matchkeeper.wire.offers import match_found


def lone(
    player_id: str,
    pod_id: str = "a",
    *,
    since: float = 1.0,
    metadata_sum: str = "",
    rating: float | None = None,
) -> Ticket:
    """The ticket of a player who comes alone."""
    return Ticket(
        ticket_id=player_id,
        members=(Member(player_id, pod_id),),
        enqueued_at=since,
        metadata_sum=metadata_sum,
        rating=rating,
    )


def party(
    party_id: str,
    players: int,
    pod_id: str = "a",
    *,
    since: float = 1.0,
    rating: float | None = None,
) -> Ticket:
    """The ticket of players who stay together; `party_id` and a number make their ids."""
    return Ticket(
        ticket_id=party_id,
        members=tuple(Member(f"{party_id}.{number}", pod_id) for number in range(players)),
        enqueued_at=since,
        metadata_sum="",
        rating=rating,
    )


def told(teams: Sequence[Sequence[Ticket]], mode: GameMode) -> list[tuple[str, str]]:
    """(pod, message) of `MatchFound` for all players of match `m`, as scripts put it together in
    `publish` handoff.
    """
    found = match_found(seats_of(teams, mode.teams), mode, "m", lambda pod: pod)
    return [
        (pod, '{"player_id":' + player + rest + found.common + "null}}}")
        for pod, player, rest in found.players
    ]


def fits(parties: Sequence[int], room: Sequence[int]) -> bool:
    """Whether each party has a place on a team, by trying all."""
    if not parties:
        return True
    return any(
        fits(parties[1:], [*room[:team], left - parties[0], *room[team + 1 :]])
        for team, left in enumerate(room)
        if left >= parties[0]
    )
