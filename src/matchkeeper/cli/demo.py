"""`matchkeeper demo`: everything at once on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live

from matchkeeper.cli.demo_view import QueueRow, Snapshot, line, render, save_picture
from matchkeeper.cli.demo_world import Ledger, Rates, World
from matchkeeper.config import Settings
from matchkeeper.context import Context
from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.errors import MatchkeeperError, StoreError
from matchkeeper.serving import ServerInfo, run_server

_REFRESH_SECONDS = 0.5
_PLAIN_LINE_SECONDS = 2.0
_SUSPICIOUS_SECONDS = 30.0
_CHECKED_AT_ONCE = 50
_LAST_LOOKS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the command line says."""

    pods: int = 3
    players_per_second: float = 8.0
    seconds: float | None = None
    """None: until Ctrl-C."""
    seed: int | None = None
    picture: Path | None = None
    """Where to save the last view, as SVG."""


async def run_demo(
    settings: Settings, options: DemoOptions, *, url: str | None, folder: Path
) -> bool:
    """Runs the demo; whether nobody was lost or doubled. Raises MatchkeeperError."""
    ledger = Ledger(clock=time.monotonic)
    ready: asyncio.Future[ServerInfo] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    server = asyncio.ensure_future(
        run_server(settings, url=url, on_ready=ready.set_result, stop=stop, folder=folder)
    )
    await asyncio.wait((server, ready), return_when=asyncio.FIRST_COMPLETED)
    if server.done():
        await server
        raise MatchkeeperError("The demo was stopped before it began")
    demo = _Demo(ready.result(), options, ledger)
    show = asyncio.ensure_future(demo.show())
    people = asyncio.ensure_future(demo.people())
    try:
        await asyncio.wait(
            (server, people), timeout=options.seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if people.done():
            people.result()
    finally:
        if not server.done():
            await demo.settle()
        for task in (people, show):
            task.cancel()
        await asyncio.gather(people, show, return_exceptions=True)
        stop.set()
        await server
    if options.picture is not None:
        save_picture(options.picture, demo.snapshot, ledger)
    print(line(demo.snapshot, ledger))
    return demo.snapshot.lost == 0 and ledger.doubled == 0


class _Demo:
    """The people, and the view of them."""

    def __init__(self, info: ServerInfo, options: DemoOptions, ledger: Ledger) -> None:
        self._info = info
        self._context: Context = info.context
        self._ledger = ledger
        self._begun = time.monotonic()
        self._lost: set[str] = set()
        self._world = World(
            info.redis_url,
            self._context.modes,
            pods=options.pods,
            rates=Rates(players_per_second=options.players_per_second),
            ledger=ledger,
            rng=random.Random(options.seed),  # noqa: S311  # a show, no secrets
        )
        self.snapshot = Snapshot(
            seconds=0,
            redis=info.redis_url,
            http=info.http_url,
            breaker="closed",
            subscribers=0,
            queues=(),
            lost=0,
        )

    async def people(self) -> None:
        """Players and pods, until cancelled."""
        await self._world.run()

    async def show(self) -> None:
        """The view, until cancelled."""
        if not sys.stdout.isatty():
            while True:
                await self._look()
                print(line(self.snapshot, self._ledger), flush=True)
                await asyncio.sleep(_PLAIN_LINE_SECONDS)
        console = Console()
        with Live(console=console, auto_refresh=False, screen=False) as live:
            while True:
                await self._look()
                live.update(render(self.snapshot, self._ledger), refresh=True)
                await asyncio.sleep(_REFRESH_SECONDS)

    async def settle(self) -> None:
        """The last look: everybody who was told `EnQueued` and nothing since must be in Redis.

        An answer may be on its way still, so who is found nowhere is looked for again.
        """
        self._world.close()
        for _ in range(_LAST_LOOKS):
            await self._find(self._ledger.waiting())
            if not self._lost:
                break
            await asyncio.sleep(_REFRESH_SECONDS)
        await self._look()

    async def _look(self) -> None:
        try:
            queues = [await self._row(mode) for mode in self._context.modes]
            channel = self._context.settings.matchmaking.battle_request_channel
            subscribers = await self._context.stores.coordination.subscribers(channel)
            now = time.monotonic()
            late = [
                player
                for player, since in list(self._ledger.since.items())[:_CHECKED_AT_ONCE]
                if now - since > _SUSPICIOUS_SECONDS
            ]
            await self._find(late)
        except StoreError:
            queues, subscribers = list(self.snapshot.queues), self.snapshot.subscribers
        self.snapshot = Snapshot(
            seconds=time.monotonic() - self._begun,
            redis=self._info.redis_url,
            http=self._info.http_url,
            breaker=self._context.breaker.state.value,
            subscribers=subscribers,
            queues=tuple(queues),
            lost=len(self._lost),
        )

    async def _find(self, players: list[str]) -> None:
        """Players who wait but stand nowhere in Redis are lost."""
        for player in players:
            places = await self._context.stores.tickets.where(player)
            pending = await self._context.stores.matches.pending_match_of(player)
            gone = not places and pending is None and player in self._ledger.since
            (self._lost.add if gone else self._lost.discard)(player)

    async def _row(self, mode: GameMode) -> QueueRow:
        length, oldest = await self._context.stores.tickets.length_and_oldest(mode.tag)
        pending, _ = await self._context.stores.matches.overdue(mode.tag, count=0)
        return QueueRow(
            name=mode.name,
            rules=_rules(mode),
            waiting=length,
            oldest_wait_seconds=oldest or 0.0,
            pending=pending,
        )


def _rules(mode: GameMode) -> str:
    order = "closest ratings" if mode.rating else "first come, first served"
    taken = "claimed" if mode.handoff is Handoff.CLAIM else "published"
    return f"{mode.required_players} players, {order}, {taken}"
