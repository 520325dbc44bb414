"""Proposals, and the states of a committed match."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import chain

import msgspec

from matchkeeper.domain.ticket import Member, Ticket, members_of


class Proposal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tickets that a strategy would put into one match, by team."""

    teams: tuple[tuple[Ticket, ...], ...]
    """A party that fills the match by itself stands in the first team, and the others are empty;
    `divided` divides it.
    """

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        """All tickets, team after team."""
        return tuple(chain.from_iterable(self.teams))

    @property
    def players(self) -> tuple[tuple[Member, ...], ...]:
        """The players of each team."""
        return divided(self.teams)


def divided(teams: Sequence[Sequence[Ticket]]) -> tuple[tuple[Member, ...], ...]:
    """The players of each team. A party that fills the match by itself, and so stands alone in the
    first team, is divided into the teams in the order of its members.
    """
    sides = tuple([tuple(members_of(team)) for team in teams])
    if len(teams) == 1 or len(teams[0]) != 1 or any(teams[1:]):
        return sides
    everybody, size = sides[0], len(sides[0]) // len(teams)
    return tuple([everybody[first : first + size] for first in range(0, len(everybody), size)])


class MatchState(StrEnum):
    """The life of a committed match."""

    OFFERED = "offered"
    CLAIMED = "claimed"
    CONFIRMED = "confirmed"
    """Its game server starts it once the confirm is durable, or gives it back itself."""
    STARTED = "started"
    """The last word: delivered. In publish handoff a match starts here."""
    GIVEN_BACK = "given_back"
