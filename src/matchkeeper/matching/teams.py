"""Divides the tickets of one match into teams of equal size."""

from __future__ import annotations

from collections.abc import Sequence

from matchkeeper.domain.ticket import Ticket

Teams = tuple[tuple[Ticket, ...], ...]


def in_order(tickets: Sequence[Ticket], teams: int) -> Teams:
    """Deals tickets round in the order given: the first to team 1, the second to team 2, …"""
    if len(tickets) == teams:
        return tuple(zip(tickets, strict=True))
    return tuple(tuple(tickets[team::teams]) for team in range(teams))


def seated(
    tickets: Sequence[Ticket],
    weights: Sequence[float],
    placed: Sequence[tuple[int, int]],
    teams: int,
    size: int,
) -> Teams:
    """Puts tickets with parties on teams. `placed` says which team has a place for a party of which
    size: (size, team); lone players fill the rest. The largest parties come first, of those equally
    large the one whose players weigh most, and of equals the first. Each goes to the lightest team
    that has a place for its size. `weights`: for each ticket, of one of its players.
    """
    places = {1: [size] * teams}
    for players, team in placed:
        places.setdefault(players, [0] * teams)[team] += 1
        places[1][team] -= players
    sums = [0.0] * teams
    members: list[list[Ticket]] = [[] for _ in range(teams)]
    sizes = [len(each.members) for each in tickets]
    keys = [(-players, -weight) for players, weight in zip(sizes, weights, strict=True)]
    for index in sorted(range(len(tickets)), key=keys.__getitem__):
        left = places[sizes[index]]
        team = min([each for each in range(teams) if left[each]], key=sums.__getitem__)
        left[team] -= 1
        sums[team] += sizes[index] * weights[index]
        members[team].append(tickets[index])
    return tuple([tuple(team) for team in members])
