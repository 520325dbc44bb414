"""Requests by stream; the stream keeps them until they are done."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from datetime import timedelta

from matchkeeper.config import MatchmakingSettings
from matchkeeper.observe.runtime import Runtime
from matchkeeper.queue.ingest import Ingest
from matchkeeper.resilience.waiting import Behind, unless
from matchkeeper.store.stream import RequestStream, is_of_a_clock

_BLOCK = timedelta(seconds=1)
_TAKE_OVER_EVERY_SECONDS = 5.0
_AGAIN_SECONDS = 1.0
"""Requests that failed by themselves are tried again after so long."""


class StreamIntake:
    """Reads requests from their stream; requests that are not done stay there."""

    def __init__(
        self,
        ingest: Ingest,
        stream: RequestStream,
        settings: MatchmakingSettings,
        runtime: Runtime,
    ) -> None:
        self._ingest = ingest
        self._stream = stream
        self._batch = settings.ingest_batch_size
        self._take_over_after = timedelta(seconds=settings.take_over_seconds)
        self._facts = runtime.facts
        self._stop = runtime.stop
        self._look_at = 0.0
        """When to look for requests of servers that are gone; a new start does not put it off."""
        self._again_at = math.inf
        """When to try requests again that failed by themselves."""
        self.reading = False
        """The stream is there, so that game servers can write to it."""

    async def run(self) -> None:
        """Runs until the server stops. Raises StoreError; a new start catches up."""
        try:
            await self._prepare()
            self.reading = True
            await self._read()
        finally:
            self.reading = False

    async def _read(self) -> None:
        await self._catch_up()
        loop = asyncio.get_running_loop()
        async with Behind[int]() as behind:
            while not self._stop.is_set():
                if loop.time() >= self._again_at:
                    await behind.rest()
                    await self._catch_up()
                if loop.time() >= self._look_at:
                    self._look_at = loop.time() + _TAKE_OVER_EVERY_SECONDS
                    await behind.rest()
                    await self._prepare()
                    await self._take_over()
                reading = self._stream.read(count=self._batch, block=_BLOCK)
                entries = await unless(self._stop, reading)
                if entries and not all(is_of_a_clock(each.entry_id) for each in entries):
                    await behind.rest()
                    await self._prepare()  # they are read again, under other ids
                elif entries:
                    batch = self._ingest.read(entries)
                    self._note(await behind.start(self._ingest.apply(batch)))
                else:
                    self._note(await behind.rest())
            await behind.rest()
        # A read that was cut off may have been given requests.
        await self._catch_up()
        await self._stream.leave(gone_for=timedelta(hours=1))

    async def _prepare(self) -> None:
        """The stream is there, and takes entries."""
        await self._stream.prepare()
        waiting = await self._stream.mend()
        if waiting is not None:
            self._facts.stream_replaced(count=waiting)

    def _note(self, failed: Iterable[int]) -> None:
        if any(failed):
            again = asyncio.get_running_loop().time() + _AGAIN_SECONDS
            self._again_at = min(self._again_at, again)

    async def _catch_up(self) -> None:
        """Does the requests that this server was given before, each once."""
        self._again_at = math.inf
        after = ""
        while True:
            part = await self._stream.reread(after=after, count=self._batch)
            if part.entries:
                self._note([await self._ingest.take(part.entries)])
            if not (after := part.after):
                return

    async def _take_over(self) -> None:
        after = ""
        while not self._stop.is_set():
            part = await self._stream.take_over(
                idle=self._take_over_after, after=after, count=self._batch
            )
            if part.entries:
                self._facts.requests_taken_over(count=len(part.entries))
                self._note([await self._ingest.take(part.entries)])
            if not (after := part.after):
                return
