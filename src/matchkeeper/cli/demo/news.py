"""The server's own log lines that tell of a device at work, for the view."""

from __future__ import annotations

import logging
from collections.abc import Callable

from matchkeeper.observe.events import Event
from matchkeeper.observe.logging import configure

_TOLD = frozenset(
    {
        Event.LOOP_FAILED,
        Event.BREAKER_OPEN,
        Event.BREAKER_CLOSED,
        Event.BREAKER_FORCED,
        Event.POISONED,
        Event.EXPIRED,
        Event.MATCH_REDELIVERED,
        Event.MATCH_GIVEN_BACK,
        Event.POD_UNCLAIMED,
        Event.POD_SILENT,
        Event.POD_BACK,
        Event.GAME_SERVER_UNAVAILABLE,
        Event.GAME_SERVER_RECOVERED,
    }
)


class _Telling(logging.Handler):
    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Tells the sentence of an event that is worth it; all else is for a log."""
        if isinstance(record.msg, dict) and record.msg.get("kind") in _TOLD:
            self._tell(f"{record.levelname}: {record.msg['event']}")


def tell_news(tell: Callable[[str], None]) -> None:
    """From now on log lines go to the view, instead of through it."""
    configure(level="INFO", fmt="console")
    logging.getLogger().handlers[:] = [_Telling(tell)]
