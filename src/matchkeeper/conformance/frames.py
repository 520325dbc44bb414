"""Cuts what Redis and its clients say into whole values (RESP, both versions). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_TEXTS = b"$!="
_LISTS = b"*~>"
_PAIRS = b"%|"
_END = b"\r\n"


class _IncompleteError(Exception):
    """The rest has not come yet."""


class Frames:
    """One direction of one connection."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, Any]]:
        """Each value that is whole now, as it came and as it is read: bytes, lists of such, None.

        What is no text or list is read as the line that it is.
        """
        self._rest += data
        while self._rest:
            try:
                value, end = _value(self._rest, 0)
            except _IncompleteError:
                return
            raw, self._rest = self._rest[:end], self._rest[end:]
            yield raw, value


def packed(value: bytes | list[bytes]) -> bytes:
    """A text, or a list of texts, for the wire."""
    if isinstance(value, bytes):
        return b"$%d\r\n%b\r\n" % (len(value), value)
    return b"*%d\r\n%b" % (len(value), b"".join(map(packed, value)))


def _value(data: bytes, at: int) -> tuple[Any, int]:
    stop = data.find(_END, at)
    if stop < 0:
        raise _IncompleteError
    kind, line, end = data[at : at + 1], data[at + 1 : stop], stop + len(_END)
    if kind in _TEXTS:
        size = int(line)
        if size < 0:
            return None, end
        if len(data) < end + size + len(_END):
            raise _IncompleteError
        return data[end : end + size], end + size + len(_END)
    if kind in _LISTS or kind in _PAIRS:
        count = int(line)
        if count < 0:
            return None, end
        items = []
        for _ in range(count * 2 if kind in _PAIRS else count):
            item, end = _value(data, end)
            items.append(item)
        return items, end
    return data[at:stop], end
