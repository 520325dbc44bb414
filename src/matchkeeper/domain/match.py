"""Proposals, and the states of a committed match."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import chain

import msgspec

from matchkeeper.domain.ticket import Ticket


class Proposal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tickets that a strategy would put into one match, by team."""

    teams: tuple[tuple[Ticket, ...], ...]
    """A party that fills the match by itself stands in the first team, and the others are empty."""

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        """All tickets, team after team."""
        return tuple(chain.from_iterable(self.teams))


class Seat(msgspec.Struct, frozen=True, gc=False):
    """A place in a match."""

    player_id: str
    pod_id: str
    ticket: Ticket

    @property
    def party_id(self) -> str | None:
        """The party that the player came with."""
        return self.ticket.party_id


def seats_of(teams: Sequence[Sequence[Ticket]], count: int) -> list[list[Seat]]:
    """Who sits in which of `count` teams. A party that fills the match by itself is divided into
    the teams, in the order of its players.
    """
    seats = [
        [Seat(each.player_id, each.pod_id, ticket) for ticket in team for each in ticket.members]
        for team in teams
    ]
    if sum(map(len, teams)) > 1:
        return seats
    everybody = [seat for team in seats for seat in team]
    size = len(everybody) // count
    return [everybody[nth * size : (nth + 1) * size] for nth in range(count)]


class MatchState(StrEnum):
    """The life of a committed match."""

    OFFERED = "offered"
    CLAIMED = "claimed"
    CONFIRMED = "confirmed"
    """Its game server starts it once the confirm is durable, or gives it back itself."""
    STARTED = "started"
    """The last word: delivered. In publish handoff a match starts here."""
    GIVEN_BACK = "given_back"
