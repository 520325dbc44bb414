"""Who comes when, drawn from a seed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from matchkeeper.domain.ticket import Member, Ticket

MEAN, SPREAD = 1500.0, 300.0
_EXPERTS, _EXPERTS_MEAN, _EXPERTS_SPREAD = 0.05, 2400.0, 150.0
PARTIES: Mapping[int, float] = {1: 0.6, 2: 0.2, 3: 0.1, 5: 0.1}
"""The share of each size of ticket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Tickets in the order in which they come; times in seconds from 0."""

    name: str
    title: str
    tickets: Sequence[Ticket]

    @property
    def seconds(self) -> float:
        """When the last one comes."""
        return self.tickets[-1].enqueued_at


def steady(name: str, rate: float, count: int, *, experts: bool = False) -> Trace:
    """`rate` players a second, who come alone."""
    rng = random.Random(name)
    times = _times(rng, count, lambda _: rate)
    drawn = _with_experts if experts else _rating
    some = ", 5 % of them experts" if experts else ""
    return Trace(
        name=name,
        title=f"1v1, {rate:g} a second{some}",
        tickets=[ticket(n, 1, at, drawn(rng)) for n, at in enumerate(times)],
    )


def day(name: str, count: int) -> Trace:
    """0.05 players a second at night, 2 by day, up and down once while `count` come."""
    rng = random.Random(name)
    low, high = 0.05, 2.0
    seconds = count / ((low + high) / 2)

    def rate(at: float) -> float:
        return low + (high - low) * (1 - math.cos(2 * math.pi * at / seconds)) / 2

    times = _times(rng, count, rate)
    return Trace(
        name=name,
        title=f"1v1, a day of {seconds / 3600:.2g} hours, 0.05 to 2 a second",
        tickets=[ticket(n, 1, at, _rating(rng)) for n, at in enumerate(times)],
    )


def fives(name: str, rate: float, count: int, sizes: Mapping[int, float]) -> Trace:
    """`rate` tickets a second, for five against five; a party counts with its mean rating."""
    rng = random.Random(name)
    drawn = rng.choices(list(sizes), list(sizes.values()), k=count)
    times = _times(rng, count, lambda _: rate)
    who = "alone" if len(sizes) == 1 else "parties of " + ", ".join(map(str, list(sizes)[1:]))
    return Trace(
        name=name,
        title=f"5v5, {rate:g} tickets a second, {who}",
        tickets=[
            ticket(n, size, at, _rating(rng))
            for n, (at, size) in enumerate(zip(times, drawn, strict=True))
        ],
    )


def _times(rng: random.Random, count: int, rate: Callable[[float], float]) -> Iterator[float]:
    at = 0.0
    for _ in range(count):
        at += rng.expovariate(rate(at))
        yield at


def _rating(rng: random.Random) -> float:
    return round(rng.gauss(MEAN, SPREAD), 1)


def _with_experts(rng: random.Random) -> float:
    if rng.random() < _EXPERTS:
        return round(rng.gauss(_EXPERTS_MEAN, _EXPERTS_SPREAD), 1)
    return _rating(rng)


def ticket(number: int, players: int, since: float, rating: float) -> Ticket:
    """Of a player alone, or of a party."""
    name = f"t{number}"
    names = [name] if players == 1 else [f"{name}.{each}" for each in range(players)]
    return Ticket(
        ticket_id=name,
        members=tuple([Member(each, "pod") for each in names]),
        enqueued_at=since,
        metadata_sum="",
        rating=rating,
    )


def rating_of(ticket: Ticket) -> float:
    """Each ticket of a trace has one."""
    return ticket.rating or 0.0
