"""What players and game servers do, well and badly, and what is right then."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class _Described(StrEnum):
    """A name, and what it stands for."""

    _value_: str
    does: str
    """In a few words."""
    right: str
    """The end that counts as success."""
    refusal: str | None
    """The code that the first request must be refused with; None: it must be accepted."""

    def __new__(cls, name: str, does: str, right: str, refusal: str | None = None) -> Self:
        """A member."""
        self = str.__new__(cls, name)
        self._value_ = name
        self.does, self.right, self.refusal = does, right, refusal
        return self


class Behaviour(_Described):
    """What a player does."""

    NORMAL = "normal", "asks, and waits for a match", "MatchFound in time"
    QUITS = (
        "quits",
        "asks, and leaves soon after EnQueued",
        "DeQueued and no match after it, or a match that was faster",
    )
    TWICE = (
        "twice",
        "asks twice at once, as two requests",
        "one match; the second request refused, or a new stay after the match",
    )
    LEAVES_LATE = (
        "leaves_late",
        "leaves when the match has already been found",
        "one match, then not_in_queue",
    )
    UNKNOWN_MODE = (
        "unknown_mode",
        "asks for a mode that nobody has",
        "refused: invalid_game_mode",
        "invalid_game_mode",
    )
    MISSING_FIELDS = (
        "missing_fields",
        "leaves game_mode out, or makes it a number",
        "refused: invalid_message_format",
        "invalid_message_format",
    )
    BAD_METADATA = (
        "bad_metadata",
        "sends metadata that is no object",
        "refused: invalid_metadata",
        "invalid_metadata",
    )
    OVERSIZED = (
        "oversized",
        "sends more than max_message_bytes",
        "dropped, seen by asking to leave: not_in_queue",
        "message_too_large",
    )
    TOO_LARGE = (
        "too_large",
        "comes with so many friends that no team has room for them",
        "refused: party_does_not_fit",
        "party_does_not_fit",
    )


class PodBehaviour(_Described):
    """What a simulated game server does with a match that must be claimed."""

    CLAIMS = "claims", "claims and starts", "one game server starts it, and no other"
    NEVER_CLAIMS = "never_claims", "does nothing", "offered again, then the players go back"
    CLAIMS_LATE = "claims_late", "claims after the deadline", "the claim is refused"
    DIES = (
        "dies",
        "claims, dies, and is back 3 s later",
        "the players go back once the lease is over",
    )
    DECLINES = "declines", "claims and gives it back", "offered again at once"
    FORGETS = (
        "forgets",
        "claims, and never starts",
        "the players go back once the lease is over",
    )
    STARTS_LATE = "starts_late", "claims, and starts after the lease", "the start is refused"
    STARTS_UNCLAIMED = "starts_unclaimed", "starts without a claim", "the start is refused"
    GRABS = (
        "grabs",
        "claims before anybody else, and never starts",
        "its claims are refused for a while",
    )


FOR_DEPLOYMENTS = (
    PodBehaviour.CLAIMS,
    PodBehaviour.NEVER_CLAIMS,
    PodBehaviour.CLAIMS_LATE,
    PodBehaviour.DIES,
    PodBehaviour.DECLINES,
)
"""What may be asked for where others play as well."""
