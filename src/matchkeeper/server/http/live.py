"""Sends one snapshot a second to the open pages by SSE. It is made once for all of them."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import asgi
from litestar.exceptions import MethodNotAllowedException, ServiceUnavailableException
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from matchkeeper import __version__
from matchkeeper.observe.board.snapshot import Now, curves, snapshot
from matchkeeper.resilience.breaker import BreakerState
from matchkeeper.resilience.waiting import pause
from matchkeeper.server.http.health import unfit
from matchkeeper.server.wiring import Context

MOST_PAGES = 100
_RETRY = b"retry: 1000\n\n"
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-accel-buffering", b"no"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One second, encoded. The curves and the events change less often."""

    live: bytes
    events: bytes
    events_version: int
    hour: bytes
    hour_version: int


class Live:
    """Makes a frame when a page asks for one, at most one a second. If no page asks, none is made.
    A page that reads slowly misses frames: it is never sent an old one.
    """

    def __init__(
        self,
        context: Context,
        *,
        stop: asyncio.Event,
        demo: bool = False,
        most: int = MOST_PAGES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stop = stop
        self.most = most
        """How many pages may be open at once."""
        self.pages = 0
        self.made = 0
        """How many frames were made since the start."""
        self._context = context
        self._demo = demo
        self._clock = clock
        self._encoder = msgspec.json.Encoder()
        self._second = -1
        self._frame: Frame | None = None

    def seconds_to_next(self) -> float:
        """Seconds to the next frame. All pages get it at the same moment, so that they share it."""
        now = self._clock()
        return math.floor(now) + 1 - now

    def frame(self) -> Frame:
        """The frame of this second."""
        second = math.floor(self._clock())
        if self._frame is None or second != self._second:
            self._second = second
            self._frame = self._make(self._frame)
        return self._frame

    def _make(self, before: Frame | None) -> Frame:
        self.made += 1
        board = self._context.board
        live = self._event("live", snapshot(board, self._context.modes, self._now()))
        same_events = before is not None and before.events_version == board.events.version
        same_hour = before is not None and before.hour_version == board.hours
        return Frame(
            live=live,
            events=before.events
            if before and same_events
            else self._event("events", board.events.lines()),
            events_version=board.events.version,
            hour=before.hour if before and same_hour else self._event("hour", curves(board)),
            hour_version=board.hours,
        )

    def _event(self, name: str, value: object) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (name.encode(), self._encoder.encode(value))

    def _now(self) -> Now:
        context = self._context
        seconds = context.breaker.seconds_until_probe()
        problem = context.redis_events.problem
        down = problem or context.breaker.state is not BreakerState.CLOSED
        return Now(
            phase=context.server.phase.value,
            version=__version__,
            realm=context.settings.matchmaking.realm,
            breaker=context.breaker.state.value,
            breaker_failures=context.breaker.failures,
            seconds_until_probe=seconds if math.isfinite(seconds) else None,
            redis_problem=problem,
            # Without Redis nothing is heard; the snapshot says so already.
            not_ready=() if down else tuple(unfit(context)),
            game_server_failures=context.game_servers.failures,
            heartbeats=context.pods.heartbeats(),
            silent=context.pods.silent,
            left=context.pods.left,
            unclaimed=context.pods.unclaimed_in_a_row(),
            not_started=context.claimers.not_started(),
            demo=self._demo,
            differences=context.fleet.agreement.differences,
            states=context.fleet.states,
            noticed=context.watches.problems(),
        )

    async def send_to(self, send: Send, closed: asyncio.Future[None]) -> None:
        """Sends frames to one page, until it is closed or the server ends."""
        events, hour = -1, -1
        body = _RETRY
        while not closed.done():
            frame = self.frame()
            # The snapshot comes last, since it makes the page draw.
            if frame.hour_version != hour:
                body, hour = body + frame.hour, frame.hour_version
            if frame.events_version != events:
                body, events = body + frame.events, frame.events_version
            body += frame.live
            await _sent(send, body)
            body = b""
            if await pause(self.stop, self.seconds_to_next()):
                break


async def _sent(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def _closed(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def live_route(live: Live) -> ASGIRouteHandler:
    """`/api/v1/live`. It is not in the OpenAPI document, which cannot describe an endless
    stream.
    """

    @asgi("/api/v1/live", copy_scope=False)
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") != "GET":
            raise MethodNotAllowedException("This stream is read with GET.")
        if live.pages >= live.most:
            raise ServiceUnavailableException(f"{live.most} pages are open; close one.")
        live.pages += 1
        try:
            async with asyncio.TaskGroup() as group:
                closed = group.create_task(_closed(receive))
                start: Any = {"type": "http.response.start", "status": 200, "headers": _HEADERS}
                try:
                    await send(start)
                    await live.send_to(send, closed)
                    await _sent(send, b"", more=False)
                finally:
                    closed.cancel()
        finally:
            live.pages -= 1

    return stream
