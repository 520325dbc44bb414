"""The two ways in: Pub/Sub, which forgets what nobody hears, and streams, which do not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

from matchkeeper.loops.ingest import Batch, Ingest, Message
from matchkeeper.loops.waiting import Behind, unless
from matchkeeper.observe.events import Event, Throttle, emit
from matchkeeper.observe.metrics import Metrics
from matchkeeper.protocol.requests import RequestKind
from matchkeeper.store.connection import Connection
from matchkeeper.store.streams import Entry, RequestStreams
from matchkeeper.store.subscription import subscribed

_BLOCK = timedelta(seconds=1)
_TAKE_OVER_EVERY_SECONDS = 5.0


class PubSubIntake:
    """Hears requests on their channels and hands them on in batches."""

    def __init__(
        self,
        ingest: Ingest,
        connection: Connection,
        *,
        channels: Mapping[str, RequestKind],
        backlog: int,
        batch: int,
        stop: asyncio.Event,
        metrics: Metrics,
        throttle: Throttle,
    ) -> None:
        self._ingest = ingest
        self._connection = connection
        self._channels = channels
        self._batch = batch
        self._stop = stop
        self._metrics = metrics
        self._throttle = throttle
        self._waiting: asyncio.Queue[Message] = asyncio.Queue(backlog)
        self.listening = False

    async def listen(self) -> None:
        """Puts what is heard into the backlog, until the server stops. Raises StoreError."""
        await unless(self._stop, self._listen())

    async def _listen(self) -> None:
        try:
            async with subscribed(self._connection, list(self._channels)) as subscription:
                self.listening = True
                emit(Event.SUBSCRIBED, channels=", ".join(self._channels))
                await subscription.listen(self._put)
        finally:
            self.listening = False

    def _put(self, channel: str, payload: bytes) -> None:
        try:
            self._waiting.put_nowait(Message(kind=self._channels[channel], payload=payload))
        except asyncio.QueueFull:
            self._metrics.backlog_dropped(channel)
            self._throttle.emit(
                Event.BACKLOG_FULL, key=channel, channel=channel, limit=self._waiting.maxsize
            )

    async def work(self) -> None:
        """Handles the backlog; returns once the server stops and the backlog is empty."""
        async with Behind[None]() as behind:
            while (first := await self._first()) is not None:
                batch = [first]
                with suppress(asyncio.QueueEmpty):
                    while len(batch) < self._batch:
                        batch.append(self._waiting.get_nowait())
                await behind.start(self._ingest.apply(self._ingest.read(batch)))
            await behind.rest()

    async def _first(self) -> Message | None:
        with suppress(asyncio.QueueEmpty):
            return self._waiting.get_nowait()
        return await unless(self._stop, self._waiting.get())


class StreamIntake:
    """Reads requests from the streams; what is not done stays there."""

    def __init__(
        self,
        ingest: Ingest,
        streams: RequestStreams,
        *,
        batch: int,
        take_over_after: timedelta,
        stop: asyncio.Event,
    ) -> None:
        self._ingest = ingest
        self._streams = streams
        self._batch = batch
        self._take_over_after = take_over_after
        self._stop = stop
        self._broken: set[str] = set()
        self._look_at = 0.0
        """When to look for requests of servers that are gone; a new start does not put it off."""
        self.reading = False
        """The streams are there, so that game servers can write to them."""

    async def run(self) -> None:
        """Until the server stops. Raises StoreError; starting again catches up."""
        try:
            await self._prepare()
            self.reading = True
            await self._read()
        finally:
            self.reading = False

    async def _read(self) -> None:
        await self._catch_up()
        loop = asyncio.get_running_loop()
        async with Behind[None]() as behind:
            while not self._stop.is_set():
                if loop.time() >= self._look_at:
                    self._look_at = loop.time() + _TAKE_OVER_EVERY_SECONDS
                    await behind.rest()
                    await self._prepare()
                    await self._take_over()
                reading = self._streams.read(count=self._batch, block=_BLOCK)
                if entries := await unless(self._stop, reading):
                    await behind.start(self._ingest.apply(await self._requests(entries)))
            await behind.rest()
        # A read that was cut off may have been given requests.
        await self._catch_up()
        await self._streams.leave(gone_for=timedelta(hours=1))

    async def _prepare(self) -> None:
        broken = set(await self._streams.prepare())
        for tag in sorted(broken - self._broken):
            emit(Event.STREAM_BROKEN, mode=tag)
        self._broken = broken

    async def _catch_up(self) -> None:
        while entries := await self._streams.reread(count=self._batch):
            await self._take(entries)

    async def _take_over(self) -> None:
        idle = self._take_over_after
        while not self._stop.is_set():
            entries = await self._streams.take_over(idle=idle, count=self._batch)
            if not entries:
                return
            emit(Event.REQUESTS_TAKEN_OVER, count=len(entries))
            await self._take(entries)

    async def _take(self, entries: list[Entry]) -> None:
        await self._ingest.apply(await self._requests(entries))

    async def _requests(self, entries: list[Entry]) -> Batch:
        messages = []
        for entry in entries:
            if entry.kind in (RequestKind.ENQUEUE, RequestKind.DEQUEUE):
                kind = RequestKind(entry.kind)
                messages.append(Message(kind=kind, payload=entry.body, entry=entry))
            else:
                emit(Event.UNKNOWN_REQUEST_KIND, kind_found=entry.kind[:64], mode=entry.tag)
                await self._streams.discard(entry.tag, entry.entry_id)
        return self._ingest.read(messages)
