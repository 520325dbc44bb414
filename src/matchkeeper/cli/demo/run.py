"""Wires the demo: Valkey, server, people, controls and view, and ends them in order."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from matchkeeper.cli.demo.breakables import Poisoner, breakables
from matchkeeper.cli.demo.browser import open_page, there_is_a_screen
from matchkeeper.cli.demo.controls import Controls, Figures
from matchkeeper.cli.demo.day import Day, share_of_peak
from matchkeeper.cli.demo.devices import Readings, devices
from matchkeeper.cli.demo.ledger import Fate, Ledger
from matchkeeper.cli.demo.lookout import Lookout
from matchkeeper.cli.demo.news import news, silence
from matchkeeper.cli.demo.routes import demo_router
from matchkeeper.cli.demo.view import Snapshot, line, render, save_picture
from matchkeeper.cli.demo.world import World
from matchkeeper.config import Settings, masked_redis_url
from matchkeeper.resilience.breaker import CircuitBreaker
from matchkeeper.server.process import ServerInfo, run_server
from matchkeeper.server.wiring import Stores, new_server_id, new_token, options_for, stores_for
from matchkeeper.store.operations import Unobserved
from matchkeeper.store.own_valkey import OwnValkey

DEFAULT_PORT = 8080
_REFRESH_SECONDS = 0.25
_LOOK_SECONDS = 0.5
_PLAIN_LINE_SECONDS = 2.0
_SETTLING_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the command line says."""

    pods: int = 3
    players_per_second: float = 8.0
    """At the evening's peak."""
    day: timedelta = timedelta(minutes=5)
    seconds: float | None = None
    """None: until Ctrl-C."""
    seed: int | None = None
    open_page: bool = True
    picture: Path | None = None
    """Where to save the last view, as SVG."""


async def run_demo(
    settings: Settings, options: DemoOptions, *, url: str | None, folder: Path
) -> bool:
    """Runs the demo; whether nobody was lost or doubled. Raises MatchkeeperError.

    `url` None: on a Valkey of its own, which the controls may stop.
    """
    stop = asyncio.Event()
    ledger = Ledger(clock=time.monotonic)
    silence()
    with _signals(stop) as hear_again:
        async with AsyncExitStack() as stack:
            own: OwnValkey | None = None
            if url is None:
                own = await stack.enter_async_context(OwnValkey(folder))
                url = own.url
            stores = await stack.enter_async_context(_looking_at(settings, url))
            demo = _Demo(settings, options, ledger, own, stores, url)
            await demo.run(stop, hear_again)
    print(line(demo.snapshot(), ledger))
    return demo.lookout.lost == 0 and ledger.doubled == 0


@contextmanager
def _signals(stop: asyncio.Event) -> Generator[Callable[[], None]]:
    """Ctrl-C and a closed terminal ask for the end, from the first moment to the last. Yields a
    function that listens anew: the server has handlers of its own while it runs.
    """
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def listen() -> None:
        for number in numbers:
            loop.add_signal_handler(number, stop.set)

    listen()
    try:
        yield listen
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _looking_at(settings: Settings, url: str) -> AsyncGenerator[Stores]:
    """Stores of the demo's own. Their breaker is quick, so that the view soon knows again."""
    rng = random.Random()  # noqa: S311  # jitter, not secrets
    breaker = CircuitBreaker(
        cooldown=timedelta(seconds=0.5),
        cooldown_max=timedelta(seconds=0.5),
        clock=time.monotonic,
        rng=rng,
    )
    stores = stores_for(
        settings,
        options_for(settings, url),
        me=new_server_id(),
        breaker=breaker,
        events=Unobserved(),
        clock=time.monotonic,
        rng=rng,
    )
    async with stores.connection:
        yield stores


class _Demo:
    """Everything that runs beside the server."""

    def __init__(
        self,
        settings: Settings,
        options: DemoOptions,
        ledger: Ledger,
        own: OwnValkey | None,
        stores: Stores,
        redis_url: str,
    ) -> None:
        self._settings = settings
        self._options = options
        self._ledger = ledger
        self._own = own
        self._stores = stores
        self._redis_url = redis_url
        self._modes = settings.modes()
        self._info: ServerInfo | None = None
        self._begun = ledger.clock()
        self._day = Day(
            peak_per_second=options.players_per_second, seconds=options.day.total_seconds()
        )
        # On a Redis that outlives the demo, players of an earlier one may stand still.
        prefix = "" if own is not None else f"{new_token()[:6]}-"
        self._world = World(
            redis_url,
            realm=settings.matchmaking.realm,
            pods=options.pods,
            day=self._day,
            modes=self._modes,
            ledger=ledger,
            seed=secrets.randbits(32) if options.seed is None else options.seed,
            prefix=prefix,
        )
        self.lookout = Lookout(
            settings, stores, ledger, away=lambda: own is not None and own.stopped
        )
        poisoner = Poisoner(stores, ledger, self._modes[0], prefix=prefix)
        self._controls = Controls(list(breakables(own, self._world, poisoner)), self._figures)

    async def run(self, stop: asyncio.Event, hear_again: Callable[[], None]) -> None:
        """Until `stop`, or as long as the options say. Raises MatchkeeperError."""
        ready = asyncio.Event()

        def is_ready(info: ServerInfo) -> None:
            self._info = info
            info.context.log.readers.append(news(partial(self._ledger.tell, unusual=True)))
            ready.set()

        async def serve() -> None:
            try:
                await run_server(
                    self._settings,
                    url=self._redis_url,
                    on_ready=is_ready,
                    stop=stop,
                    beside=[demo_router(self._controls)],
                )
            finally:
                hear_again()

        server = asyncio.ensure_future(serve())
        try:
            await _first_of(server, ready.wait())
            if self._info is not None:
                await self._show_until(server, stop)
        finally:
            stop.set()
            await server

    async def _show_until(self, server: asyncio.Future[None], stop: asyncio.Event) -> None:
        works: list[Coroutine[Any, Any, None]] = [self._world.run(), self._looks(), self._view()]
        if self._own is not None:
            works.append(self._own.pulses())
        helpers = [asyncio.ensure_future(work) for work in works]
        stopped = asyncio.ensure_future(stop.wait())
        try:
            until: list[asyncio.Future[Any]] = [server, stopped, *helpers]
            await asyncio.wait(
                until,
                timeout=self._options.seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for helper in helpers:
                if helper.done():
                    helper.result()  # they end only by failing
            if self._options.picture is not None:
                save_picture(self._options.picture, self.snapshot(), self._ledger)
            if self._own is not None:
                self._own.calm()  # the end need not be slow
            if not stopped.done() and not server.done():
                await self._settle()
        finally:
            stop.set()
            for each in (stopped, *helpers):
                each.cancel()
            await asyncio.gather(stopped, *helpers, return_exceptions=True)

    async def _settle(self) -> None:
        """Lets no new players come, and waits for answers that are on their way."""
        self._world.close()
        deadline = self._ledger.clock() + _SETTLING_SECONDS
        await self.lookout.look()
        while self.lookout.suspects and self._ledger.clock() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
            await self.lookout.look()

    async def _looks(self) -> None:
        while True:
            await self.lookout.look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _view(self) -> None:
        """Draws until cancelled."""
        assert self._info is not None  # noqa: S101  # drawn only once the server is up
        terminal = sys.stdout.isatty()
        if not terminal:
            print(f"The live page: {self._info.http_url}/", flush=True)
            while True:
                print(line(self.snapshot(), self._ledger), flush=True)
                await asyncio.sleep(_PLAIN_LINE_SECONDS)
        if self._options.open_page and there_is_a_screen(
            os.environ, platform=sys.platform, terminal=terminal
        ):
            open_page(f"{self._info.http_url}/")
        console = Console()
        with Live(console=console, auto_refresh=False, screen=False) as live:
            while True:
                view = render(self.snapshot(), self._ledger, lines=console.height)
                live.update(view, refresh=True)
                await asyncio.sleep(_REFRESH_SECONDS)

    def snapshot(self) -> Snapshot:
        """Everything as it is now."""
        seconds = self._ledger.clock() - self._begun
        hour = self._day.hour(seconds)
        url = "" if self._info is None else self._info.http_url
        port = url.rpartition(":")[2]
        shown: tuple[Any, ...] = ()
        if self._info is not None:
            context = self._info.context
            shown = tuple(
                devices(
                    Readings(context.metrics.registry),
                    context.breaker,
                    listening=self.lookout.subscribers,
                )
            )
        return Snapshot(
            seconds=seconds,
            hour=hour,
            share_of_peak=share_of_peak(hour),
            redis=masked_redis_url(self._redis_url),
            http=f"{url}/",
            port="" if port == str(DEFAULT_PORT) else f" --port {port}",
            quick=_quick(self._settings),
            queues=self.lookout.queues,
            devices=shown,
            board=self._controls.board(),
        )

    def _figures(self) -> Figures:
        counts = self._ledger.counts
        return Figures(
            players=counts["enqueued"],
            matched=counts[Fate.MATCHED],
            lost=self.lookout.lost,
            doubled=self._ledger.doubled,
            known=self.lookout.known,
        )


async def _first_of(server: asyncio.Future[None], other: Coroutine[Any, Any, Any]) -> None:
    """Returns once either is done; `other` is given up then."""
    waiting = asyncio.ensure_future(other)
    try:
        await asyncio.wait((server, waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


def _quick(settings: Settings) -> str:
    """What a production server does more slowly."""
    redis, matchmaking = settings.redis, settings.matchmaking
    return (
        f"Quick for the show: Redis has {matchmaking.redis_operation_timeout_seconds:g} s to "
        f"answer, the breaker opens after {redis.breaker_failures} failures for "
        f"{redis.breaker_cooldown_seconds:g} s."
    )
