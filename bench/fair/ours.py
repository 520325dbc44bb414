"""The strategies of the server, as it runs them: with each arrival, and at each tick."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bench.fair.traces import rating_of
from matchkeeper.config import GameModeSettings
from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.density import Density
from matchkeeper.matching.strategy import strategy_for

_TICK_SECONDS = 5.0


def mode(*, players: int, teams: int, worth: float | None = None) -> GameMode:
    """With the settings of somebody who changed nothing else."""
    settings = GameModeSettings(
        game_mode="M",
        required_players=players,
        teams=teams,
        use_mmr_matching=True,
        second_is_worth=worth or 0,
    )
    return settings.to_domain(max_metadata_bytes=65_536)


class Ours:
    """A mode of the server."""

    def __init__(self, mode: GameMode) -> None:
        self._needed = mode.required_players
        self._strategy = strategy_for(mode)
        worth = mode.rating and mode.rating.second_is_worth
        self._density = Density() if worth else None
        self._parties = False

    def arrived(self, ticket: Ticket) -> Ticket:
        """As the view of a queue keeps it."""
        self._parties = self._parties or len(ticket.members) > 1
        if self._density is None:
            return ticket
        density = self._density.seen(ticket.enqueued_at, rating_of(ticket), ticket.enqueued_at)
        return msgspec.structs.replace(ticket, density=density)

    def looks_now(self, waiting: int) -> bool:
        """If they may be enough for a match."""
        return self._parties or waiting >= self._needed

    def next_look(self, now: float, waiting: int) -> float:
        """At the next tick."""
        del waiting
        return now - now % _TICK_SECONDS + _TICK_SECONDS

    def choose(self, waiting: Sequence[Ticket], now: float) -> Sequence[Proposal]:
        """By the strategy of the mode."""
        return self._strategy(waiting, now, parties=self._parties).proposals
