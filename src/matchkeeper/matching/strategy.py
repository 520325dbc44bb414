"""Which strategy a mode uses."""

from __future__ import annotations

from collections.abc import Sequence

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.first_come import first_come_first_served
from matchkeeper.matching.pairing import Pairing, Strategy
from matchkeeper.matching.rating import closest_ratings

__all__ = ["Pairing", "Strategy", "strategy_for"]


def strategy_for(mode: GameMode) -> Strategy:
    """Closest ratings where the mode has rating rules, else first come, first served."""

    def by_arrival(tickets: Sequence[Ticket], now: float) -> Pairing:
        del now
        return first_come_first_served(
            tickets, required_players=mode.required_players, teams=mode.teams
        )

    if mode.rating is None:
        return by_arrival
    rules = mode.rating

    def by_rating(tickets: Sequence[Ticket], now: float) -> Pairing:
        return closest_ratings(
            tickets,
            now,
            rules=rules,
            required_players=mode.required_players,
            teams=mode.teams,
        )

    return by_rating
