"""How settings are shown without their secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic import SecretStr

MASK = "********"
REDIS_SCHEMES = ("redis", "rediss", "unix", "valkey", "valkeys")
URL_OPTIONS = ("db", "username", "password", "protocol", "socket_keepalive")
"""What may stand after the `?` of a Redis URL, beside `ssl_…`. Others, such as `socket_timeout` or
`retry_on_timeout`, would take the place of deadlines and retries that Matchkeeper sets itself."""

_MAX_SHOWN = 60
_USER_INFO = re.compile(r"(?<=://).*@", re.DOTALL)
_NAMEABLE = re.compile(r"[A-Za-z0-9_-]{1,64}")


def redis_url_problem(url: str) -> str | None:
    """What makes a Redis URL unusable, in words that repeat no part of it; None if it is well."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "its host or port cannot be read; a special character in a password is written %XX"
    if not url.isprintable() or " " in url:
        return "it has blanks or control characters"
    if not url.startswith(tuple(f"{scheme}://" for scheme in REDIS_SCHEMES)):
        known = parts.scheme in ("http", "https", "tcp", *REDIS_SCHEMES)
        return f"its scheme is {parts.scheme}" if known else "it has no scheme that is known"
    if parts.fragment or url.endswith("#"):
        return "it has a #; a special character in a password is written %XX"
    return _query_problem(parts) or _place_problem(parts)


def _query_problem(parts: SplitResult) -> str | None:
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in URL_OPTIONS and not re.fullmatch(r"ssl_[a-z_]+", name):
            return f"after the ? only {', '.join(URL_OPTIONS)} and ssl_… may stand"
        if name == "db" and not re.fullmatch(r"[0-9]{1,5}", value):
            return "db after the ? is not a number"
    return None


def _place_problem(parts: SplitResult) -> str | None:
    if parts.scheme == "unix":
        if parts.netloc and not parts.netloc.endswith("@"):
            return "a unix URL has no host: three slashes come before the path"
        if parts.netloc and "@" in parts.path:
            return "its path has an @; a special character in a password is written %XX"
        return None if len(parts.path) > 1 else "it has no path of a socket"
    if not parts.hostname:
        return "it has no host"
    if parts.path not in ("", "/") and not re.fullmatch(r"/[0-9]{1,5}/?", parts.path):
        return "what follows the host is not the number of a database"
    return None


def masked_redis_url(url: str) -> str:
    """Scheme, host, port and database of a Redis URL, with `********` for user and password."""
    if redis_url_problem(url) is not None:
        return MASK
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    options = parse_qsl(parts.query)
    hidden = "@" in parts.netloc or any(name in ("username", "password") for name, _ in options)
    database = next((f"?db={value}" for name, value in options if name == "db"), "")
    return f"{parts.scheme}://{MASK + '@' if hidden else ''}{host}{parts.path}{database}"


def without_user_info(text: str) -> str:
    """`text` with `********` for what stands between `://` and `@` of a URL."""
    return _USER_INFO.sub(f"{MASK}@", text)


def nameable(name: object) -> str:
    """A key as it may be repeated; one that looks like no key may be a value in the wrong place."""
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
    """What sort of value it is, without the value."""
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
