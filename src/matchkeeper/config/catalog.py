"""Every setting with its type, default, bounds and variable, read off the models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from inspect import isclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from matchkeeper.config.models import ENV_DELIMITER, ENV_PREFIX, Location, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key of the configuration."""

    location: tuple[str, ...]
    """The parts of the key, without the index in a table array."""
    field: FieldInfo

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.location[-1]

    @property
    def table(self) -> str:
        """The table it stands in, as in the file: `[redis]`. What is below a table array counts as
        one table, whatever its tables are named.
        """
        table = ".".join(self.location[:-1])
        return f"[[{table}]]" if len(self.location) == 3 else f"[{table}]"

    @property
    def key(self) -> str:
        """The dotted key."""
        return ".".join(self.location)

    @property
    def variable(self) -> str | None:
        """The environment variable; None for keys of table arrays, which are set as a whole."""
        if len(self.location) > 2:
            return None
        return (ENV_PREFIX + ENV_DELIMITER.join(self.location)).upper()


@cache
def catalog() -> tuple[Setting, ...]:
    """All settings, in the order of the models."""
    return tuple(_walk(Settings, ()))


def _walk(model: type[BaseModel], location: tuple[str, ...]) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        inner = model_in(field.annotation)
        if location:
            yield Setting(location=(*location, name), field=field)
        if inner is not None:
            yield from _walk(inner, (*location, name))


def field_at(location: Location) -> FieldInfo | None:
    """The field at a place in the configuration; None where there is none. A table of names is
    the field of what stands under each of them.
    """
    model: type[BaseModel] | None = Settings
    field, named = None, False
    for part in location:
        if isinstance(part, int) or named:
            named = False
            continue
        if model is None or part not in model.model_fields:
            return None
        field = model.model_fields[part]
        model = model_in(field.annotation)
        forms = (field.annotation, *get_args(field.annotation))
        named = any(get_origin(each) is dict for each in forms)
    return field


def model_in(annotation: object) -> type[BaseModel] | None:
    """The model that an annotation is, or is a list of."""
    if isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(model_in, get_args(annotation))), None)


def is_secret(field: FieldInfo) -> bool:
    """Whether values of the field must never be shown."""
    return _holds(field.annotation, SecretStr)


def is_list(field: FieldInfo) -> bool:
    """Whether the field holds many values."""
    return get_origin(field.annotation) is tuple


def type_text(field: FieldInfo) -> str:
    """The type, in the words of TOML."""
    if "type_text" in _extra(field):
        return str(_extra(field)["type_text"])
    if is_list(field):
        return "array of tables" if model_in(field.annotation) else "array of strings"
    kinds = ((bool, "boolean"), (int, "integer"), (float, "number"))
    return next((text for kind, text in kinds if _holds(field.annotation, kind)), "string")


def allowed_text(field: FieldInfo) -> str:
    """What the field accepts."""
    if field.json_schema_extra and "allowed" in _extra(field):
        return str(_extra(field)["allowed"])
    if get_origin(field.annotation) is Literal:
        return "one of " + ", ".join(json.dumps(choice) for choice in get_args(field.annotation))
    if _holds(field.annotation, bool):
        return "true or false"
    kind = "a whole number" if _holds(field.annotation, int) else "a number"
    return f"{kind} {_range(field)}"


def default_text(field: FieldInfo) -> str:
    """The default as it would stand in the file; without one, what that means."""
    if "default_text" in _extra(field):
        return str(_extra(field)["default_text"])
    if field.is_required():
        return "required"
    if field.default is None:
        return "not set"
    value = str(field.default) if isinstance(field.default, Path) else field.default
    return f"`{json.dumps(value)}`"


def _range(field: FieldInfo) -> str:
    low = next((f"from {m.ge}" for m in field.metadata if isinstance(m, Ge)), "")
    low = next((f"above {m.gt}" for m in field.metadata if isinstance(m, Gt)), low)
    high = next((f"to {m.le}" for m in field.metadata if isinstance(m, Le)), "")
    high = next((f"below {m.lt}" for m in field.metadata if isinstance(m, Lt)), high)
    joined = f"{low} {high}" if low.startswith("from") else f"{low}, up {high}"
    return joined.strip()


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _holds(annotation: object, kind: type) -> bool:
    return annotation is kind or any(_holds(part, kind) for part in get_args(annotation))
