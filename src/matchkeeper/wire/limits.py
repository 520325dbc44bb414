"""Checks that hold for everything that comes from outside: depth, ids, text."""

from __future__ import annotations

import re
from typing import Protocol, TypeVar

import msgspec

MAX_DEPTH = 32
MAX_ID_CHARACTERS = 128
MAX_METADATA_BYTES = 1_048_576
"""The limit for one ticket, however it came into its queue."""

_T_co = TypeVar("_T_co", covariant=True)

# C0, DEL, C1 and lone surrogates: none of them can be typed, logged or sent safely.
_UNUSABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
ID_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]+$"
"""What an id may look like, for documents."""
_STRUCTURE = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)


class _Decoder(Protocol[_T_co]):
    def decode(self, payload: bytes, /) -> _T_co: ...


def decoded(decoder: _Decoder[_T_co], payload: bytes, *, depth: int = MAX_DEPTH) -> _T_co:
    """The value of JSON text from outside. Raises msgspec.DecodeError and nothing else."""
    try:
        payload.decode()  # Raw fields are not checked by the decoder
        if too_deep(payload, depth):
            raise msgspec.DecodeError(f"nested deeper than {depth} levels")
        return decoder.decode(payload)
    except (UnicodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from None


def printable(text: str) -> str:
    """Text that can be logged and sent, made of text whose bytes may be no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def escaped(text: str) -> str:
    r"""Text from outside, safe for a terminal: characters that cannot be printed become \xNN.

    These are escape sequences, bytes that are no UTF-8, and marks that change the text direction.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # how Python holds a byte that is no UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()


def id_problem(name: str, value: object) -> str | None:
    """What makes `value` unusable as an id (`name` is the field), or None."""
    if not isinstance(value, str):
        return f"{name} is not a string"
    if not value:
        return f"{name} is empty"
    if len(value) > MAX_ID_CHARACTERS:
        return f"{name} has {len(value)} characters, {MAX_ID_CHARACTERS} are allowed"
    if _UNUSABLE.search(value):
        return f"{name} has control characters"
    return None


def are_ids(*values: str) -> bool:
    """Whether all are usable as ids; `id_problem` says what is wrong with one."""
    longest = max(map(len, values))
    return all(values) and longest <= MAX_ID_CHARACTERS and not _UNUSABLE.search("".join(values))


def too_deep(text: bytes, limit: int = MAX_DEPTH) -> bool:
    """Whether JSON text nests objects and arrays deeper than `limit`. Does not parse it."""
    if text.count(b"{") + text.count(b"[") <= limit:
        return False
    depth = 0
    for match in _STRUCTURE.finditer(text):
        token = match.group()
        if token in (b"{", b"["):
            depth += 1
            if depth > limit:
                return True
        elif token in (b"}", b"]"):
            depth -= 1
    return False
