"""HTTP in our own event loop: our signals, our logs, our end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator

import uvicorn
from litestar import Litestar

from matchkeeper.errors import MatchkeeperError

_END_SECONDS = 2


class _Quiet(uvicorn.Server):
    """uvicorn without its signal handlers: signals are for the match server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises MatchkeeperError when the address cannot be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise MatchkeeperError(
            f"HTTP cannot listen on {host}:{port}: {error.strerror}",
            hint="Choose another with --port (0 takes any), or stop what listens there.",
        ) from None
    return listener


async def serve_http(app: Litestar, listener: socket.socket, *, stop: asyncio.Event) -> None:
    """Serves until `stop` is set."""
    server = _Quiet(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=_END_SECONDS,
        )
    )
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        server.should_exit = True
        await serving
