"""Texts that settings accept. The checks raise ValueError without repeating the text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from matchkeeper.config.masking import redis_url_problem

POD_ID = "{pod_id}"


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
    # An empty text has become "." by now, and nobody means that.
    if path == Path() or not str(path).isprintable():
        raise ValueError
    return path


Folder = Annotated[Path, AfterValidator(_folder)]
ModeName = Annotated[str, AfterValidator(_mode_name)]
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
