"""The log: hears facts, and says each in a line."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any

import structlog

from matchkeeper.observe.facts import ALL, Fact, Fields, Hears, Level

Reader = Callable[[Fact[Any], Fields], None]

_KEYS = 1000
_log: Any = structlog.get_logger("matchkeeper")
_stdlib = logging.getLogger("matchkeeper")


@dataclass(slots=True)
class _Said:
    at: float
    suppressed: int = 0


class Log:
    """Says a fact: its sentence as `event`, its name as `kind`, and its fields beside them. What is
    said once in `repeat_seconds` says how often it was not. A field `exc_info`, an exception,
    becomes its traceback. `clock` gives monotonic seconds.
    """

    def __init__(
        self, *, repeat_seconds: float = 0.0, clock: Callable[[], float] = monotonic
    ) -> None:
        self._repeat_seconds = repeat_seconds
        self._clock = clock
        self._said: dict[tuple[str, ...], _Said] = {}
        self.readers: list[Reader] = []
        """Are told every line, whatever the level of the log, but for what is of level DEBUG and
        comes with every match.
        """

    def hears(self) -> Hears:
        """All facts that have a line."""
        return [(each, partial(self.say, each)) for each in ALL if each.line is not None]

    def say(self, fact: Fact[Any], /, **fields: Any) -> None:
        """Says it, unless it was just said."""
        line = fact.line
        if line is None:
            return
        on = _stdlib.isEnabledFor(line.level)
        readers = self.readers if line.level > Level.DEBUG else ()
        if not on and not readers:
            return
        for told in [fields] if line.told is None else line.told(**fields):
            if line.once_per is not None:
                suppressed = self._suppressed((fact.name, *(told[each] for each in line.once_per)))
                if suppressed is None:
                    continue
                if suppressed:
                    told = {**told, "suppressed": suppressed}  # noqa: PLW2901
            for read in readers:
                read(fact, told)
            if on:
                _log.log(line.level, fact.says(**told), kind=fact.name, **told)

    def _suppressed(self, key: tuple[str, ...]) -> int | None:
        """How often it was not said since the last time; None: it is not to be said now."""
        now, last = self._clock(), self._said.get(key)
        if last is not None and now - last.at < self._repeat_seconds:
            last.suppressed += 1
            return None
        self._said.pop(key, None)
        self._said[key] = _Said(now)
        while len(self._said) > _KEYS:
            self._said.pop(next(iter(self._said)))
        return last.suppressed if last is not None else 0
