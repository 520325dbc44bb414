"""The last events, as sentences. What comes again and again is one line with a count."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from matchkeeper.observe.catalogue import CATALOGUE
from matchkeeper.observe.event_names import Event, Level
from matchkeeper.observe.logging import masked
from matchkeeper.wire.limits import printable

_KEPT = 100
_TOGETHER_SECONDS = 120.0
_CHARACTERS = 300
Key = tuple[str, ...]
_WORDS = frozenset({"cause", "code"})
"""Fields whose values are names of ours: read as words."""
_COUNTED = re.compile(r"\b(\d+) (\w+)\(s\)")
_LOUD = (Level.INFO, Level.WARNING, Level.ERROR, Level.CRITICAL)
_WHO = ("mode", "pod_id", "loop", "operation", "cause", "code", "channel", "name")
"""Fields that tell two lines of one kind apart."""

_SENTENCES: dict[Event, str] = {
    Event.GAME_SERVER_MISSING: "Game Server unavailable for {attempts} attempt(s): "
    "a match is ready and nobody listens on {channel}",
    Event.REDIS_TIMEOUT: "Redis did not answer within {seconds} s ({operation})",
    Event.REDIS_NETWORK_ERROR: "Redis cannot be reached: {error}",
    Event.REDIS_NOT_READY: "Redis is not ready: {error}",
    Event.REDIS_FORBIDDEN: "Redis does not allow it: {error}",
    Event.REDIS_REFUSED: "Redis refuses: {error}",
    Event.NOT_DURABLE: "Not durable yet: {error}",
    Event.GAME_SERVER_UNAVAILABLE: "Game Server unavailable for {attempts} attempt(s); "
    "people on call are told",
    Event.GAME_SERVER_RECOVERED: "Game Server is back after {attempts} attempt(s): "
    "{subscribers} subscriber(s)",
    Event.POISONED: "{player_id} of {mode} was set aside: {reason}",
    Event.REENQUEUED: "Kept at their place in {mode}: {players} player(s), {cause}",
    Event.BREAKER_OPEN: "Redis is out of reach after {failures} failures in a row; "
    "tried again in {seconds} s",
    Event.BREAKER_PROBE: "Trying Redis with one operation",
    Event.BREAKER_CLOSED: "Redis is back after {failures} failure(s)",
    Event.BREAKER_FORCED: "An operator holds the circuit breaker open",
    Event.CIRCUIT_OPEN_SKIP: "No round of {mode}: Redis is out of reach",
    Event.TICK_SKIPPED: "A round of {mode} takes longer than the tick",
    Event.MATCH_REDELIVERED: "A match of {mode} is offered again (offer {offer})",
    Event.MATCH_GIVEN_BACK: "A match of {mode} did not start ({cause}). "
    "Back at their place: {players} player(s)",
    Event.EXPIRED: "Waited too long in {mode}, and told so: {players} player(s)",
}
"""Where the log's sentence, which must stay as it is, says too little or too much."""


class Line(msgspec.Struct, kw_only=True):
    """One line of the stream."""

    id: int
    """Rises with every change, so that a page sees what is new."""
    row: int
    """The first of its ids: what comes again is the same row, with another count."""
    at: float
    """Unix seconds, of the last time."""
    first_at: float
    level: str
    kind: str
    text: str
    times: int = 1


class EventStream:
    """Bounded. `clock` gives monotonic seconds, `wall` Unix time."""

    def __init__(self, *, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self._clock = clock
        self._wall = wall
        self._lines: dict[int, tuple[Key, Line]] = {}
        self._latest: dict[Key, tuple[float, Line]] = {}
        self.version = 0

    def heard(self, event: Event, fields: Mapping[str, object]) -> None:
        """An event was emitted."""
        if CATALOGUE[event].level not in _LOUD:
            return
        self.version += 1
        now, wall = self._clock(), self._wall()
        line = Line(
            id=self.version,
            row=self.version,
            at=wall,
            first_at=wall,
            level=CATALOGUE[event].level.value.lower(),
            kind=event.value,
            text=said(event, fields),
        )
        key = (event.value, *(str(fields.get(name, "")) for name in _WHO))
        since, before = self._latest.get(key, (0.0, None))
        if before is not None and now - since <= _TOGETHER_SECONDS:
            line.times, line.row, line.first_at = before.times + 1, before.row, before.first_at
            del self._lines[before.id]
        self._lines[line.id] = (key, line)
        self._latest[key] = (now, line)
        while len(self._lines) > _KEPT:
            old_key, old = self._lines.pop(next(iter(self._lines)))
            if self._latest[old_key][1] is old:
                del self._latest[old_key]

    def lines(self) -> list[Line]:
        """Newest first."""
        return [line for _, line in reversed(self._lines.values())]


def said(event: Event, fields: Mapping[str, object]) -> str:
    """The sentence of an event, for people. Never fails: a field that is missing stays empty."""
    plain = {
        name: f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in fields.items()
    }
    for name in _WORDS & plain.keys():
        plain[name] = plain[name].replace("_", " ")
    text = _SENTENCES.get(event, CATALOGUE[event].sentence).format_map(_Lenient(plain))
    text = _COUNTED.sub(_counted, printable(masked(text)))
    return text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}…"


def _counted(found: re.Match[str]) -> str:
    return f"{found[1]} {found[2]}{'' if found[1] == '1' else 's'}"


class _Lenient(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""
