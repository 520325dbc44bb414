"""A TCP proxy that loses or delays what Redis answers: faults that no server makes to order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """`lose_replies`: so many chunks from the server are thrown away, and the connection cut."""

    port: int = 0
    leads_to: int = 0
    """The server's port, for connections made from now on."""
    lose_replies_to: bytes | None = None
    """Commands that contain these bytes are passed on, and their reply is lost."""
    cut_before: bytes | None = None
    """Commands that contain these bytes are not passed on, and the connection is cut."""
    lost: int = 0
    lose_at_most: int = 1
    delay_seconds: float = 0.0
    held: bool = False
    """What the server says waits here until it is false."""
    requests: list[bytes] = field(default_factory=list)

    def cuts(self, data: bytes) -> bool:
        return self.cut_before is not None and self.cut_before in data

    def loses(self, data: bytes) -> bool:
        target = self.lose_replies_to
        loses = target is not None and target in data and self.lost < self.lose_at_most
        self.lost += loses
        return loses

    async def pause(self) -> None:
        """As long as the next chunk is to wait."""
        await asyncio.sleep(self.delay_seconds)
        while self.held:
            await asyncio.sleep(0.01)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


@asynccontextmanager
async def proxy_to(port: int) -> AsyncIterator[Proxy]:
    """A proxy in front of the server at `port`."""
    proxy = Proxy(leads_to=port)
    open_writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", proxy.leads_to)
        open_writers.update((writer, up_writer))
        losing = asyncio.Event()

        async def requests() -> None:
            while (data := await reader.read(65536)) and not proxy.cuts(data):
                proxy.requests.append(data)
                if proxy.loses(data):
                    losing.set()
                up_writer.write(data)
            up_writer.close()

        async def replies() -> None:
            while data := await up_reader.read(65536):
                if losing.is_set():
                    break
                await proxy.pause()
                writer.write(data)
            writer.close()

        with suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(requests(), replies())

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for writer in open_writers:
            writer.close()
        await asyncio.sleep(0)
