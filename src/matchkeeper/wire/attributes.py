"""The attributes of one player, read from the metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from sys import intern

import msgspec

from matchkeeper.domain.attribute import (
    Attribute,
    AttributeType,
    Value,
    known_latencies,
    number,
    ranking,
)
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Poison, Values
from matchkeeper.wire.metadata_text import BadMetadataError

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_any = msgspec.json.Decoder()
_NEEDED: Mapping[AttributeType, str] = {
    AttributeType.NUMBER: "a number",
    AttributeType.STRING: "a string",
    AttributeType.SET: "a list of strings",
    AttributeType.RANKING: "a list of different strings, the favourite first",
    AttributeType.LATENCIES: "an object of milliseconds by region",
}
_FOUND: Sequence[tuple[type | tuple[type, ...], str]] = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "a string"),
    (list, "a list"),
    (dict, "an object"),
)
_WITHIN: Mapping[AttributeType, tuple[str, str]] = {
    AttributeType.NUMBER: ("a number", "a number out of range"),
    AttributeType.SET: ("a list", "a list of other things than strings"),
    AttributeType.RANKING: ("a list", "a list with something twice, or that is no string"),
    AttributeType.LATENCIES: ("an object", "an object with something that is no number"),
}
"""Where the type is right: what it is, and what is wrong then."""


def values_in(metadata: bytes, mode: GameMode) -> Values:
    """The attributes of a player with this metadata, a JSON object. Raises BadMetadataError, which
    names the attribute that is missing or wrong.
    """
    if not mode.attributes:
        return ()
    fields = _fields.decode(metadata)
    return tuple([_value(each, fields.get(each.name), mode) for each in mode.attributes])


def _value(attribute: Attribute, raw: msgspec.Raw | None, mode: GameMode) -> Value:
    value = None if raw is None else _any.decode(raw)
    if value is None:
        if attribute.default is not None:
            return attribute.default
        text = (
            f"metadata has no {attribute.name}, and {mode.name} has no default for it; needed is "
            f"{_NEEDED[attribute.type]}"
        )
        raise BadMetadataError(text, Poison.MISSING_ATTRIBUTE)
    found = _READ[attribute.type](value)
    if found is None:
        text = f"{attribute.name} is {_described(attribute.type, value)}; needed is "
        raise BadMetadataError(text + _NEEDED[attribute.type], Poison.INVALID_ATTRIBUTE)
    return found


def _described(kind: AttributeType, value: object) -> str:
    """What was found, in words that repeat nothing of it."""
    text = next(text for type_, text in _FOUND if isinstance(value, type_))
    right, wrong = _WITHIN.get(kind, ("", ""))
    return wrong if text == right else text


def _string(value: object) -> str | None:
    return intern(value) if isinstance(value, str) else None


def _strings(value: object) -> list[str] | None:
    if not isinstance(value, list):
        return None
    found = [intern(each) for each in value if isinstance(each, str)]
    return found if len(found) == len(value) else None


def _set(value: object) -> frozenset[str] | None:
    found = _strings(value)
    return None if found is None else frozenset(found)


def _ranking(value: object) -> tuple[str, ...] | None:
    found = _strings(value)
    return None if found is None else ranking(found)


def _latencies(value: object) -> Value | None:
    if not isinstance(value, dict):
        return None
    pings = {intern(region): number(ms) for region, ms in value.items()}
    known = {region: ms for region, ms in pings.items() if ms is not None}
    return known_latencies(known) if len(known) == len(pings) else None


_READ: Mapping[AttributeType, Callable[[object], Value | None]] = {
    AttributeType.NUMBER: number,
    AttributeType.STRING: _string,
    AttributeType.SET: _set,
    AttributeType.RANKING: _ranking,
    AttributeType.LATENCIES: _latencies,
}
