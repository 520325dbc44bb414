"""Operations in Lua. Each is declared once, as a function without a body that says what the script
takes; calling it makes a `Call`, for `Connection.script`.

Keys and arguments are locals of the Lua file, under the same names: they are put where it says
`declared`. For what repeats, each key and argument is a column. Its local is the place before the
first one: `KEYS[column + i]` belongs to row i.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from importlib import import_module
from importlib.resources import files
from inspect import Parameter, isclass, signature
from itertools import repeat
from operator import attrgetter
from typing import (
    Annotated,
    Any,
    Generic,
    ParamSpec,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from ..domain.realm import QueueName
from . import keys

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
C = TypeVar("C", bound=StrEnum)
Unsent = Annotated[T, "unsent"]
"""A parameter that is not sent as an argument: keys are made of it."""
Command = tuple[str | bytes | int | float, ...]
Make = str | Callable[..., str | bytes]
"""A key, or a function that makes it. It gets the parameters, or fields of a row, of its own
names.
"""
pack = msgspec.msgpack.Encoder().encode
"""For `cmsgpack.unpack` in Lua, which knows text but no binary: encode `str`, never `bytes`."""

_FOLDER = files(__package__) / "lua"
_INCLUDE = re.compile(r"^ *-- include: (\w+)$", re.MULTILINE)
_DECLARED = re.compile(r"^-- declared: (\w+)\.(\w+)$", re.MULTILINE)
_CALLED = re.compile(
    r"\b(?:p?call|ask_all|tell_all)\((?:[\w.]+, )?'([A-Z]+)'(?:, '(STREAM|CREATE)')?"
)


class Key:
    """How a key of a script is made."""

    def __init__(self, make: Make) -> None:
        self._make = make if callable(make) else lambda: make
        parameters = signature(self._make).parameters.values()
        self._parts = {
            each.name: "QueueName" in str(each.annotation)
            for each in parameters
            if each.kind is Parameter.POSITIONAL_OR_KEYWORD
        }
        self.kind = keys.TYPES.get(getattr(make, "func", make))
        """`zset`, `hash`, `string` or `stream`; None: only a call says which key it is."""
        self.pattern = self.example(QueueName(mode="mode"), "<{}>".format)

    def example(self, queue: QueueName, part: Callable[[str], str]) -> str:
        """An example of the key in a queue. `part` gets the name of another part and says what
        stands for it.
        """
        known = {
            "realm": queue.realm,
            **{name: queue for name, is_it in self._parts.items() if is_it},
        }
        parts = [known[name] if name in known else part(name) for name in self._parts]
        return keys.text(keys.raw(self._make(*parts)))

    def made(self, values: Mapping[str, Any]) -> Sequence[str | bytes]:
        """As a call has it."""
        return [self._make(*[_part(values, name) for name in self._parts])]


class ColumnKey(Key):
    """How a key is made for each row of the parameter `rows`. Fields of a row go before parameters.
    A row without fields is itself the part that is no parameter.
    """

    def __init__(self, rows: str, make: Make) -> None:
        super().__init__(make)
        self.rows = rows

    def made(self, values: Mapping[str, Any]) -> Sequence[str | bytes]:
        """As the rows of a call have it."""
        rows = values[self.rows]
        if not rows:
            return ()
        fields = getattr(rows[0], "_fields", ())

        def of_rows(part: str) -> Iterable[Any]:
            if part in fields:
                return map(attrgetter(part), rows)
            return repeat(_part(values, part)) if part in values or part == "realm" else rows

        return list(map(self._make, *map(of_rows, self._parts)))


def _part(values: Mapping[str, Any], name: str) -> Any:
    """A part of a key. The realm is that of the queue, where no parameter says it."""
    if name == "realm" and name not in values:
        return values["queue"].realm
    return values[name]


@dataclass(frozen=True, slots=True)
class Call(Generic[R]):
    """One call of a script, whose reply says an R."""

    script: Script[..., R]
    values: Mapping[str, Any]
    """Parameter -> value."""

    @property
    def command(self) -> Command:
        """What is sent to Redis."""
        script, values = self.script, self.values
        names = [keys.raw(each) for key in script.keys.values() for each in key.made(values)]
        args = [_sent(values[name]) for name in script.arguments]
        args += [len(values[rows]) for rows in script.rows]
        for rows, columns in script.rows.items():
            for name in columns:
                column = values[rows] if name == rows else map(attrgetter(name), values[rows])
                args += map(_sent, column)
        return ("EVALSHA", script.sha, len(names), *names, *args)


def _sent(value: Any) -> bytes | int | float:
    if isinstance(value, str):
        return keys.raw(value)
    return value if isinstance(value, bytes | int | float) else pack(value)


class Script(Generic[P, R]):
    """A Lua file, as it is declared."""

    def __init__(
        self,
        declared: Callable[P, None],
        reads: Callable[[Any], R],
        made: Mapping[str, Key],
    ) -> None:
        self.name = declared.__name__
        self.reads = reads
        self.keys = dict(sorted(made.items(), key=lambda each: isinstance(each[1], ColumnKey)))
        """By name: first the keys of the call, then those of its rows."""
        hints = get_type_hints(declared, include_extras=True)
        self.rows = {name: _columns(name, hint) for name, hint in hints.items() if _is_rows(hint)}
        """Parameter -> its columns of arguments, and their types."""
        self.arguments = {
            name: hint
            for name, hint in hints.items()
            if name not in (*self.rows, "return") and get_origin(hint) is not Annotated
        }
        """Parameter -> type."""
        self._defaults = getattr(declared, "__kwdefaults__", None) or {}

    def __call__(self, *_: P.args, **values: P.kwargs) -> Call[R]:
        return Call(self, {**self._defaults, **values})

    @cached_property
    def source(self) -> str:
        """The Lua text that is sent to Redis, with its declaration and its includes in place."""
        text = (_FOLDER / f"{self.name}.lua").read_text("utf-8")
        text = _DECLARED.sub(lambda _: "\n".join(self._locals()), text)
        return _INCLUDE.sub(lambda m: (_FOLDER / "lib" / f"{m[1]}.lua").read_text("utf-8"), text)

    @cached_property
    def sha(self) -> str:
        """The name under which Redis keeps the script."""
        return hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    @cached_property
    def commands(self) -> frozenset[str]:
        """What it may send to Redis, in capitals, with the subcommand where there is one."""
        return frozenset(" ".join(filter(None, each)) for each in _CALLED.findall(self.source))

    def _locals(self) -> Iterator[str]:
        columns = {name: key for name, key in self.keys.items() if isinstance(key, ColumnKey)}
        for at, (name, key) in enumerate(self.keys.items(), start=1):
            if name not in columns:
                yield f"local {name} = KEYS[{at}] -- {key.pattern}"
        for at, (name, kind) in enumerate(self.arguments.items(), start=1):
            yield f"local {name} = ARGV[{at}]{_values(kind)}"
        for at, rows in enumerate(self.rows, start=len(self.arguments) + 1):
            yield f"local {rows}_count = tonumber(ARGV[{at}])"
        place = str(len(self.keys) - len(columns))
        for name, column in columns.items():
            yield f"local {name} = {place} -- KEYS[{name} + i]: {column.pattern}"
            place = f"{name} + {column.rows}_count"
        place = str(len(self.arguments) + len(self.rows))
        for rows, kinds in self.rows.items():
            for name, kind in kinds.items():
                yield f"local {name} = {place} -- ARGV[{name} + i]{_values(kind)}"
                place = f"{name} + {rows}_count"


def script(
    reads: Callable[[Any], R],
    /,
    *made: Callable[..., str | bytes] | Mapping[str, Key],
    **named: Make,
) -> Callable[[Callable[P, None]], Script[P, R]]:
    """Declares a script. `reads` makes the result of its reply; `made` are keys that have the names
    of their functions, and `named` are the other keys. Parameters are the arguments, in their
    order: texts and numbers go as they are, all else is packed. What repeats is a Sequence, of
    named tuples or of single values.
    """
    found: dict[str, Key] = {}
    for make in made:
        found |= make if isinstance(make, Mapping) else {make.__name__: Key(make)}
    found |= {name: Key(make) for name, make in named.items()}
    return lambda declared: Script(declared, reads, found)


def each(rows: str, **named: Make) -> Mapping[str, Key]:
    """Keys of each row of a parameter, by name."""
    return {name: ColumnKey(rows, make) for name, make in named.items()}


def code(codes: type[C]) -> Callable[[Any], C]:
    """Reads a reply that begins with one of these codes."""
    return lambda reply: codes(reply[0].decode())


def _is_rows(hint: Any) -> bool:
    hint = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    return get_origin(hint) is Sequence


def _columns(name: str, hint: Any) -> Mapping[str, Any]:
    if get_origin(hint) is Annotated:
        return {}
    (row,) = get_args(hint)
    if not hasattr(row, "_fields"):
        return {name: row}
    fields = get_type_hints(row, include_extras=True)
    return {name: kind for name, kind in fields.items() if get_origin(kind) is not Annotated}


def _values(kind: Any) -> str:
    values = list(kind) if isclass(kind) and issubclass(kind, StrEnum) else get_args(kind)
    texts = [each for each in values if isinstance(each, str)]
    return f" -- {' | '.join(texts)}" if texts else ""


@cache
def every() -> Sequence[Script[..., Any]]:
    """All that are declared, in the order of their names."""
    texts = [each.read_text("utf-8") for each in _FOLDER.iterdir() if each.is_file()]
    declared = [each.groups() for each in map(_DECLARED.search, texts) if each]
    found = [getattr(import_module(f"{__package__}.{module}"), each) for module, each in declared]
    return sorted(found, key=attrgetter("name"))


def read_all() -> None:
    """Reads every script now: later there may be no descriptor left to open a file with."""
    for each in every():
        _ = each.sha


async def run(redis: Redis, call: Call[Any]) -> Any:
    """The raw reply. A Redis that does not have the script (restart, SCRIPT FLUSH) gets it
    first.
    """
    try:
        return await redis.execute_command(*call.command)
    except NoScriptError:
        # NOSCRIPT means that nothing ran.
        await load(redis, call.script)
        return await redis.execute_command(*call.command)


async def load(redis: Redis, declared: Script[..., Any]) -> None:
    """Gives Redis the text of a script."""
    await redis.execute_command("SCRIPT LOAD", declared.source)
