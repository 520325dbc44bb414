"""A whole server in this process: Redis or the embedded Valkey, the loops, HTTP, signals."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from matchkeeper import __version__
from matchkeeper.config import Settings, masked_redis_url
from matchkeeper.context import Context, build
from matchkeeper.doctor import Verdict, examine
from matchkeeper.errors import (
    ConfigError,
    StoreNotReadyError,
    StoreTimeoutError,
    StoreUnavailableError,
)
from matchkeeper.observe.events import Event, emit
from matchkeeper.store.durability import Durability
from matchkeeper.store.embedded import embedded_server
from matchkeeper.store.facts import gather


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """A server that is up."""

    context: Context
    redis_url: str
    http_url: str


async def run_server(
    settings: Settings,
    *,
    url: str | None,
    on_ready: Callable[[ServerInfo], None] | None = None,
    stop: asyncio.Event | None = None,
    folder: Path | None = None,
) -> None:
    """Runs until a signal or `stop`. `url` None: an embedded Valkey on `folder`.

    Raises MatchkeeperError when it cannot start.
    """
    async with _redis(settings, url, folder) as redis_url:
        context = build(settings, redis_url)
        async with context.stores.connection:
            await _refuse_the_impossible(context)
            await _serve(context, redis_url, on_ready, stop or asyncio.Event())


@asynccontextmanager
async def _redis(settings: Settings, url: str | None, folder: Path | None) -> AsyncGenerator[str]:
    if url is not None:
        yield url
        return
    async with embedded_server(folder or Path(settings.redis.embedded_dir)) as server:
        emit(Event.EMBEDDED_STARTED, redis=server.url, folder=str(server.folder))
        yield server.url


async def _refuse_the_impossible(context: Context) -> None:
    """What can never work stops the start. A Redis that is away may come: the server waits."""
    settings = context.settings
    durability = Durability.parse(settings.redis.durability)
    try:
        facts = await gather(
            context.stores.connection,
            tags=[mode.tag for mode in context.modes],
            channel=settings.matchmaking.battle_request_channel,
        )
    except (StoreUnavailableError, StoreTimeoutError, StoreNotReadyError):
        return  # told by the connection itself
    for finding in examine(facts, durability):
        if finding.verdict is Verdict.WRONG and finding.fatal:
            raise ConfigError(f"{finding.check}: {finding.found}", hint=finding.mend)


async def _serve(
    context: Context,
    redis_url: str,
    on_ready: Callable[[ServerInfo], None] | None,
    stop: asyncio.Event,
) -> None:
    # Slow to import, and of no use to commands that do not serve.
    from matchkeeper.api.app import create_app  # noqa: PLC0415
    from matchkeeper.api.serving import bind, serve_http  # noqa: PLC0415

    server = context.settings.server
    listener = bind(server.host, server.port)
    http_url = f"http://{server.host}:{listener.getsockname()[1]}"
    http_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, context.server.stop)
    http = asyncio.ensure_future(serve_http(create_app(context), listener, stop=http_stop))
    stopper = asyncio.ensure_future(_stop_when(stop, context))
    emit(
        Event.STARTED,
        version=__version__,
        modes=", ".join(mode.name for mode in context.modes),
        redis=masked_redis_url(redis_url),
        http=http_url,
    )
    if on_ready is not None:
        on_ready(ServerInfo(context=context, redis_url=redis_url, http_url=http_url))
    try:
        await context.server.run()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        stopper.cancel()
        http_stop.set()
        await asyncio.gather(http, stopper, return_exceptions=True)


async def _stop_when(stop: asyncio.Event, context: Context) -> None:
    await stop.wait()
    context.server.stop()
