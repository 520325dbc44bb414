"""Messages that are nearly right: what was wrong with one, and whom to tell."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress

import msgspec

from matchkeeper.wire.limits import id_problem

MAX_BYTES = 4 * 1_048_576
"""A longer message is not searched for ids: the search would delay all other messages."""

_MAX_LENIENT_BYTES = 65_536
"""The lenient reader reads so much: it is a hundred times slower than the strict one."""

_IDS = {
    "playerid": "player_id",
    "partyid": "party_id",
    "podid": "pod_id",
    "gamemode": "game_mode",
}
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TOKEN = re.compile(
    r"""([{}\[\]]
    | "[^"\\]*+(?:\\.[^"\\]*+)*+"?   # a string, perhaps cut off
    | '[^'\\]*+(?:\\.[^'\\]*+)*+'?   # the same in Python's way
    | [^\s{}\[\]:,"']+)              # a number, a word
    (\s*:)?""",
    re.DOTALL | re.VERBOSE,
)
_NUMBER = re.compile(r"-?[0-9][0-9.eE+-]*")
_WHERE = re.compile(r"\(byte ([0-9]+)\)$")
_BEFORE, _AFTER = 12, 20
"""How much of the message is shown around the fault, in bytes."""


def ids_in(payload: bytes) -> dict[str, str]:
    """`player_id`, `party_id`, `pod_id` and `game_mode` of a message that cannot be used, as far as
    they can be read. Numbers count as ids, and so do names in other spellings, as `playerId`.
    """
    return fields_in(payload, _IDS)


def fields_in(payload: bytes, names: Mapping[str, str]) -> dict[str, str]:
    """As `ids_in`, for other fields: `names` has each without its underscores, and as it is."""
    if len(payload) > MAX_BYTES:
        return {}
    found = {}
    for name, value in _top_fields(payload).items():
        known = names.get(name.replace("_", "").lower())
        if known is not None and id_problem(known, value) is None:
            found[known] = value
    return found


def complaint(payload: bytes, error: Exception, *, shown: bool = True) -> str:
    """What is wrong with JSON text that cannot be decoded, and where. `shown`: with the text
    there.
    """
    encoding = json.detect_encoding(payload)
    if encoding == "utf-8-sig":
        return "it begins with a byte order mark (BOM): send UTF-8 without one"
    if encoding != "utf-8":
        return f"it is {encoding.upper()}: send UTF-8"
    if isinstance(error, UnicodeDecodeError):
        found = _excerpt(payload, error.start) if shown else ""
        return f"it is not UTF-8: {error.reason}{found}"
    text = str(error)
    where = _WHERE.search(text)
    return text + _excerpt(payload, int(where[1])) if shown and where else text


def _excerpt(payload: bytes, at: int) -> str:
    shown = payload[max(0, at - _BEFORE) : at + _AFTER].decode("utf-8", "replace")
    return f", here: {shown!r}"


def _top_fields(payload: bytes) -> dict[str, str]:
    """The strings and numbers of the outermost object, by name."""
    try:
        payload.decode()
        fields = {name: bytes(raw).decode() for name, raw in _fields.decode(payload).items()}
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        text = payload[:_MAX_LENIENT_BYTES].decode(json.detect_encoding(payload), "replace")
        # A sender may have encoded JSON text as JSON once more.
        fields = _lenient((_scalar(text) if text.startswith('"') else None) or text)
    scalars = ((name, _scalar(token)) for name, token in fields.items())
    return {name: value for name, value in scalars if value is not None}


def _lenient(text: str) -> dict[str, str]:
    """The same for text that is no JSON: values stay as they stand, the last of each name
    counts.
    """
    fields: dict[str, str] = {}
    depth, name = 0, None
    for match in _TOKEN.finditer(text):
        token, colon = match.groups()
        if token in ("{", "["):
            depth, name = depth + 1, None
        elif token in ("}", "]"):
            depth -= 1
            if depth == 0:
                break
        elif depth == 1 and colon:
            name = token.strip("\"'")
        elif depth == 1 and name is not None:
            fields[name], name = token, None
    return fields


def _scalar(token: str) -> str | None:
    """The value of a string, or a number as it was written."""
    if token.startswith('"'):
        with suppress(ValueError):
            value = json.loads(token, strict=False)
            return None if "\ufffd" in value else value
    if token.startswith("'"):
        return token[1:-1]
    return token if _NUMBER.fullmatch(token) else None
