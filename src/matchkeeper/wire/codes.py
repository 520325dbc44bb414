"""Why a request was refused: the `code` of an `Error` answer."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol


class ErrorCode(StrEnum):
    """Stable codes; the message beside them may change."""

    INVALID_GAME_MODE = "invalid_game_mode"
    ALREADY_IN_QUEUE = "already_in_queue"
    IN_OTHER_QUEUE = "in_other_queue"
    MATCH_PENDING = "match_pending"
    IN_PARTY = "in_party"
    PARTY_REFUSED = "party_refused"
    PARTY_DOES_NOT_FIT = "party_does_not_fit"
    INVALID_PARTY = "invalid_party"
    ID_IN_USE = "id_in_use"
    NOT_IN_QUEUE = "not_in_queue"
    MODE_DRAINED = "mode_drained"
    QUEUE_FULL = "queue_full"
    INVALID_MESSAGE_FORMAT = "invalid_message_format"
    INVALID_PLAYER_ID = "invalid_player_id"
    INVALID_POD_ID = "invalid_pod_id"
    INVALID_METADATA = "invalid_metadata"
    MISSING_ATTRIBUTE = "missing_attribute"
    INVALID_ATTRIBUTE = "invalid_attribute"
    NEVER_MATCHED = "never_matched"
    METADATA_TOO_LARGE = "metadata_too_large"
    MESSAGE_TOO_LARGE = "message_too_large"
    MESSAGE_TOO_DEEP = "message_too_deep"
    INVALID_ASSIGNMENT = "invalid_assignment"
    REQUEST_EXPIRED = "request_expired"
    NOT_DURABLE = "not_durable"
    INTERNAL_ERROR = "internal_error"

    @property
    def meaning(self) -> str:
        """One sentence for the reference, and what the sender can do."""
        return _MEANINGS[self]


_MEANINGS = {
    ErrorCode.INVALID_GAME_MODE: "No such game mode is configured. Check the spelling.",
    ErrorCode.ALREADY_IN_QUEUE: "The player waits in this queue already. Nothing to do.",
    ErrorCode.IN_OTHER_QUEUE: (
        "The player waits in the queue that the message names. Dequeue there first."
    ),
    ErrorCode.MATCH_PENDING: (
        "The player is in the pending match that the message names. An enqueue can be tried again "
        "after it; a dequeue is remembered and takes effect if the match falls through."
    ),
    ErrorCode.IN_PARTY: (
        "The player is in the party that the message names, which waits or is in a pending match. "
        "Dequeue the player, and so the party, first."
    ),
    ErrorCode.PARTY_REFUSED: (
        "Nobody of the party was queued, because of the player whom `because_of` names; the text "
        "says why. Ask again without that player, or when the reason is gone."
    ),
    ErrorCode.PARTY_DOES_NOT_FIT: (
        "The party has more players than a team of the mode, and not as many as a match: it would "
        "never be matched. Offer another mode, or divide the party."
    ),
    ErrorCode.INVALID_PARTY: (
        "`players` is empty, has more than 100 players, has one of them twice, or one with the id "
        "of the party; or the metadata of a player who comes alone has a key `players`."
    ),
    ErrorCode.ID_IN_USE: (
        "The id stands for something else: a party has the id of the player, a player has the id "
        "of the party, or the party waits with other players. Choose another id, or dequeue first."
    ),
    ErrorCode.NOT_IN_QUEUE: (
        "The player does not wait in this queue. To an enqueue that was sent again: the player is "
        "nowhere, and what came of it is not known any more; ask with a new `request_id`."
    ),
    ErrorCode.MODE_DRAINED: (
        "An operator has drained this game mode: it takes no new players. Offer another, or ask "
        "again later."
    ),
    ErrorCode.QUEUE_FULL: (
        "As many players wait as `max_queue_length` of the mode allows. Ask again later, not at "
        "once."
    ),
    ErrorCode.INVALID_MESSAGE_FORMAT: (
        "The message is no JSON object in UTF-8, a field is missing or of the wrong type, or the "
        "stream entry has an unknown `kind`. The text says what is wrong, and where."
    ),
    ErrorCode.INVALID_PLAYER_ID: (
        "`player_id` is empty, over 128 characters, or has control characters."
    ),
    ErrorCode.INVALID_POD_ID: "`pod_id` is empty, over 128 characters, or has control characters.",
    ErrorCode.INVALID_METADATA: (
        "`metadata` is no JSON object, nor a string that holds one, or its `mmr` is no number."
    ),
    ErrorCode.MISSING_ATTRIBUTE: (
        "The metadata has no value for an attribute of the mode that has no default. The text "
        "names it, and says what is needed."
    ),
    ErrorCode.INVALID_ATTRIBUTE: (
        "A value in the metadata is not of the type that the mode's attribute has. The text names "
        "the attribute, what was found and what is needed."
    ),
    ErrorCode.NEVER_MATCHED: (
        "With what the player or the party brings, a rule of the mode would never hold, however "
        "long they wait. The text names the rule and says why."
    ),
    ErrorCode.METADATA_TOO_LARGE: (
        "The metadata is over what a player of this mode may have: "
        "`matchmaking.max_battle_request_bytes` divided by the players of a match, or "
        "`max_message_bytes` if that is smaller."
    ),
    ErrorCode.MESSAGE_TOO_LARGE: "The message is over `matchmaking.max_message_bytes`.",
    ErrorCode.MESSAGE_TOO_DEEP: "The message is nested deeper than 32 levels.",
    ErrorCode.INVALID_ASSIGNMENT: (
        "`assignment` is no JSON object, over 4 KiB or too deep, a secret is over 256 bytes, or "
        "the message is neither confirm nor start. The match is as it was: send it again, mended."
    ),
    ErrorCode.REQUEST_EXPIRED: (
        "A server died with this request in hand, and no other took it over while requests are "
        "remembered; or it repeats one that was sent longer ago than that. It was not done. Send "
        "it again, as a new request, if the player still wants it."
    ),
    ErrorCode.NOT_DURABLE: (
        "The request took effect, but is not yet as durable as `redis.durability` asks. Send it "
        "again: the answer comes once it is."
    ),
    ErrorCode.INTERNAL_ERROR: "Redis could not be reached in time. Send the request again.",
}


class Told(Protocol):
    """A player, and the pod that is told."""

    @property
    def player_id(self) -> str: ...

    @property
    def pod_id(self) -> str: ...


class WireError(Exception):
    """A message that must be refused. `pod_id` is set where an answer can be sent. `game_mode` is
    as it was written; empty where it could not be read.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        player_id: str = "",
        pod_id: str | None = None,
        game_mode: str = "",
        party: Sequence[Told] = (),
        because_of: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.player_id = player_id
        self.pod_id = pod_id
        self.game_mode = game_mode
        self.party = party
        """The players to tell, where a party is refused; then `player_id` is the party's id."""
        self.because_of = because_of
        """The player of the party who is the reason; empty where it is nobody of them."""
