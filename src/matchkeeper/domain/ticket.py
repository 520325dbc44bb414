"""One entry of a queue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from matchkeeper.domain.attribute import Value


class Poison(StrEnum):
    """The kind of fault that makes a ticket unusable; the sentence beside it may change."""

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
    INVALID_PARTY = "invalid_party"
    PARTY_DOES_NOT_FIT = "party_does_not_fit"
    MISSING_ATTRIBUTE = "missing_attribute"
    INVALID_ATTRIBUTE = "invalid_attribute"
    IN_TWO_PLACES = "in_two_places"


class Member(msgspec.Struct, frozen=True, gc=False):
    """A player of a ticket."""

    player_id: str
    pod_id: str
    """The game server that asked, and is told the result."""


def party_of(ticket_id: str, members: Sequence[Member]) -> str | None:
    """The id of the party whose ticket this is; None for a player who came alone, and where no
    players could be read. No id is a player's and a party's at once.
    """
    return ticket_id if members and members[0].player_id != ticket_id else None


Values = tuple[Value, ...]
"""The attributes of one player, in the order of the mode's."""


class Traits(msgspec.Struct, frozen=True, gc=False):
    """What strategies read in the metadata of a ticket."""

    rating: float | None = None
    """MMR points; None where the metadata gives none, or the mode uses none."""
    values: tuple[Values, ...] = ()
    """For each member; empty where the mode has no attributes."""


class Ticket(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Players who wait in one queue as one. Metadata stays in Redis: a queue may be long."""

    ticket_id: str
    """The player's id, or the party's."""
    members: tuple[Member, ...]
    enqueued_at: float
    """Unix time in seconds, from the clock of Redis. The ticket's place in the queue."""
    metadata_sum: str
    """The sum of the metadata that was read: a match is made only with the same metadata."""
    rating: float | None = None
    """MMR points; None where the metadata gives none."""
    density: float | None = None
    """Players a second and point of rating who come where it stands; None: not known. It is this
    server's estimate, of when it first saw the ticket, and only for modes that ask for it.
    """
    values: tuple[Values, ...] = ()
    """The attributes of each member; empty where the mode has none."""
    hand_made: bool = False
    """The metadata stands in a key of its own, `metadata:<ticket_id>`, put there by hand."""

    @property
    def is_party(self) -> bool:
        """Whether its players are a party."""
        return self.party_id is not None

    @property
    def party_id(self) -> str | None:
        """The id of the party; None for a player who came alone."""
        return party_of(self.ticket_id, self.members)


def members_of(tickets: Iterable[Ticket]) -> list[Member]:
    """All players, ticket after ticket."""
    return [member for ticket in tickets for member in ticket.members]


class PoisonedTicket(msgspec.Struct, frozen=True, kw_only=True):
    """A queue entry that cannot be used, with the reason."""

    ticket_id: str
    enqueued_at: float
    raw_metadata: str | None
    reason: str
    kind: Poison
    members: tuple[Member, ...] = ()
    """The players to tell, where they could be read."""
    hand_made: bool = False

    @property
    def party_id(self) -> str | None:
        """The id of the party, where players of one could be read."""
        return party_of(self.ticket_id, self.members)
