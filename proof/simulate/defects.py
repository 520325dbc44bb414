"""What must never happen, whatever the faults: errors that nobody expected."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from matchkeeper.errors import MatchkeeperError
from matchkeeper.observe.facts import Facts


class _Ear(logging.Handler):
    """Hears all that the servers log; keeps the failures of loops."""

    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        """Every line was formatted before it came here: a line that cannot be formatted shows."""
        line = record.msg
        if isinstance(line, dict) and line.get("kind") == Facts.loop_failed.name:
            self._found.append(str(line.get("event")))


@contextmanager
def logged_defects() -> Iterator[list[str]]:
    """Failures of loops, as the servers tell them; nothing is printed."""
    found: list[str] = []
    logger = logging.getLogger("matchkeeper")
    handlers, propagates, level = logger.handlers[:], logger.propagate, logger.level
    logger.handlers[:], logger.propagate = [_Ear(found)], False
    logger.setLevel(logging.DEBUG)
    structlog.configure(
        processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    try:
        yield found
    finally:
        logger.handlers[:], logger.propagate = handlers, propagates
        logger.setLevel(level)
        structlog.reset_defaults()


def unexpected(error: BaseException) -> list[str]:
    """The parts of an error that are none of ours."""
    if isinstance(error, BaseExceptionGroup):
        return [text for each in error.exceptions for text in unexpected(each)]
    return [] if isinstance(error, MatchkeeperError) else [repr(error)]
