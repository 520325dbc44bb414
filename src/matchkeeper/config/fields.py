"""The type, the default and the bounds of a setting, in words, read off its field."""

from __future__ import annotations

import json
from inspect import isclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo


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
