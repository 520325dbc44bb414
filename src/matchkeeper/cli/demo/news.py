"""The server's own facts that tell of a device at work, for the view."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from matchkeeper.observe.board.stream import said
from matchkeeper.observe.facts import Fact, Facts, Fields
from matchkeeper.observe.log import Reader

_TOLD = frozenset(
    {
        Facts.loop_failed,
        Facts.breaker_open,
        Facts.breaker_closed,
        Facts.breaker_forced,
        Facts.poisoned,
        Facts.expired,
        Facts.match_redelivered,
        Facts.match_given_back,
        Facts.pod_unclaimed,
        Facts.pod_silent,
        Facts.pod_back,
        Facts.game_server_unavailable,
        Facts.game_server_recovered,
    }
)


def silence() -> None:
    """Nothing is logged any more: lines would run through the view. Without handlers of the
    server's, structlog prints what is at or above the level.
    """
    root = logging.getLogger()
    root.handlers[:] = [logging.NullHandler()]
    root.setLevel(logging.CRITICAL + 1)


def news(tell: Callable[[str], None]) -> Reader:
    """Tells the sentences of facts that are worth it."""

    def read(fact: Fact[Any], fields: Fields) -> None:
        if fact in _TOLD and fact.line is not None:
            tell(f"{fact.line.level.name}: {said(fact, fields)}")

    return read
