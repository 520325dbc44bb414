"""A real HTTP server on loopback that takes what alerts send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Webhook:
    """`statuses`: what to answer, one after another; then 200. `hang`: never answer."""

    port: int = 0
    statuses: list[int] = field(default_factory=list)
    hang: bool = False
    bodies: list[dict[str, Any]] = field(default_factory=list)

    @property
    def apprise_url(self) -> str:
        return f"json://127.0.0.1:{self.port}/hook"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/enqueue"


@asynccontextmanager
async def webhook() -> AsyncIterator[Webhook]:
    """Listens until the end of the block."""
    hook = Webhook()
    tasks: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        try:
            await answer(reader, writer)
        finally:
            writer.close()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [
            int(line.split(b":")[1])
            for line in head.lower().splitlines()
            if line.startswith(b"content-length:")
        ]
        body = await reader.readexactly(lengths[0])
        hook.bodies.append(json.loads(body))
        if hook.hang:
            await asyncio.Event().wait()
        status = hook.statuses.pop(0) if hook.statuses else 200
        writer.write(
            f"HTTP/1.1 {status} x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode()
        )
        await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    hook.port = server.sockets[0].getsockname()[1]
    try:
        yield hook
    finally:
        server.close()
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)
