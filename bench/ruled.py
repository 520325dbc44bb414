"""What a mode with all kinds of rules costs, and how long its players wait.

`python -m bench.ruled`. The mode is `examples/rules/ranked-5v5.toml`. Tickets arrive at random in
simulated time; a round runs at each tick. Time is processor time of the strategy.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from statistics import fmean

import msgspec

from matchkeeper.config import load
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Member, Ticket, members_of
from matchkeeper.matching.strategy import strategy_for
from matchkeeper.wire.attributes import values_in

_EXAMPLE = Path(__file__).parents[1] / "examples" / "rules" / "ranked-5v5.toml"
_SIZES = ((1, 2, 3, 5), (0.6, 0.2, 0.1, 0.1))
"""Players of a ticket, and how often it has so many."""
_ROLES = ("tank", "healer", "damage")
_TICK_SECONDS = 5.0
_EVENING_SECONDS = 600.0


def tickets_of(rng: random.Random, mode: GameMode, number: int, since: float) -> Ticket:
    """A ticket of players of one region, near in rating, who want roles at random."""
    (size,) = rng.choices(*_SIZES)
    home, rating = rng.choice(("eu", "us", "ap")), rng.gauss(1500, 300)
    members, values = [], []
    for nth in range(size):
        roles = rng.sample(_ROLES, rng.choice((1, 2, 3)))
        if rng.random() < 0.5:
            roles = ["damage", *(each for each in roles if each != "damage")]
        metadata = {
            "rating": rating + rng.gauss(0, 50),
            "build": "7",
            "maps": rng.sample(("harbor", "mill", "keep"), 2),
            "roles": roles,
            "latencies": {
                each: rng.uniform(10, 70) if each == home else rng.uniform(90, 250)
                for each in ("eu", "us", "ap")
            },
        }
        members.append(Member(f"p{number}.{nth}", "pod"))
        values.append(values_in(msgspec.json.encode(metadata), mode))
    return Ticket(
        ticket_id=f"t{number}",
        members=tuple(members),
        enqueued_at=since,
        metadata_sum="",
        values=tuple(values),
    )


def evening(mode: GameMode, rate: float, *, seed: int = 1) -> tuple[float, ...]:
    """`rate` tickets a second. Mean and 95th percentile of the waits of players, in seconds; those
    who wait at the end; and the mean and longest time of a round, in seconds.
    """
    rng, strategy, waiting = random.Random(seed), strategy_for(mode), dict[str, Ticket]()
    waits: list[float] = []
    rounds: list[float] = []
    now, number, due = 0.0, 0, rng.expovariate(rate)
    while now < _EVENING_SECONDS:
        now += _TICK_SECONDS
        while due < now:
            number += 1
            ticket = tickets_of(rng, mode, number, due)
            waiting[ticket.ticket_id] = ticket
            due += rng.expovariate(rate)
        begun = time.process_time()
        pairing = strategy(list(waiting.values()), now)
        rounds.append(time.process_time() - begun)
        for ticket in (each for one in pairing.proposals for each in one.tickets):
            del waiting[ticket.ticket_id]
            waits += [now - ticket.enqueued_at] * len(ticket.members)
    waits.sort()
    late = waits[int(0.95 * len(waits))]
    return fmean(waits), late, len(members_of(waiting.values())), fmean(rounds), max(rounds)


def backlog(mode: GameMode, tickets: int, *, seed: int = 1) -> tuple[float, ...]:
    """Processor time of one round over so many tickets that came in the last two minutes; players;
    matches.
    """
    rng = random.Random(seed)
    queue = [tickets_of(rng, mode, n, 1000 - rng.uniform(0, 120)) for n in range(tickets)]
    begun = time.process_time()
    pairing = strategy_for(mode)(queue, 1000)
    seconds = time.process_time() - begun
    return seconds, len(members_of(queue)), len(pairing.proposals)


def main() -> None:
    """Prints both tables."""
    mode = load(_EXAMPLE, environ={}).modes()[0]
    say = sys.stdout.write
    say("tickets/s  mean wait  95th  waiting  round mean  longest\n")
    for rate in (0.5, 1.0, 2.0):
        mean, late, left, round_mean, longest = evening(mode, rate)
        say(
            f"{rate:9}  {mean:9.1f}  {late:4.0f}  {left:7.0f}  {round_mean:10.3f}  {longest:7.3f}\n"
        )
    say("tickets  players  matches  seconds\n")
    for tickets in (50, 100, 200, 500, 1000):
        seconds, players, matches = backlog(mode, tickets)
        say(f"{tickets:7}  {players:7.0f}  {matches:7.0f}  {seconds:7.2f}\n")


if __name__ == "__main__":
    main()
