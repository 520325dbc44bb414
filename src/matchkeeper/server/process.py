"""A whole server in this process: Redis or the embedded Valkey, the loops, HTTP, signals."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matchkeeper import __version__
from matchkeeper.config import Settings, masked_redis_url
from matchkeeper.domain.agreement import double_hearing
from matchkeeper.errors import (
    ConfigError,
    StoreError,
    StoreNotReadyError,
    StoreTimeoutError,
    StoreUnavailableError,
)
from matchkeeper.observe.facts import Facts
from matchkeeper.observe.log import Log
from matchkeeper.observe.logging import drops_are_told_by
from matchkeeper.operate.doctor import Verdict, examine_server
from matchkeeper.server.lifecycle import MatchServer
from matchkeeper.server.wiring import Context, build
from matchkeeper.store.durability import Durability
from matchkeeper.store.embedded import embedded_server
from matchkeeper.store.facts import gather_server
from matchkeeper.store.scripts import read_all

if TYPE_CHECKING:
    from litestar import Router  # slow to import; commands that do not serve do not need it

    from matchkeeper.server.http.connections import Closed

_LOOK_AGAIN_SECONDS = 1.0


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
    beside: Sequence[Router] = (),
) -> None:
    """Runs until a signal or `stop`. `url` None: an embedded Valkey on `folder`. `beside`: more
    routes for HTTP, such as those of a demo.

    Raises MatchkeeperError when it cannot start.
    """
    end = _End(stop or asyncio.Event())
    with end.on_signals():
        async with _redis(settings, url, folder) as redis_url:
            read_all()
            context = build(settings, redis_url)
            drops_are_told_by(context.facts)
            await _checked_and_served(context, redis_url, on_ready, end, beside)


class _End:
    """Signals and the caller's `stop`; both are heard before anything is started."""

    def __init__(self, wanted: asyncio.Event) -> None:
        self.wanted = wanted
        self._again = False
        self._at_once: Callable[[], None] = lambda: None

    @contextmanager
    def on_signals(self) -> Generator[None]:
        """SIGTERM, SIGINT and SIGHUP ask for the end; under `nohup` SIGHUP does not."""
        loop = asyncio.get_running_loop()
        numbers = [signal.SIGTERM, signal.SIGINT]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        for number in numbers:
            loop.add_signal_handler(number, self._heard)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def _heard(self) -> None:
        if self.wanted.is_set():
            self._again = True
            self._at_once()
        self.wanted.set()

    async def comes_before(self, work: Coroutine[Any, Any, None]) -> bool:
        """Whether the end was wanted before `work` was done; then `work` is given up."""
        doing, wanted = asyncio.ensure_future(work), asyncio.ensure_future(self.wanted.wait())
        try:
            await asyncio.wait((doing, wanted), return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                doing.result()
            return wanted.done()
        finally:
            for each in (doing, wanted):
                each.cancel()
            await asyncio.gather(doing, wanted, return_exceptions=True)

    async def stops(self, server: MatchServer) -> None:
        """Stops the server when the end is wanted; a second request stops it at once."""
        await self.wanted.wait()
        server.stop()
        self._at_once = server.stop
        if self._again:
            server.stop()


async def _checked_and_served(
    context: Context,
    redis_url: str,
    on_ready: Callable[[ServerInfo], None] | None,
    end: _End,
    beside: Sequence[Router],
) -> None:
    async with context.stores.connection, context.people.connection, context.traces.open():
        looked = asyncio.Event()
        if await end.comes_before(_refuse_the_impossible(context, looked)):
            return
        async with _looking_later(context, looked):
            await _serve(context, redis_url, on_ready, end, beside)


@asynccontextmanager
async def _redis(settings: Settings, url: str | None, folder: Path | None) -> AsyncGenerator[str]:
    if url is not None:
        yield url
        return
    appendfsync = Durability.parse(settings.redis.durability).appendfsync
    folder = folder or Path(settings.redis.embedded_dir)
    async with embedded_server(folder, appendfsync=appendfsync) as server:
        Facts(Log().hears()).embedded_started(redis=server.url, folder=str(server.folder))
        yield server.url


async def _refuse_the_impossible(context: Context, looked: asyncio.Event) -> None:
    """Raises ConfigError, or FormError, for what can never work. A Redis that is away may come: the
    server waits.

    `looked` is set if Redis was there.
    """
    settings = context.settings
    durability = Durability.parse(settings.redis.durability)
    try:
        facts = await gather_server(context.stores.connection)
    except (StoreUnavailableError, StoreTimeoutError, StoreNotReadyError):
        return  # told by the connection itself
    looked.set()
    for finding in examine_server(facts, durability):
        if finding.verdict is Verdict.WRONG and finding.fatal:
            raise ConfigError(f"{finding.check}: {finding.found}", hint=finding.mend)
    await _refuse_double_hearing(context)
    context.watches.doubts.take(facts)
    with suppress(StoreError):  # told by the connection itself; nothing is done before it is known
        await context.watches.form.admit()


async def _refuse_double_hearing(context: Context) -> None:
    """Raises ConfigError where two servers would do the same requests."""
    try:
        others = (await context.stores.servers.look()).others
    except StoreError:
        return  # told by the connection itself
    if found := double_hearing(context.settings.agreed(), others):
        raise ConfigError(found, hint="Let both names be the same on all servers, or neither.")


@asynccontextmanager
async def _looking_later(context: Context, looked: asyncio.Event) -> AsyncGenerator[None]:
    """Looks at a Redis that was away at the start as soon as it comes. What can never work stops
    us.

    Raises ConfigError at the end.
    """

    async def look() -> None:
        while not looked.is_set():
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            with suppress(StoreError):  # told by the connection itself
                await _refuse_the_impossible(context, looked)

    def looked_at(done: asyncio.Future[None]) -> None:
        if not done.cancelled() and done.exception():
            context.server.stop()

    looking = asyncio.ensure_future(look())
    looking.add_done_callback(looked_at)
    try:
        yield
    finally:
        looking.cancel()
        failures = await asyncio.gather(looking, return_exceptions=True)
    for failure in failures:
        if isinstance(failure, Exception):
            raise failure


def _served(context: Context) -> str:
    names = ", ".join(mode.name for mode in context.modes)
    realm = context.settings.matchmaking.realm
    return f"{names} in the realm {realm}" if realm else names


async def _serve(
    context: Context,
    redis_url: str,
    on_ready: Callable[[ServerInfo], None] | None,
    end: _End,
    beside: Sequence[Router],
) -> None:
    # Slow to import; commands that do not serve do not need it.
    from matchkeeper.server.http.app import create_app  # noqa: PLC0415
    from matchkeeper.server.http.serving import bind, connections_for, serve_http  # noqa: PLC0415

    server = context.settings.server
    most = connections_for(
        server.max_connections, redis=context.settings.redis.max_connections, facts=context.facts
    )
    listener = bind(server.host, server.port)
    http_url = f"http://{server.host}:{listener.getsockname()[1]}"
    http_stop = asyncio.Event()
    app = create_app(context, stop=http_stop, beside=beside, most_pages=most // 2)

    def closed(why: Closed) -> None:
        context.facts.http_closed(why=why.value)

    http = asyncio.ensure_future(
        serve_http(app, listener, most=most, on_closed=closed, stop=http_stop)
    )
    stopper = asyncio.ensure_future(end.stops(context.server))
    context.facts.started(
        version=__version__,
        modes=_served(context),
        redis=masked_redis_url(redis_url),
        http=http_url,
    )
    if on_ready is not None:
        on_ready(ServerInfo(context=context, redis_url=redis_url, http_url=http_url))
    try:
        await context.server.run()
        if context.watches.form.refused is not None:
            raise context.watches.form.refused
    finally:
        stopper.cancel()
        http_stop.set()
        await asyncio.gather(http, stopper, return_exceptions=True)
