"""One trace with one policy, in virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.fair.traces import Trace
from matchkeeper.domain.match import Proposal
from matchkeeper.domain.ticket import Ticket


class Policy(Protocol):
    """Decides who plays with whom, and when to look. A new one is made for each evening."""

    def arrived(self, ticket: Ticket) -> Ticket:
        """Somebody came; how the ticket is to stand in the queue."""

    def looks_now(self, waiting: int) -> bool:
        """Whether it looks at once when somebody comes; `waiting` counts that one, too."""

    def next_look(self, now: float, waiting: int) -> float:
        """When it looks next if nobody comes; it has looked at `now`, `waiting` were there."""

    def choose(self, waiting: Sequence[Ticket], now: float) -> Sequence[Proposal]:
        """Matches among who waits, in the order of arrival."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A match."""

    at: float
    proposal: Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Evening:
    """What came of a trace."""

    trace: Trace
    played: Sequence[Played]
    left: Sequence[Ticket]
    """Who still waits when the last one has come."""


def evening(trace: Trace, policy: Policy) -> Evening:
    """Lets everybody come, and looks in time. Nobody comes at the end to match those left."""
    waiting: dict[str, Ticket] = {}
    played: list[Played] = []

    def look(now: float) -> float:
        count = len(waiting)
        for proposal in policy.choose(list(waiting.values()), now) if count else ():
            for ticket in proposal.tickets:
                del waiting[ticket.ticket_id]
            played.append(Played(at=now, proposal=proposal))
        return policy.next_look(now, count)

    look_at = policy.next_look(0.0, 0)
    for ticket in trace.tickets:
        now = ticket.enqueued_at
        while look_at <= now:
            look_at = look(look_at)
        waiting[ticket.ticket_id] = policy.arrived(ticket)
        if policy.looks_now(len(waiting)):
            look_at = look(now)
    return Evening(trace=trace, played=played, left=list(waiting.values()))
