"""Matches that end without a start: who goes back, and who does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from matchkeeper.domain.realm import QueueName
from matchkeeper.domain.ticket import Member, party_of
from matchkeeper.store import keys
from matchkeeper.store.places import Other
from matchkeeper.store.scripts import Unsent, each, script
from matchkeeper.wire.metadata import members_in


class LeftTicket(NamedTuple):
    """A ticket of a match that does not go back into its queue."""

    ticket_id: str
    metadata: str
    by: str | None
    """The player of a party who asked to leave; None where the ticket did."""

    @property
    def members(self) -> tuple[Member, ...]:
        """Its players, as far as they can be told."""
        return members_in(self.ticket_id, self.metadata.encode())

    @property
    def party_id(self) -> str | None:
        """The party, where it is one."""
        return party_of(self.ticket_id, self.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenBack:
    """A match that ended without a start."""

    put_back: int
    left: tuple[LeftTicket, ...]
    """Tickets that do not go back. Their pods are told `DeQueued`."""


class When(StrEnum):
    """When a match may be given back."""

    DUE = "due"
    """Not before its deadline."""
    NOW = "now"
    LEAVE = "leave"
    """At once, and its players do not go back into the queue of the mode."""


def _given_back(reply: Any) -> GivenBack | None:
    code, put_back, left = reply
    if code != b"given_back":
        return None
    texts = list(map(keys.text, left))
    return GivenBack(
        put_back=int(put_back),
        left=tuple(
            LeftTicket(ticket_id, text, by or None)
            for ticket_id, text, by in zip(texts[::3], texts[1::3], texts[2::3], strict=True)
        ),
    )


@script(
    _given_back,
    *(keys.answered, keys.match, keys.pending, keys.matched, keys.leaving),
    *(keys.history, keys.claimers, keys.queue, keys.metadata, keys.parties, keys.news, keys.clock),
    each("others", other_queue=keys.queue, other_metadata=keys.metadata),
)
def give_back(
    *,
    queue: Unsent[QueueName],
    token: Unsent[str],
    memory: int,
    news_ms: int,
    match_id: str,
    epoch: int,
    cause: str,
    when: When,
    threshold: int,
    refused_seconds: float,
    longest_seconds: float,
    mode: str,
    others: Sequence[Other],
) -> None:
    """What was given back; None: another server was faster, or it is not due.

    After `threshold` leases in a row without a start the claims of that game server are refused, at
    first for `refused_seconds`.
    """
