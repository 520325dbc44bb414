"""What game servers do with matches, as the scripts tell it on a channel."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from matchkeeper.protocol.limits import decoded


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffEvent:
    """What a game server did with a match, as the scripts tell it on `keys.EVENTS`."""

    what: str
    """`claimed`, `started`, or the step and the code it was refused with: `claim too_late`."""
    match_id: str
    pod_id: str
    at: float
    """Unix time in seconds, of Redis."""


_event = msgspec.json.Decoder(tuple[str, str, str, str])


def decode_event(payload: bytes) -> HandoffEvent:
    """An event from its text. Raises msgspec.DecodeError."""
    what, match_id, pod_id, at = decoded(_event, payload)
    try:
        seconds = float(at)
    except ValueError:
        raise msgspec.DecodeError("the time of an event is no number") from None
    return HandoffEvent(what=what, match_id=match_id, pod_id=pod_id, at=seconds)
