"""Proposals, in the form that the script takes which makes matches of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from matchkeeper.domain.realm import QueueName
from matchkeeper.store import keys
from matchkeeper.store.places import Other
from matchkeeper.store.scripts import Unsent, each, script
from matchkeeper.wire.offers import Found


class CommitReply(StrEnum):
    """What came of a proposal."""

    COMMITTED = "committed"
    NO_SERVER = "no_server"
    """Nobody heard the offer; nothing left the queue."""
    STALE = "stale"
    """A player left, or is in another match, since the queue was read."""


_replies: Mapping[bytes, CommitReply] = {each.value.encode(): each for each in CommitReply}


class Proposed(NamedTuple):
    """A proposal that becomes a match."""

    match_id: Unsent[str]
    notices: Found


class ByHand(NamedTuple):
    """A ticket that was put there by hand, and its place in `ids`, from 1 on."""

    ticket_id: Unsent[str]
    by_hand_at: int


class Mark(NamedTuple):
    """A player of a match, and the place of the ticket in `ids`, from 1 on."""

    player_id: Unsent[str]
    ticket_at: int


def _committed_or_not(reply: Sequence[bytes]) -> list[tuple[CommitReply, str]]:
    pairs = zip(reply[::2], reply[1::2], strict=True)
    return [(_replies[code], detail.decode()) for code, detail in pairs]


@script(
    _committed_or_not,
    *(keys.queue, keys.metadata, keys.pending, keys.history, keys.matched, keys.parties),
    *(keys.news, keys.clock),
    each(
        "others", other_matched=keys.matched, other_queue=keys.queue, other_metadata=keys.metadata
    ),
    each("proposed", match=keys.match),
    each("by_hand", hand_made_metadata=keys.hand_made_metadata),
    each("marks", last_match=keys.last_match),
)
def commit(
    *,
    queue: Unsent[QueueName],
    packed: Mapping[str, object],
    others: Sequence[Other],
    proposed: Sequence[Proposed],
    by_hand: Sequence[ByHand],
    marks: Sequence[Mark],
) -> None:
    """What came of each proposal, and how many heard it, or which ticket is gone.

    `packed`: `mode`; `claim` (True: pending until a game server claims it; False: delivered at
    once); `channel`; `offer_seconds`; `lease_seconds` and `durability` of a match that is to be
    claimed (a claim is confirmed within the lease, and nobody is told of the start before the
    durability is reached); `memory_ms`; `ids` of all tickets, team after team; their `scores` and
    `sums`, the first 16 digits of the SHA-1 of the metadata that they were matched by; `proposals`,
    each with its match id, how many tickets each team has, the offer in pieces, and what the rules
    of the mode decided (None where it has none), which is kept with the match; `parties`,
    place of a ticket -> the players of a party. `marks`: all players; only where players may wait
    in several queues.
    """
