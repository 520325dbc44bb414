"""All settings without their secrets."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec
from pydantic import BaseModel, SecretStr

from matchkeeper.config.checks import redis_url_problem
from matchkeeper.config.models import Settings
from matchkeeper.config.rule_tables import Sparse
from matchkeeper.config.showing import MASK, without_user_info


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


def masked(settings: Settings) -> dict[str, object]:
    """All settings as plain values, `********` for secrets. `redis.url` keeps its host."""
    tables = {name: _table(getattr(settings, name)) for name in Settings.model_fields}
    if settings.redis.url is not None:
        tables["redis"]["url"] = masked_redis_url(settings.redis.url.get_secret_value())
    return dict(tables)


def to_toml(settings: Settings) -> str:
    """All settings as a TOML file, secrets masked; a comment names those that are not set."""
    unset: list[str] = []
    tables = _without_unset(masked(settings), "", unset)
    comment = f"# Not set: {', '.join(unset)}\n\n" if unset else ""
    return comment + msgspec.toml.encode(tables).decode()


def _table(section: BaseModel) -> dict[str, object]:
    names = list(type(section).model_fields)
    if isinstance(section, Sparse):
        names = [each for each in names if each in section.model_fields_set]
    return {name: _plain(getattr(section, name)) for name in names}


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return _table(value)
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, Path):
        return str(value)
    return without_user_info(value) if isinstance(value, str) else value


def _without_unset(value: object, key: str, unset: list[str]) -> object:
    if isinstance(value, dict):
        unset.extend(f"{key}{name}" for name, item in value.items() if item is None)
        return {
            name: _without_unset(item, f"{key}{name}.", unset)
            for name, item in value.items()
            if item is not None
        }
    if isinstance(value, list):
        place = key.removesuffix(".")
        return [_without_unset(item, f"{place}[{i}].", unset) for i, item in enumerate(value)]
    return value
