"""How a value or a key is shown in an error, without what may be a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from pydantic import SecretStr

MASK = "********"
_MAX_SHOWN = 60
_USER_INFO = re.compile(r"(?<=://).*@", re.DOTALL)
_NAMEABLE = re.compile(r"[A-Za-z0-9_-]{1,64}")


def without_user_info(text: str) -> str:
    """`text` with `********` for what stands between `://` and `@` of a URL."""
    return _USER_INFO.sub(f"{MASK}@", text)


def nameable(name: object) -> str:
    """A key that may be shown. Text that does not look like a key may be a value in the wrong
    place.
    """
    text = str(name)
    if _NAMEABLE.fullmatch(text):
        return text
    return f"<a name of {len(text)} characters>"


def shown(value: object) -> str:
    """A value that is no secret, for an error: short, on one line, without passwords of URLs."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        try:
            return _shortened(str(value))
        except ValueError:
            return "a number of too many digits"
    if isinstance(value, str):
        text = json.dumps(without_user_info(value), ensure_ascii=not value.isprintable())
        return _shortened(text.replace("\x7f", "\\u007f"))
    return kind_of(value)


def kind_of(value: object) -> str:
    """The kind of a value, without the value."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "true or false"),
        ((int, float), "a number"),
        (Mapping, "a table"),
        ((list, tuple), "a list"),
    )
    if value is None or value == "":
        return "null" if value is None else "an empty text"
    found = (name for kind, name in kinds if isinstance(value, kind))
    return next(found, "a text" if isinstance(value, str) else f"a {type(value).__name__}")


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
