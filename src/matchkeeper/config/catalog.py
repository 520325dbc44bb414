"""Every setting with its key and variable, read off the models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from matchkeeper.config.fields import model_in
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
