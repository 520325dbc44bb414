"""HTTP in our own event loop, with our own signals, logs and shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Callable, Generator
from pathlib import Path

import uvicorn
from litestar.types import ASGIApp

from matchkeeper.errors import ConfigError, MatchkeeperError
from matchkeeper.observe.facts import Facts
from matchkeeper.server.http.connections import Closed, affordable, bounded

_END_SECONDS = 2
_BACKLOG = 128
"""How many connections the system keeps until they are accepted."""
_FEWEST = 8
_MOST_HEADERS = 32 * 1024


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


def connections_for(wanted: int, *, redis: int, facts: Facts) -> int:
    """How many HTTP connections to hold, so that descriptors are left for `redis` connections.

    Raises ConfigError where the process may open too few.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return wanted
    most = affordable(
        wanted, descriptors=limit, in_use=sum(1 for _ in Path("/dev/fd").iterdir()), redis=redis
    )
    if most < _FEWEST:
        raise ConfigError(
            f"The process may open {limit} files, which is too few",
            hint=f"Raise it (ulimit -n) by {_FEWEST - most}, or lower redis.max_connections.",
        )
    if most < wanted:
        facts.few_descriptors(limit=limit, connections=most)
    return most


async def serve_http(
    app: ASGIApp,
    listener: socket.socket,
    *,
    most: int,
    on_closed: Callable[[Closed], None],
    stop: asyncio.Event,
) -> None:
    """Serves until `stop` is set, with `most` connections at once. `on_closed` is told of each
    connection that the server closed, and why.
    """
    server = _Quiet(
        uvicorn.Config(
            app,
            http=bounded(most, on_closed),
            ws="none",
            backlog=_BACKLOG,
            h11_max_incomplete_event_size=_MOST_HEADERS,
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
