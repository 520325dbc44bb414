"""Lines into a file descriptor, from a thread of their own: whoever reads them may hang."""

from __future__ import annotations

import os
import select
import threading
from collections import deque

_MOST_BYTES = 4 * 1024 * 1024
_AT_ONCE = 64 * 1024


class LineWriter:
    """Takes lines from any thread and never waits; what exceeds the bound is dropped and counted.

    It writes to the descriptor itself: a Python stream has a lock, and who waits for its reader
    while the process ends would keep it from ending.
    """

    def __init__(self, descriptor: int, *, most_bytes: int = _MOST_BYTES) -> None:
        self._descriptor = descriptor
        self._most_bytes = most_bytes
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._closing = False
        self._changed = threading.Condition()
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Lines that nobody will read, since the start."""
        return self._dropped

    @property
    def roomy(self) -> bool:
        """Whether less than half of the room is taken."""
        return self._bytes < self._most_bytes // 2

    def put(self, line: bytes) -> bool:
        """Takes a line, with its end; False when it is dropped."""
        with self._changed:
            if self._closing or self._bytes + len(line) > self._most_bytes:
                self._dropped += 1
                return False
            self._lines.append(line)
            self._bytes += len(line)
            self._changed.notify()
            return True

    def close(self, seconds: float) -> bool:
        """Writes what it has, for so long at most; False when some was left."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while lines := self._next():
            try:
                _write(self._descriptor, b"".join(lines))
            except OSError:  # the reader is gone, or the disk is full
                with self._changed:
                    self._dropped += len(lines)
            with self._changed:
                self._bytes -= sum(map(len, lines))

    def _next(self) -> list[bytes]:
        """What can be written at once; nothing at the end. What is being written still counts."""
        with self._changed:
            while not self._lines and not self._closing:
                self._changed.wait()
            taken: list[bytes] = []
            size = 0
            while self._lines and (not taken or size + len(self._lines[0]) <= _AT_ONCE):
                taken.append(self._lines.popleft())
                size += len(taken[-1])
            return taken


def _write(descriptor: int, text: bytes) -> None:
    rest = memoryview(text)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # another process that has this file made it so
            select.select([], [descriptor], [])
