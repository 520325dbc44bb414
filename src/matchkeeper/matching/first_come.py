"""First come, first served."""

from __future__ import annotations

from collections.abc import Sequence

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.pairing import Pairing
from matchkeeper.matching.teams import in_order


def first_come_first_served(
    tickets: Sequence[Ticket], *, required_players: int, teams: int
) -> Pairing:
    """Players who wait longest first, `required_players` at a time; equal times keep their
    order.
    """
    waiting = sorted(tickets, key=lambda ticket: ticket.enqueued_at)
    full = len(waiting) - len(waiting) % required_players
    return Pairing(
        proposals=tuple(
            Proposal(teams=in_order(waiting[first : first + required_players], teams))
            for first in range(0, full, required_players)
        ),
        unmatched=tuple(waiting[full:]),
    )
