"""What a fact is: one kind of thing that happens, declared once with what the log says of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from inspect import Parameter, signature
from typing import Any, Concatenate, Generic, ParamSpec, Self, overload

P = ParamSpec("P")
Fields = Mapping[str, Any]


class Level(IntEnum):
    """How loud a line is."""

    DEBUG = logging.DEBUG
    INFO = logging.INFO
    WARNING = logging.WARNING
    ERROR = logging.ERROR
    CRITICAL = logging.CRITICAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the log says of a fact."""

    level: Level
    sentence: str
    """With fields in braces; people search their logs for it."""
    do: str
    """What to do about it."""
    page: str
    """The sentence on the live page, where the log's says too little or too much."""
    once_per: tuple[str, ...] | None
    """Said once in an interval for each value of these fields; None: each time."""
    told: Callable[..., Iterable[Fields]] | None
    """Makes the fields of each line, where they are not the fields of the fact."""


class Fact(Generic[P]):
    """One kind of thing that happens. Its name is the `kind` of the line, its docstring what it
    means, its parameters are the fields that come with it.
    """

    def __init__(self, declared: Callable[Concatenate[Any, P], None], line: Line | None) -> None:
        _, *fields = signature(declared).parameters.values()
        self.name = declared.__name__
        self.meaning = " ".join((declared.__doc__ or "").split())
        self.defaults = {each.name: each.default for each in fields}
        """Of all its fields; `Parameter.empty` where there is none."""
        self.line = line

    @overload
    def __get__(self, facts: None, owner: type) -> Self: ...

    @overload
    def __get__(self, facts: object, owner: type) -> Callable[P, None]: ...

    def __get__(self, facts: object, owner: type) -> Any:
        """The fact. An instance of `Facts` has what tells it under the same name."""
        return self

    def says(self, *_: P.args, **fields: P.kwargs) -> str:
        """The sentence of the log. Numbers of seconds lose a needless `.0`."""
        plain = {
            name: f"{value:g}" if isinstance(value, float) else value
            for name, value in fields.items()
        }
        return self.line.sentence.format(**plain) if self.line else ""

    def heard_by(self, hear: Callable[..., None]) -> Callable[[Fields], None]:
        """What calls `hear` with those fields that it names. Raises TypeError where it names what
        this fact has not, without a default of its own.
        """
        asked = signature(hear).parameters.values()
        if any(each.kind is Parameter.VAR_KEYWORD for each in asked):
            return lambda fields: hear(**fields)
        wanted = [each.name for each in asked if each.name in self.defaults]
        if missing := {e.name for e in asked if e.default is Parameter.empty} - {*wanted}:
            raise TypeError(f"{self.name} has no {', '.join(sorted(missing))}")
        if any(self.defaults[name] is not Parameter.empty for name in wanted):
            return lambda fields: hear(
                **{name: fields.get(name, self.defaults[name]) for name in wanted}
            )
        if len(wanted) == len(self.defaults):
            return lambda fields: hear(**fields)
        return lambda fields: hear(**{name: fields[name] for name in wanted})


def fact(declared: Callable[Concatenate[Any, P], None]) -> Fact[P]:
    """Declares a fact that the log does not tell."""
    return Fact(declared, None)


def logged(
    level: Level,
    sentence: str,
    do: str = "Nothing.",
    *,
    page: str = "",
    once_per: tuple[str, ...] | None = None,
    told: Callable[..., Iterable[Fields]] | None = None,
) -> Callable[[Callable[Concatenate[Any, P], None]], Fact[P]]:
    """Declares a fact, and what the log says of it."""
    line = Line(
        level=level, sentence=sentence, do=do, page=page or sentence, once_per=once_per, told=told
    )
    return lambda declared: Fact(declared, line)


DEBUG, INFO, WARNING, ERROR, CRITICAL = Level
LOOK_AT_REDIS = "Run `matchkeeper doctor`; look at Redis and the network between."
