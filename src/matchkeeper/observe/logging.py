"""Logs: console lines for people, JSON for machines, secrets in neither."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal

import structlog

_PASSWORD_IN_URL = re.compile(r"(?<=://)[^/@\s'\"]*@")
_SECRET_KEY = re.compile(r"token|password|secret|routing_key|authorization", re.IGNORECASE)
_MASK = "********"
_LONGEST_FIELD = 2000


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


def configure(*, level: str, fmt: Literal["console", "json"]) -> None:
    """Sets up logging for the whole process, on stderr. `level` is a name such as INFO."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask_secrets,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if fmt == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Libraries speak up when something is wrong; Apprise would log its URLs, which hold keys.
    for name, quiet in (
        ("apprise", logging.CRITICAL),
        ("httpx", logging.WARNING),
        ("httpcore", logging.WARNING),
        ("uvicorn", logging.WARNING),
        ("asyncio", logging.WARNING),
        ("urllib3", logging.ERROR),
        ("requests", logging.WARNING),
    ):
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
