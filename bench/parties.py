"""How long parties wait, beside lone players: tickets arrive at random in simulated time."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from matchkeeper.config import GameModeSettings
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Member, Ticket
from matchkeeper.matching.strategy import strategy_for

MIXES: Mapping[str, Mapping[int, float]] = {
    "a tenth pairs": {2: 0.1},
    "a tenth threes": {3: 0.1},
    "a tenth fours": {4: 0.1},
    "a tenth fives": {5: 0.1},
    "a tenth of each size": {2: 0.1, 3: 0.1, 4: 0.1, 5: 0.1},
}
"""The share of each size of party among those who arrive."""
RATES = (0.2, 1.0, 5.0, 20.0)
"""Tickets a second."""
_TICK_SECONDS = 5.0
_BEGINNING = 0.1
"""Who comes in this part of the evening does not count: the queue was empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Of one evening."""

    by_size: Mapping[int, Sequence[float]]
    """Seconds that tickets waited, by their number of players. Of those left at the end, too."""
    left: int

    def mean(self, size: int) -> float:
        """Seconds that tickets with so many players waited on average."""
        return fmean(self.by_size[size])

    def late(self, size: int) -> float:
        """Seconds after which 95 of 100 tickets with so many players were matched."""
        waits = sorted(self.by_size[size])
        return waits[int(0.95 * len(waits))]


def mode(*, rated: bool) -> GameMode:
    """Five against five, with the settings of somebody who changed nothing else."""
    settings = GameModeSettings(
        game_mode="Fives", required_players=10, teams=2, use_mmr_matching=rated
    )
    return settings.to_domain(max_metadata_bytes=65_536)


def evening(
    mode: GameMode, *, mix: Mapping[int, float], rate: float, tickets: int, seed: int = 1
) -> Waits:
    """So many tickets arrive, `rate` a second. `mix`: the share of each size of party; the others
    are lone players. A round runs with each arrival and at each tick, as in a server.
    """
    rng, strategy = random.Random(seed), strategy_for(mode)
    sizes, shares = (1, *mix), (1 - sum(mix.values()), *mix.values())
    waiting: dict[str, Ticket] = {}
    waits: dict[int, list[float]] = {size: [] for size in sizes}
    counted_from = _BEGINNING * tickets / rate

    def round_at(now: float) -> None:
        for proposal in strategy(list(waiting.values()), now).proposals:
            for ticket in proposal.tickets:
                over(waiting.pop(ticket.ticket_id), now)

    def over(ticket: Ticket, now: float) -> None:
        if ticket.enqueued_at >= counted_from:
            waits[len(ticket.members)].append(now - ticket.enqueued_at)

    now = tick = 0.0
    for number in range(tickets):
        now += rng.expovariate(rate)
        if tick + _TICK_SECONDS < now:
            # Where nobody came for many ticks, the last one is as good as all.
            tick = now - now % _TICK_SECONDS
            round_at(tick)
        (size,) = rng.choices(sizes, shares)
        ticket = _ticket(f"t{number}", size, now, rng.gauss(1500, 300))
        waiting[ticket.ticket_id] = ticket
        round_at(now)
    for ticket in waiting.values():
        over(ticket, now)
    return Waits(by_size=waits, left=len(waiting))


def _ticket(name: str, players: int, since: float, rating: float) -> Ticket:
    return Ticket(
        ticket_id=name,
        members=tuple([Member(f"{name}.{each}", "pod") for each in range(players)]),
        enqueued_at=since,
        metadata_sum="",
        rating=rating,
    )
