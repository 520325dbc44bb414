"""What a strategy is: a pure function from the tickets of a queue to proposals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.ticket import Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """What a strategy found. Each of its tickets is in exactly one proposal, or unmatched."""

    proposals: tuple[Proposal, ...]
    unmatched: tuple[Ticket, ...]
    refused: tuple[str, ...] = ()
    """Proposals that broke a rule and were dropped, each as a sentence that says which and why."""


class Strategy(Protocol):
    """Chooses who plays with whom. `now` is Unix time in seconds, of the clock that wrote
    `enqueued_at`.
    """

    def __call__(self, tickets: Sequence[Ticket], now: float, *, parties: bool = True) -> Pairing:
        """Proposals in the order in which they are to be committed. `parties`: False only if every
        ticket is one player's, which saves looking.
        """
