"""First come, first served."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.filling import Candidate, filled
from matchkeeper.matching.pairing import Pairing
from matchkeeper.matching.room import Searches
from matchkeeper.matching.teams import in_order, seated


def first_come_first_served(
    tickets: Sequence[Ticket], *, required_players: int, teams: int
) -> Pairing:
    """Lone players who wait longest first, `required_players` at a time; equal times keep their
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


def first_come_with_parties(tickets: Sequence[Ticket], *, teams: int, size: int) -> Pairing:
    """Each match is made around the ticket that waits longest of those that are in any full match,
    and of the full matches with that ticket it is the one with the longest waiting: the second of
    it is as old as can be, then the third, and so on. No ticket has more players than a team,
    `size`.
    """
    waiting = sorted(tickets, key=lambda ticket: ticket.enqueued_at)
    searches = Searches(teams=teams, size=size)
    lines: dict[int, deque[Candidate]] = {}
    for number, ticket in enumerate(waiting):
        players = len(ticket.members)
        lines.setdefault(players, deque()).append((0.0, number, players))
    proposals, free = [], bytearray(b"\1") * len(waiting)
    for number, ticket in enumerate(waiting):
        players = len(ticket.members)
        if not free[number] or players not in lines:
            continue
        sources = {each: iter(line) for each, line in lines.items()}
        anchor = next(sources[players])  # the oldest of its size
        found = filled(anchor, sources, searches)
        if found is None:
            del lines[players]  # no full match has one of this size, then or later
            continue
        for each in found.numbers:
            free[each] = 0
            lines[len(waiting[each].members)].popleft()
        group = [waiting[each] for each in sorted(found.numbers)]
        loads = [1.0] * len(group)
        proposals.append(Proposal(teams=seated(group, loads, found.placed, teams, size)))
    unmatched = tuple([ticket for number, ticket in enumerate(waiting) if free[number]])
    return Pairing(proposals=tuple(proposals), unmatched=unmatched)
