"""Divides the players of one match into teams of equal size."""

from __future__ import annotations

from collections.abc import Sequence

from matchkeeper.domain.ticket import Ticket

Teams = tuple[tuple[Ticket, ...], ...]


def in_order(tickets: Sequence[Ticket], teams: int) -> Teams:
    """Deals tickets round in the order given: the first to team 1, the second to team 2, …"""
    if len(tickets) == teams:
        return tuple(zip(tickets, strict=True))
    return tuple(tuple(tickets[team::teams]) for team in range(teams))


def balanced(tickets: Sequence[Ticket], ratings: Sequence[float], teams: int) -> Teams:
    """Makes the sums of ratings as equal as a greedy choice can: each ticket, strongest first, goes
    to the weakest team that has room (R. L. Graham's "longest processing time first", 1969, with a
    limit on the size of a team). `ratings` belong to `tickets`, one each.
    """
    size = len(tickets) // teams
    if size == 1:
        return in_order(tickets, teams)
    sums = [0.0] * teams
    members: list[list[Ticket]] = [[] for _ in range(teams)]
    for index in sorted(range(len(tickets)), key=lambda index: -ratings[index]):
        team = min(
            (team for team in range(teams) if len(members[team]) < size),
            key=lambda team: (sums[team], team),
        )
        sums[team] += ratings[index]
        members[team].append(tickets[index])
    return tuple(tuple(team) for team in members)
