"""Proposals, and the states of a committed match."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from matchkeeper.domain.ticket import Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Tickets whom a strategy would put into one match, by team."""

    teams: tuple[tuple[Ticket, ...], ...]

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        """All tickets, team after team."""
        return tuple(self._walk())

    def _walk(self) -> Iterator[Ticket]:
        for team in self.teams:
            yield from team


class MatchState(StrEnum):
    """The life of a committed match."""

    OFFERED = "offered"
    CLAIMED = "claimed"
    STARTED = "started"
    """The last word: delivered. In publish handoff a match starts here."""
    GIVEN_BACK = "given_back"
