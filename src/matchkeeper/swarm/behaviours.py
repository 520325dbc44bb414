"""What players and game servers of the swarm do, and what is right then."""

from __future__ import annotations

from enum import StrEnum

from matchkeeper.wire.codes import ErrorCode


class Behaviour(StrEnum):
    """What a player does."""

    NORMAL = "normal"
    QUITS = "quits"
    TWICE = "twice"
    LEAVES_LATE = "leaves_late"
    UNKNOWN_MODE = "unknown_mode"
    MISSING_FIELDS = "missing_fields"
    BAD_METADATA = "bad_metadata"
    OVERSIZED = "oversized"

    @property
    def does(self) -> str:
        """In a few words."""
        return _PLAYERS[self][0]

    @property
    def right(self) -> str:
        """The end that counts as success."""
        return _PLAYERS[self][1]

    @property
    def refusal(self) -> ErrorCode | None:
        """The code that the first request must be refused with; None: it must be accepted."""
        return _REFUSALS.get(self)


_PLAYERS = {
    Behaviour.NORMAL: ("asks, and waits for a match", "MatchFound in time"),
    Behaviour.QUITS: (
        "asks, and leaves soon after EnQueued",
        "DeQueued and no match after it, or a match that was faster",
    ),
    Behaviour.TWICE: (
        "asks twice at once, as two requests",
        "one match; the second request refused, or a new stay after the match",
    ),
    Behaviour.LEAVES_LATE: (
        "leaves when the match has already been found",
        "one match, then not_in_queue",
    ),
    Behaviour.UNKNOWN_MODE: ("asks for a mode that nobody has", "refused: invalid_game_mode"),
    Behaviour.MISSING_FIELDS: (
        "leaves game_mode out, or makes it a number",
        "refused: invalid_message_format",
    ),
    Behaviour.BAD_METADATA: ("sends metadata that is no object", "refused: invalid_metadata"),
    Behaviour.OVERSIZED: (
        "sends more than max_message_bytes",
        "dropped, seen by asking to leave: not_in_queue",
    ),
}
_REFUSALS = {
    Behaviour.UNKNOWN_MODE: ErrorCode.INVALID_GAME_MODE,
    Behaviour.MISSING_FIELDS: ErrorCode.INVALID_MESSAGE_FORMAT,
    Behaviour.BAD_METADATA: ErrorCode.INVALID_METADATA,
    Behaviour.OVERSIZED: ErrorCode.MESSAGE_TOO_LARGE,
}


class PodBehaviour(StrEnum):
    """What a simulated game server does with a match that must be claimed."""

    CLAIMS = "claims"
    NEVER_CLAIMS = "never_claims"
    CLAIMS_LATE = "claims_late"
    DIES = "dies"
    DECLINES = "declines"

    @property
    def does(self) -> str:
        """In a few words."""
        return _PODS[self][0]

    @property
    def right(self) -> str:
        """What the server must make of it."""
        return _PODS[self][1]


_PODS = {
    PodBehaviour.CLAIMS: ("claims and starts", "one game server starts it, and no other"),
    PodBehaviour.NEVER_CLAIMS: ("does nothing", "offered again, then the players go back"),
    PodBehaviour.CLAIMS_LATE: ("claims after the deadline", "the claim is refused"),
    PodBehaviour.DIES: (
        "claims, dies, and is back 3 s later",
        "the players go back once the lease is over",
    ),
    PodBehaviour.DECLINES: ("claims and gives it back", "offered again at once"),
}
