"""Proposals, and the states of a committed match."""

from __future__ import annotations

from enum import StrEnum
from itertools import chain

import msgspec

from matchkeeper.domain.ticket import Ticket


class Proposal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tickets that a strategy would put into one match, by team."""

    teams: tuple[tuple[Ticket, ...], ...]

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        """All tickets, team after team."""
        return tuple(chain.from_iterable(self.teams))


class MatchState(StrEnum):
    """The life of a committed match."""

    OFFERED = "offered"
    CLAIMED = "claimed"
    CONFIRMED = "confirmed"
    """Its game server starts it once the confirm is durable, or gives it back itself."""
    STARTED = "started"
    """The last word: delivered. In publish handoff a match starts here."""
    GIVEN_BACK = "given_back"
