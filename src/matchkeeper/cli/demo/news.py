"""The server's own events that tell of a device at work, for the view."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from matchkeeper.observe.board.stream import said
from matchkeeper.observe.catalogue import CATALOGUE
from matchkeeper.observe.events import Event, heard_by

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


def hear_news(tell: Callable[[str], None]) -> AbstractContextManager[None]:
    """Tells the sentences of events that are worth it. Nothing is logged meanwhile: lines would run
    through the view.
    """

    def hear(event: Event, fields: Mapping[str, object]) -> None:
        if event in _TOLD:
            tell(f"{CATALOGUE[event].level.value.upper()}: {said(event, fields)}")

    logging.getLogger().handlers[:] = [logging.NullHandler()]
    return heard_by(hear)
