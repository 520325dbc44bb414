"""Proposals, and the states of a committed match."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import chain

import msgspec

from matchkeeper.domain.ticket import Ticket


class Seating(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What the rules of a mode decided beside who is in the match. It is kept with the match."""

    teams: tuple[tuple[tuple[str, str | None], ...], ...]
    """(player, role) of each team; on a team without roles the role is None."""
    region: str | None = None
    """Where the match is to be played; None where the mode chooses none."""
    names: tuple[str, ...] = ()
    """The names of the teams."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tickets that a strategy would put into one match, by team."""

    teams: tuple[tuple[Ticket, ...], ...]
    """A party that fills the match by itself stands in the first team, and the others are empty."""
    seating: Seating | None = None
    """None where the mode has no rules."""

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        """All tickets, team after team."""
        return tuple(chain.from_iterable(self.teams))


class Seat(msgspec.Struct, frozen=True, gc=False):
    """A place in a match."""

    player_id: str
    pod_id: str
    ticket: Ticket
    party_id: str | None
    """The party that the player came with."""
    role: str | None = None


def seats_of(
    teams: Sequence[Sequence[Ticket]], count: int, seating: Seating | None = None
) -> list[list[Seat]]:
    """Who sits in which of `count` teams. Without a seating, a party that fills the match by itself
    is divided into the teams, in the order of its players.
    """
    if seating is not None:
        return _seated(teams, seating)
    seats = [
        [
            Seat(each.player_id, each.pod_id, ticket, party)
            for ticket in team
            for party in (ticket.party_id,)
            for each in ticket.members
        ]
        for team in teams
    ]
    if sum(map(len, teams)) > 1:
        return seats
    everybody = [seat for team in seats for seat in team]
    size = len(everybody) // count
    return [everybody[nth * size : (nth + 1) * size] for nth in range(count)]


def _seated(teams: Sequence[Sequence[Ticket]], seating: Seating) -> list[list[Seat]]:
    of = {
        each.player_id: (each, ticket)
        for team in teams
        for ticket in team
        for each in ticket.members
    }
    return [
        [
            Seat(player, member.pod_id, ticket, ticket.party_id, role)
            for player, role in team
            for member, ticket in (of[player],)
        ]
        for team in seating.teams
    ]


class MatchState(StrEnum):
    """The life of a committed match."""

    OFFERED = "offered"
    CLAIMED = "claimed"
    CONFIRMED = "confirmed"
    """Its game server starts it once the confirm is durable, or gives it back itself."""
    STARTED = "started"
    """The last word: delivered. In publish handoff a match starts here."""
    GIVEN_BACK = "given_back"
