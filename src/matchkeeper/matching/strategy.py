"""Which strategy a mode uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import GameMode, RatingRules
from matchkeeper.domain.party import misfit
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.first_come import first_come_first_served, first_come_with_parties
from matchkeeper.matching.pairing import Pairing, Strategy
from matchkeeper.matching.rated_parties import closest_with_parties
from matchkeeper.matching.rating import closest_ratings
from matchkeeper.matching.rules.lineup import Met, nobody
from matchkeeper.matching.rules.strategy import by_rules
from matchkeeper.matching.worth import worth_waiting

__all__ = ["Pairing", "Strategy", "strategy_for"]

_Way = Callable[[Sequence[Ticket], float], Pairing]


def strategy_for(mode: GameMode, *, met: Met = nobody) -> Strategy:
    """As the rules say where the mode has some; closest ratings where it has rating rules; else
    first come, first served.
    """
    if mode.rules is not None:
        return _by_rules(mode, met)
    lone, mixed = _by_arrival(mode) if mode.rating is None else _by_rating(mode, mode.rating)

    def choose(tickets: Sequence[Ticket], now: float, *, parties: bool = True) -> Pairing:
        if not parties or not _has_parties(tickets):
            return lone(tickets, now)
        whole, fitting, never = _apart(tickets, mode)
        pairing = (mixed if _has_parties(fitting) else lone)(fitting, now)
        return Pairing(
            proposals=(*_by_themselves(whole, mode.teams), *pairing.proposals),
            unmatched=(*never, *pairing.unmatched),
        )

    return choose


def _by_rules(mode: GameMode, met: Met) -> Strategy:
    def choose(tickets: Sequence[Ticket], now: float, *, parties: bool = True) -> Pairing:
        del parties  # a lone player is a ticket like others
        return by_rules(tickets, now, mode=mode, met=met)

    return choose


def _by_arrival(mode: GameMode) -> tuple[_Way, _Way]:
    """Without parties, and with them."""

    def lone(tickets: Sequence[Ticket], now: float) -> Pairing:
        del now
        return first_come_first_served(
            tickets, required_players=mode.required_players, teams=mode.teams
        )

    def mixed(tickets: Sequence[Ticket], now: float) -> Pairing:
        del now
        return first_come_with_parties(tickets, teams=mode.teams, size=mode.team_size)

    return lone, mixed


def _by_rating(mode: GameMode, rules: RatingRules) -> tuple[_Way, _Way]:
    """As `_by_arrival`."""
    worth = rules.second_is_worth

    def lone(tickets: Sequence[Ticket], now: float) -> Pairing:
        if worth is not None:
            return worth_waiting(tickets, now, rules=rules, worth=worth, teams=mode.teams)
        return closest_ratings(
            tickets, now, rules=rules, required_players=mode.required_players, teams=mode.teams
        )

    def mixed(tickets: Sequence[Ticket], now: float) -> Pairing:
        return closest_with_parties(
            tickets, now, rules=rules, teams=mode.teams, size=mode.team_size
        )

    return lone, mixed


def _has_parties(tickets: Sequence[Ticket]) -> bool:
    return sum([len(each.members) for each in tickets]) > len(tickets)


def _apart(
    tickets: Sequence[Ticket], mode: GameMode
) -> tuple[list[Ticket], list[Ticket], list[Ticket]]:
    """Tickets that fill a match by themselves, the longest waiting first; others that fit into a
    team; and those that fit into no match.
    """
    whole: list[Ticket] = []
    fitting: list[Ticket] = []
    never: list[Ticket] = []
    for ticket in tickets:
        players = len(ticket.members)
        if players == mode.required_players:
            whole.append(ticket)
        else:
            (never if misfit(players, mode) else fitting).append(ticket)
    return sorted(whole, key=attrgetter("enqueued_at")), fitting, never


def _by_themselves(parties: Sequence[Ticket], teams: int) -> list[Proposal]:
    return [Proposal(teams=((party,), *[()] * (teams - 1))) for party in parties]
