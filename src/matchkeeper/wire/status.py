"""Where a player is, as a game server is told that asked for it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class State(StrEnum):
    """Where a player is."""

    WAITING = "waiting"
    PENDING = "pending"
    STARTED = "started"
    GONE = "gone"
    UNKNOWN = "unknown"

    @property
    def meaning(self) -> str:
        """One sentence for the reference, and what the game server does."""
        return _MEANINGS[self]


_MEANINGS = {
    State.WAITING: "The player waits in `queues`: wait for the news.",
    State.PENDING: (
        "The player is in match `match_id`, which is being handed over. `MatchFound` follows; or "
        "the player is back in the queue, with the old place."
    ),
    State.STARTED: (
        "The match has started; `news` is the `MatchFound` that was told, with teams of every size."
    ),
    State.GONE: "The player is in no queue and no match; `news` is what was told last.",
    State.UNKNOWN: (
        "The player is in no queue and no pending match, and nothing is known any more: ask for "
        "the player anew."
    ),
}


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A queue that the player waits in."""

    game_mode: str
    since: float | None = None
    """Enqueue time, Unix seconds by the clock of Redis. It stays when a match falls through."""


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a player is."""

    state: str
    """waiting, pending, started, gone or unknown."""
    token: str = ""
    """That of the question, where it had one."""
    queues: tuple[Waiting, ...] = ()
    """Where the player waits: one queue, unless players may wait in several."""
    match_id: str | None = None
    """The pending match."""
    game_mode: str | None = None
    """Of the pending match, or of the news of somebody who is gone."""
    news: str | dict[str, Any] | None = None
    """What was told last, as `result_type` of that answer."""
