"""A match as rules look at it: who plays on which team, with which values, after which wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from matchkeeper.domain.attribute import Value
from matchkeeper.domain.layout import LATENCIES, ROLES
from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.rule import PartyValue
from matchkeeper.domain.ticket import Ticket

Met = Callable[[str], Mapping[str, float]]
"""Player -> whom the player was in a match with lately, and when last (Unix time in seconds)."""


def nobody(player_id: str) -> Mapping[str, float]:
    """Nobody has met anybody."""
    del player_id
    return {}


class Player(NamedTuple):
    """A player of a match."""

    player_id: str
    ticket_id: str
    values: Mapping[str, Value]
    """Attribute -> value."""
    role: str | None = None
    ranking: tuple[str, ...] = ()
    """The roles that the player wants, the favourite first; none: any."""

    def number(self, attribute: str) -> float:
        """The value of an attribute that is a number."""
        value = self.values[attribute]
        if not isinstance(value, float):
            raise TypeError(f"{attribute} of {self.player_id} is no number")
        return value

    def words(self, attribute: str) -> frozenset[str]:
        """The value of an attribute that is a set or a ranking."""
        value = self.values[attribute]
        if isinstance(value, float | str):
            raise TypeError(f"{attribute} of {self.player_id} is no set")
        return frozenset([each for each in value if isinstance(each, str)])

    @property
    def pings(self) -> dict[str, float]:
        """Milliseconds by region, where they are known."""
        return dict(self.values.get(LATENCIES, ()))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineup:
    """Who plays on which team."""

    teams: tuple[tuple[Player, ...], ...]
    waits: Mapping[str, float]
    """Ticket -> seconds of waiting."""
    region: str | None = None

    @property
    def players(self) -> Iterator[Player]:
        """Everybody, team after team."""
        return chain.from_iterable(self.teams)


def players_of(ticket: Ticket, mode: GameMode) -> list[Player]:
    """The players of a ticket, with their attributes."""
    names = [each.name for each in mode.attributes]
    values = ticket.values or [()] * len(ticket.members)
    found = []
    for member, its in zip(ticket.members, values, strict=True):
        of = dict(zip(names, its, strict=True))
        wanted = of.get(ROLES, ())
        ranking = wanted if isinstance(wanted, tuple) else ()
        found.append(Player(member.player_id, ticket.ticket_id, of, None, ranking))  # type: ignore[arg-type]
    return found


def lineup_of(proposal: Proposal, mode: GameMode, now: float) -> Lineup:
    """The match that a proposal with a seating would be. `now`: Unix time in seconds. Raises
    KeyError where somebody is seated who is in none of its tickets.
    """
    players = {
        each.player_id: each for ticket in proposal.tickets for each in players_of(ticket, mode)
    }
    seating = proposal.seating
    teams = () if seating is None else seating.teams
    return Lineup(
        teams=tuple(
            [tuple([players[name]._replace(role=role) for name, role in team]) for team in teams]
        ),
        waits=waits_of(proposal.tickets, now),
        region=None if seating is None else seating.region,
    )


def waits_of(tickets: Sequence[Ticket], now: float) -> dict[str, float]:
    """Ticket -> seconds of waiting."""
    return {each.ticket_id: max(0.0, now - each.enqueued_at) for each in tickets}


def one_number(numbers: Sequence[float], value: PartyValue) -> float:
    """With which number a party counts. Not for `every`."""
    if value is PartyValue.MAX:
        return max(numbers)
    if value is PartyValue.MIN:
        return min(numbers)
    return sum(numbers) / len(numbers)
