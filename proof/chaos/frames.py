"""Where commands and replies end on the wire, so that a fault can hit a single one."""

from __future__ import annotations

import re
from hashlib import sha1

from matchkeeper.store import scripts

_SIZED = b"$=!"
_LISTS = b"*~>"
_MAP = ord("%")
_HEARS = re.compile(rb"\r\npod:([^\r]+):match_result(?::\{[^}\r]*\})?\r\n")
_NAMES = {each.sha.encode(): each.name for each in scripts.every()}


def frame_end(data: bytes | bytearray, start: int = 0) -> int:
    """The index behind the frame that begins at `start`, or -1 where a part of it is missing."""
    at, wanted = start, 1
    while wanted:
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            return -1
        kind, wanted, after = data[at], wanted - 1, line_end + 2
        if kind in _SIZED:
            size = int(data[at + 1 : line_end])
            after += size + 2 if size >= 0 else 0
        elif kind in _LISTS:
            wanted += max(0, int(data[at + 1 : line_end]))
        elif kind == _MAP:
            wanted += 2 * int(data[at + 1 : line_end])
        at = after
        if at > len(data):
            return -1
    return at


class Splitter:
    """Cuts a stream of bytes into whole frames."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are whole now."""
        self._rest += data
        frames, start = [], 0
        while start < len(self._rest) and (end := frame_end(self._rest, start)) > 0:
            frames.append(bytes(self._rest[start:end]))
            start = end
        del self._rest[:start]
        return frames

    def rest(self) -> bytes:
        """What has come of the next frame, which is forgotten here."""
        rest = bytes(self._rest)
        self._rest.clear()
        return rest


def command_name(frame: bytes) -> str:
    """What a command does: the name of a script of ours, else that of the command."""
    first, at = _word(frame, frame.find(b"\r\n") + 2)
    name = first.upper()
    if name == b"EVALSHA":
        return _NAMES.get(_word(frame, at)[0], "?")
    if name == b"EVAL":
        text = _word(frame, at)[0]
        return _NAMES.get(sha1(text, usedforsecurity=False).hexdigest().encode(), "?")
    return name.decode("ascii", "replace")


def pods_told(frame: bytes) -> list[str]:
    """The pods whose answers a SUBSCRIBE asks for."""
    return [name.decode() for name in _HEARS.findall(frame)]


def _word(frame: bytes, at: int) -> tuple[bytes, int]:
    """The bulk string at an index, and the index behind it."""
    line_end = frame.find(b"\r\n", at)
    if frame[at : at + 1] != b"$":
        return b"", len(frame)
    size = int(frame[at + 1 : line_end])
    return frame[line_end + 2 : line_end + 2 + size], line_end + 4 + size
