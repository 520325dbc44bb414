"""Tickets for tests that need no store."""

from __future__ import annotations

from matchkeeper.domain.ticket import Member, Ticket


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
