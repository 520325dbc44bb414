"""A relay between a primary and its replica, which can hold back what the primary says."""

from __future__ import annotations

import asyncio
from contextlib import suppress

_CHUNK = 1 << 16


class Relay:
    """Listens on a port of its own, before the server at `target`."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._passes = asyncio.Event()
        self._passes.set()
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def open(self) -> None:
        """Begins to listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def hold(self) -> None:
        """From now on nothing arrives any more."""
        self._passes.clear()

    def close(self) -> None:
        """At once; what was held is gone."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_primary, to_primary = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, to_primary]
        with suppress(OSError, asyncio.CancelledError):
            await asyncio.gather(
                self._carry(reader, to_primary), self._carry(from_primary, writer, held=True)
            )

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, held: bool = False
    ) -> None:
        while data := await reader.read(_CHUNK):
            if held:
                await self._passes.wait()
            writer.write(data)
            await writer.drain()
        writer.close()
