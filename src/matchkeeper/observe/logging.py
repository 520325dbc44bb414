"""Logs: console lines for people, JSON for machines, secrets in neither; nobody waits for them."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Generator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Literal

import structlog

from matchkeeper.observe.facts import Facts
from matchkeeper.observe.line_writer import LineWriter
from matchkeeper.observe.log import Log
from matchkeeper.wire.limits import escaped

_PASSWORD_IN_URL = re.compile(r"(?<=://)[^/@\s'\"]*@")
_SECRET_KEY = re.compile(r"token|password|secret|routing_key|authorization", re.IGNORECASE)
_MASK = "********"
_LONGEST_FIELD = 2000
_STDERR = 2
_FLUSH_SECONDS = 2.0
_QUIET = {
    # Libraries speak up when something is wrong; Apprise would log its URLs, which hold keys.
    "apprise": logging.CRITICAL,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "uvicorn": logging.WARNING,
    "asyncio": logging.WARNING,
    "urllib3": logging.ERROR,
    "requests": logging.WARNING,
}


def masked(text: str) -> str:
    """The text without the user and password of any URL in it."""
    return _PASSWORD_IN_URL.sub(f"{_MASK}@", text)


def mask_secrets(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> Mapping[str, Any]:
    """A structlog processor: masks URLs in every text, and values whose key names a secret.

    What strangers sent is shortened.
    """
    for key, value in event.items():
        if _SECRET_KEY.search(key) and value:
            event[key] = _MASK
        elif isinstance(value, str):
            event[key] = masked(value if key == "exception" else _shortened(value))
    return event


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_FIELD else f"{text[:_LONGEST_FIELD]}…"


def escape_controls(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> Mapping[str, Any]:
    """A structlog processor: ids of strangers move no cursor and turn no text. Tracebacks keep
    their lines.
    """
    for key, value in event.items():
        if isinstance(value, str):
            lines = value.split("\n") if key == "exception" else [value]
            event[key] = "\n".join(map(escaped, lines))
    return event


class _Handler(logging.Handler):
    """Formats where the line comes from, and leaves the writing to another thread."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self.writer = writer
        self.facts = Facts(Log().hears())
        self._told = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Never waits and never raises."""
        try:
            text = self.format(record)
        except Exception as error:  # noqa: BLE001  # a line that cannot be made harms nobody
            text = f"A log line could not be made: {error!r}"
        taken = self.writer.put(f"{text}\n".encode("utf-8", "backslashreplace"))
        dropped = self.writer.dropped - self._told
        if taken and dropped and self.writer.roomy:
            self._told += dropped
            self.facts.log_lines_dropped(count=dropped)


def _handlers() -> list[_Handler]:
    return [each for each in logging.getLogger().handlers if isinstance(each, _Handler)]


def dropped_lines() -> int:
    """Log lines of this process that nobody will read."""
    return sum(each.writer.dropped for each in _handlers())


def drops_are_told_by(facts: Facts) -> None:
    """A server runs in this process: its page, too, says that lines were dropped."""
    for each in _handlers():
        each.facts = facts


@contextmanager
def configured(
    *, level: str, fmt: Literal["console", "json"], descriptor: int = _STDERR
) -> Generator[LineWriter]:
    """Logs of the whole process go to `descriptor`, stderr unless given, and what is left of them
    within two seconds at the end. `level` is a name such as INFO.
    """
    writer = LineWriter(descriptor)
    _configure(_Handler(writer), level=level, fmt=fmt, colors=os.isatty(descriptor))
    try:
        yield writer
    finally:
        writer.close(_FLUSH_SECONDS)


def _configure(
    handler: logging.Handler, *, level: str, fmt: Literal["console", "json"], colors: bool
) -> None:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask_secrets,
    ]
    rendering: list[Any] = (
        [structlog.processors.JSONRenderer()]
        if fmt == "json"
        else [escape_controls, structlog.dev.ConsoleRenderer(colors=colors)]
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(quiet)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
