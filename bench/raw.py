"""A client with no logic: packed commands out, replies in."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from typing import Any, Self

import hiredis

from crowd.wire import packed

_CHUNK = 1 << 16


class Line:
    """One connection. Commands are sent ahead, replies read later, in order."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = hiredis.Reader()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Packed commands, one or many."""
        self.socket.sendall(data)

    def ready(self) -> list[Any]:
        """What has come, after a wait for more where nothing has. Raises OSError at the end."""
        data = self.socket.recv(_CHUNK)
        if not data:
            raise ConnectionError("Redis has closed the connection")
        self._reader.feed(data)
        found = []
        while (reply := self._reader.gets()) is not False:
            found.append(reply)
        return found

    def replies(self, count: int) -> list[Any]:
        """The next `count` replies. Raises the first that is an error."""
        found: list[Any] = []
        while len(found) < count:
            found += self.ready()
        for reply in found:
            if isinstance(reply, Exception):
                raise reply
        return found

    def ask(self, *args: str | bytes | float) -> Any:
        """One command and its reply."""
        self.send(packed(*args))
        return self.replies(1)[0]

    def all(self, commands: Sequence[bytes], *, at_once: int = 500) -> None:
        """Many packed commands, some at a time; their replies do not matter."""
        for first in range(0, len(commands), at_once):
            some = commands[first : first + at_once]
            self.send(b"".join(some))
            self.replies(len(some))


def replies_while(line: Line, commands: Iterable[tuple[bytes, int]], *, ahead: int) -> None:
    """Sends (bytes, number of commands) with up to `ahead` commands unanswered."""
    open_ = 0
    for data, count in commands:
        line.send(data)
        open_ += count
        while open_ > ahead:
            got = line.ready()
            for reply in got:
                if isinstance(reply, Exception):
                    raise reply
            open_ -= len(got)
    if open_:
        line.replies(open_)
