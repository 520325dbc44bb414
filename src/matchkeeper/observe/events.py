"""Every kind of log line: its name, its sentence, what it means and what to do.

The sentences that people already search their logs for are fixed; see `docs/operations.md`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from matchkeeper.observe.catalogue import CATALOGUE
from matchkeeper.observe.event_names import Event, Level

__all__ = ["Event", "Level", "Throttle", "emit", "heard_by", "sentence"]

Listener = Callable[[Event, Mapping[str, object]], None]

_KEYS = 1000
_LEVELS = {
    Level.DEBUG: logging.DEBUG,
    Level.INFO: logging.INFO,
    Level.WARNING: logging.WARNING,
    Level.ERROR: logging.ERROR,
    Level.CRITICAL: logging.CRITICAL,
}
_log: Any = structlog.get_logger("matchkeeper")
_stdlib = logging.getLogger("matchkeeper")
_listeners: list[Listener] = []


def emit(event: Event, **fields: object) -> None:
    """Logs an event: its sentence as `event`, its name as `kind`, and the fields beside them.

    A field `exc_info`, an exception, becomes its traceback.
    """
    level = _LEVELS[CATALOGUE[event].level]
    if level > logging.DEBUG:
        for listener in _listeners:
            listener(event, fields)
    if not _stdlib.isEnabledFor(level):
        return
    _log.log(level, sentence(event, **fields), kind=event.value, **fields)


def is_logged(event: Event) -> bool:
    """Whether an event is logged at all: where one comes with every match, its fields cost less
    when they are not made.
    """
    return _stdlib.isEnabledFor(_LEVELS[CATALOGUE[event].level])


@contextmanager
def heard_by(listener: Listener) -> Generator[None]:
    """Whatever this process emits meanwhile is told to `listener` as well, but for what is of level
    DEBUG and comes with every match.
    """
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def sentence(event: Event, **fields: object) -> str:
    """The text of an event. Numbers of seconds lose a needless `.0`."""
    plain = {
        name: f"{value:g}" if isinstance(value, float) else value for name, value in fields.items()
    }
    return CATALOGUE[event].sentence.format(**plain)


@dataclass(slots=True)
class _Seen:
    since: float
    suppressed: int = 0


class Throttle:
    """At most one line per event and key in an interval; the next one says how many there were."""

    def __init__(self, *, interval: timedelta, clock: Callable[[], float]) -> None:
        self._interval_seconds = interval.total_seconds()
        self._clock = clock
        self._seen: dict[tuple[Event, str], _Seen] = {}

    def emit(self, event: Event, *, key: str, **fields: object) -> None:
        """Logs the event unless it was just logged for this key."""
        now = self._clock()
        seen = self._seen.get((event, key))
        if seen is not None and now - seen.since < self._interval_seconds:
            seen.suppressed += 1
            return
        suppressed = seen.suppressed if seen is not None else 0
        self._seen.pop((event, key), None)
        self._seen[(event, key)] = _Seen(now)
        while len(self._seen) > _KEYS:
            self._seen.pop(next(iter(self._seen)))
        if suppressed:
            fields = {**fields, "suppressed": suppressed}
        emit(event, **fields)
