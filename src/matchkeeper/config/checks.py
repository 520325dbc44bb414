"""Texts that settings accept. The checks raise ValueError without repeating the text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic import AfterValidator, SecretStr

from matchkeeper.domain.realm import realm_problem

POD_ID = "{pod_id}"
_REDIS_SCHEMES = ("redis", "rediss", "unix", "valkey", "valkeys")
_URL_OPTIONS = ("db", "username", "password", "protocol", "socket_keepalive")
"""What may stand after the `?` of a Redis URL, beside `ssl_…`. Others, such as `socket_timeout` or
`retry_on_timeout`, would replace deadlines and retries that Matchkeeper sets itself.
"""


class ReasonError(ValueError):
    """Says why a text is refused, in words that may be shown: they repeat no part of it."""


def _matches(pattern: str, text: str) -> str:
    if not re.fullmatch(pattern, text, re.ASCII):
        raise ValueError
    return text


def _mode_name(name: str) -> str:
    # isprintable is false for controls, lone surrogates and every white space but the blank.
    if not 1 <= len(name) <= 64 or not name.isprintable() or set(name) & set("{} "):
        raise ValueError
    return name


def _realm(name: str) -> str:
    if realm_problem(name):
        raise ValueError
    return name


def _channel(name: str) -> str:
    if not 1 <= len(name) <= 256 or not name.isprintable() or " " in name:
        raise ValueError
    return name


def _result_channel(name: str) -> str:
    _channel(name)
    rest = name.replace(POD_ID, "")
    if POD_ID not in name or set(rest) & set("{}"):
        raise ValueError
    return name


def _redis_url(url: SecretStr) -> SecretStr:
    problem = redis_url_problem(url.get_secret_value())
    if problem is not None:
        raise ReasonError(problem)
    return url


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    _ = parts.port
    named = parts.scheme in ("http", "https") and parts.hostname and "@" not in url
    if not named or not url.isprintable() or " " in url:
        raise ValueError
    return url


def _apprise_url(url: SecretStr) -> SecretStr:
    _matches(r"[A-Za-z][A-Za-z0-9+.-]*://\S.*", url.get_secret_value())
    return url


def _token(token: SecretStr) -> SecretStr:
    _matches(r"[!-~]+", token.get_secret_value())
    return token


def _host(host: str) -> str:
    return _matches(r"[A-Za-z0-9._:%\[\]-]{1,255}", host)


def _host_pattern(host: str) -> str:
    return _matches(r"\*|(\*\.)?[A-Za-z0-9._-]{1,253}", host)


def _server_id(name: str) -> str:
    return _matches(r"[A-Za-z0-9._:-]{1,64}", name)


def _durability(text: str) -> str:
    return _matches(r"none|fsync|replicas:[1-9][0-9]{0,2}", text)


def _label(text: str) -> str:
    if not 1 <= len(text) <= 255 or not text.isprintable():
        raise ValueError
    return text


def _folder(path: Path) -> Path:
    # An empty text has become "." here, which nobody means.
    if path == Path() or not str(path).isprintable():
        raise ValueError
    return path


def redis_url_problem(url: str) -> str | None:
    """What makes a Redis URL unusable, in words that repeat no part of it; None if it is good."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "its host or port cannot be read; a special character in a password is written %XX"
    if not url.isprintable() or " " in url:
        return "it has blanks or control characters"
    if not url.startswith(tuple(f"{scheme}://" for scheme in _REDIS_SCHEMES)):
        known = parts.scheme in ("http", "https", "tcp", *_REDIS_SCHEMES)
        return f"its scheme is {parts.scheme}" if known else "it has no scheme that is known"
    if parts.fragment or url.endswith("#"):
        return "it has a #; a special character in a password is written %XX"
    return _query_problem(parts) or _place_problem(parts)


def _query_problem(parts: SplitResult) -> str | None:
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in _URL_OPTIONS and not re.fullmatch(r"ssl_[a-z_]+", name):
            return f"after the ? only {', '.join(_URL_OPTIONS)} and ssl_… may stand"
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


Folder = Annotated[Path, AfterValidator(_folder)]
ModeName = Annotated[str, AfterValidator(_mode_name)]
Realm = Annotated[str, AfterValidator(_realm)]
Channel = Annotated[str, AfterValidator(_channel)]
ResultChannel = Annotated[str, AfterValidator(_result_channel)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
AppriseUrl = Annotated[SecretStr, AfterValidator(_apprise_url)]
Token = Annotated[SecretStr, AfterValidator(_token)]
Host = Annotated[str, AfterValidator(_host)]
HostPattern = Annotated[str, AfterValidator(_host_pattern)]
ServerId = Annotated[str, AfterValidator(_server_id)]
DurabilityText = Annotated[str, AfterValidator(_durability)]
Label = Annotated[str, AfterValidator(_label)]
