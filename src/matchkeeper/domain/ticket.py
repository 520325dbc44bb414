"""One entry of a queue."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Poison(StrEnum):
    """What kind of fault makes a ticket unusable; the sentence beside it may change."""

    INVALID_JSON = "invalid_json"
    POD_ID_NOT_FOUND = "pod_id_not_found"
    INVALID_POD_ID = "invalid_pod_id"
    INVALID_PLAYER_ID = "invalid_player_id"
    INVALID_SCORE = "invalid_score"
    INVALID_MMR = "invalid_mmr"
    METADATA_NOT_FOUND = "metadata_not_found"
    METADATA_TOO_LARGE = "metadata_too_large"
    NOT_AN_OBJECT = "not_an_object"
    MATCH_UNREADABLE = "match_unreadable"


class Ticket(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A player waiting in one queue. Metadata stays in Redis: a queue may be long."""

    player_id: str
    enqueued_at: float
    """Unix time in seconds, from the clock of Redis. The ticket's place in the queue."""
    pod_id: str
    """The game server that asked, and is told the result."""
    metadata_sum: str
    """Of the metadata that this ticket was read from: a match is made with no other."""
    rating: float | None = None
    """MMR points; None where the metadata gives none."""
    hand_made: bool = False
    """The metadata stands in a key of its own, `metadata:<player_id>`, put there by hand."""


class PoisonedTicket(msgspec.Struct, frozen=True, kw_only=True):
    """A queue entry that cannot be used, with the reason."""

    player_id: str
    enqueued_at: float
    raw_metadata: str | None
    reason: str
    kind: Poison
    pod_id: str | None = None
    """The pod to answer, where it could be read in spite of all."""
    hand_made: bool = False
