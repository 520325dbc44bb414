"""The last events, as sentences. What comes again and again is one line with a count."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from matchkeeper.observe.facts import Fact, Fields
from matchkeeper.observe.logging import masked
from matchkeeper.wire.limits import printable

_KEPT = 100
_TOGETHER_SECONDS = 120.0
_CHARACTERS = 300
Key = tuple[str, ...]
_WORDS = frozenset({"cause", "code"})
"""Fields whose values are names of ours: read as words."""
_COUNTED = re.compile(r"\b(\d+) (\w+)\(s\)")
_WHO = ("mode", "pod_id", "loop", "operation", "cause", "code", "channel", "name")
"""Fields that tell two lines of one kind apart."""


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

    def read(self, fact: Fact[Any], fields: Fields) -> None:
        """A line of the log."""
        if fact.line is None:
            return
        self.version += 1
        now, wall = self._clock(), self._wall()
        line = Line(
            id=self.version,
            row=self.version,
            at=wall,
            first_at=wall,
            level=fact.line.level.name.lower(),
            kind=fact.name,
            text=said(fact, fields),
        )
        key = (fact.name, *(str(fields.get(name, "")) for name in _WHO))
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


def said(fact: Fact[Any], fields: Fields) -> str:
    """The sentence of a fact, for people. Never fails: a field that is missing stays empty."""
    plain = {
        name: f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in fields.items()
    }
    for name in _WORDS & plain.keys():
        plain[name] = plain[name].replace("_", " ")
    sentence = fact.line.page if fact.line else ""
    text = sentence.format_map(_Lenient(plain))
    text = _COUNTED.sub(_counted, printable(masked(text)))
    return text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}…"


def _counted(found: re.Match[str]) -> str:
    return f"{found[1]} {found[2]}{'' if found[1] == '1' else 's'}"


class _Lenient(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""
