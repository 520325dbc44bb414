"""A plain client of Redis, as somebody outside writes it: connections that are given up at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Self

import hiredis

from crowd.wire import packed

_CHUNK = 1 << 16
_CONNECTIONS = 24
_PAUSE_SECONDS = 0.03


class WireError(Exception):
    """No reply, or an error in its place."""


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._replies = hiredis.Reader(protocolError=WireError, replyError=WireError)

    @classmethod
    async def to(cls, port: int) -> Self:
        """Connects. Raises WireError."""
        try:
            return cls(*await asyncio.open_connection("127.0.0.1", port))
        except OSError as error:
            raise WireError(str(error)) from None

    def send(self, *args: str | bytes | float) -> None:
        """Sends a command."""
        self._writer.write(packed(*args))

    async def receive(self) -> Any:
        """The next reply or push. Raises WireError when the connection is gone."""
        while (reply := self._replies.gets()) is False:
            try:
                data = await self._reader.read(_CHUNK)
            except OSError as error:
                raise WireError(str(error)) from None
            if not data:
                raise WireError("closed")
            self._replies.feed(data)
        return reply

    def close(self) -> None:
        """At once."""
        self._writer.transport.abort()


class Client:
    """Calls over a few connections. While Redis is away it is not stormed with new ones."""

    def __init__(self, port: int, *, timeout_seconds: float = 1.0) -> None:
        self.port = port
        self._timeout_seconds = timeout_seconds
        self._free: list[Line] = []
        self._turns = asyncio.Semaphore(_CONNECTIONS)

    async def call(self, *commands: tuple[str | bytes | float, ...]) -> list[Any]:
        """The replies to a pipeline. Raises WireError; then nobody knows what was done."""
        async with self._turns:
            try:
                return await self._call(commands)
            except WireError:
                await asyncio.sleep(_PAUSE_SECONDS)
                raise

    async def _call(self, commands: Sequence[tuple[str | bytes | float, ...]]) -> list[Any]:
        line: Line | None = None
        try:
            async with asyncio.timeout(self._timeout_seconds):
                line = self._free.pop() if self._free else await Line.to(self.port)
                for command in commands:
                    line.send(*command)
                replies = [await line.receive() for _ in commands]
        except TimeoutError:
            _give_up(line)
            raise WireError("no reply in time") from None
        except BaseException:
            _give_up(line)
            raise
        errors = [reply for reply in replies if isinstance(reply, Exception)]
        self._free.append(line)
        if errors:
            raise WireError(str(errors[0]))
        return replies

    def close(self) -> None:
        """Ends the idle connections."""
        while self._free:
            self._free.pop().close()


def _give_up(line: Line | None) -> None:
    if line is not None:
        line.close()


async def ask(port: int, *args: str | bytes | float, timeout_seconds: float = 2.0) -> Any:
    """One command over a connection of its own. Raises WireError."""
    client = Client(port, timeout_seconds=timeout_seconds)
    try:
        return (await client.call(args))[0]
    finally:
        client.close()
