"""Requests by Pub/Sub: all servers hear them, one moves them into a stream and does them.

Every subscriber hears every message, so only one server may act on it. A lease says which one, and
the script that moves requests checks its epoch. The other servers keep what they hear. The server
that takes the lease next goes on exactly where the last one stopped
(docs/decisions/0014-one-server-hears.md).
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from itertools import count

from matchkeeper.config import MatchmakingSettings
from matchkeeper.observe.runtime import Runtime
from matchkeeper.queue.ingest import Ingest
from matchkeeper.queue.tape import Cut, Tape
from matchkeeper.resilience.waiting import Behind, pause, unless
from matchkeeper.store.connection import Connection
from matchkeeper.store.hearing import HearingStore, Lease, Message, MoveReply, Position, Want
from matchkeeper.store.stream import Entry
from matchkeeper.store.subscription import subscribed
from matchkeeper.wire.handoffs import HANDOFF
from matchkeeper.wire.requests import RequestKind

_BEAT_SECONDS = 0.4
_LEASE_SECONDS = 3 * _BEAT_SECONDS
_AGAIN_SECONDS = 1.0
"""Requests that failed by themselves are tried again after so long."""


class PubSubIntake:
    """Hears requests, and does them while it holds the lease."""

    def __init__(
        self,
        ingest: Ingest,
        connection: Connection,
        store: HearingStore,
        settings: MatchmakingSettings,
        runtime: Runtime,
    ) -> None:
        self._ingest = ingest
        self._connection = connection
        self._store = store
        kinds = (RequestKind.ENQUEUE.value, RequestKind.DEQUEUE.value, HANDOFF)
        self._channels = dict(zip(settings.requests, kinds, strict=True))
        self._batch = settings.ingest_batch_size
        self._clock = runtime.clock
        self._stop = runtime.stop
        self._facts = runtime.facts
        self._tape = Tape(limit=settings.pubsub_backlog)
        self._subscribed = False
        self._calls = count(1)
        self._held: Lease | None = None
        self._epoch = 0
        """The epoch of the last lease that this server held."""
        self._first_mark = 0, 0
        """Call and number of the mark that came with that lease."""
        self._heard_mark = 0, 0
        """Call and number of the last mark of its own that this server heard."""
        self._ready = asyncio.Event()
        """The lease is held, and all that was sent before it was taken has been heard."""
        self._seen: Lease | None = None
        """The lease as it was last seen, held by another server."""
        self._seen_since = 0.0
        self._soon = asyncio.Event()
        """Set when the lease is to be looked at at once."""

    @property
    def listening(self) -> bool:
        """Whether everything that is sent now is heard."""
        return self._subscribed and self._tape.hears

    async def listen(self) -> None:
        """Keeps what is heard, until the server stops. Raises StoreError."""
        await unless(self._stop, self._listen())

    async def _listen(self) -> None:
        channels = [*self._channels, self._store.marks]
        try:
            async with subscribed(self._connection, channels) as subscription:
                self._subscribed = True
                self._soon.set()
                self._facts.subscribed(channels=", ".join(self._channels))
                await subscription.listen(self._put)
        finally:
            self._subscribed = False
            self._tape.interrupted()
            self._soon.set()

    def _put(self, channel: str, payload: bytes) -> None:
        if channel == self._store.marks:
            self._mark(payload.decode("utf-8", "replace"))
            return
        if self._held is None:
            # The oldest will soon be known as done, or the server that hears is far behind.
            self._tape.make_room()
        if not self._tape.hear(Message(self._channels[channel], payload)):
            self._facts.backlog_full(channel=channel, limit=self._tape.limit)

    def _mark(self, name: str) -> None:
        if self._held is not None and self._tape.lossy:
            return  # what was heard before the break comes first
        self._tape.mark(name)
        if name.startswith(f"{self._store.me}."):
            call, number = name.split(".")[-2:]
            self._heard_mark = int(call), int(number)
            self._see_whether_ready()

    def _see_whether_ready(self) -> None:
        if self._held is not None and self._heard_mark >= self._first_mark and self._tape.hears:
            self._ready.set()

    async def keep(self) -> None:
        """Keeps the lease, or watches it, until the server stops. Raises StoreError."""
        while not self._stop.is_set():
            self._soon.clear()
            await self._look()
            with suppress(TimeoutError):
                async with asyncio.timeout(_BEAT_SECONDS):
                    await unless(self._stop, self._soon.wait())

    async def _look(self) -> None:
        want = self._wants()
        if want is None:
            return
        call = next(self._calls)
        lease = await self._store.lease(
            want, stood_still=self._stood_still(), mark=f"{self._store.me}.{call}"
        )
        if lease.mine:
            self._keeps(lease, call)
        else:
            self._follows(lease)

    def _wants(self) -> Want | None:
        if self._held is not None:
            # After a break another server hears on. This one first does what it heard until then.
            whole = self._subscribed and not self._tape.lossy
            at_it = self._ready.is_set() and self._tape.messages
            return Want.HEAR if whole or at_it else Want.LEAVE
        if not self._subscribed:
            return None
        if self._seen is None:
            return Want.FOLLOW
        done = Position.parse(self._seen.done)
        return Want.HEAR if done is None or self._tape.knows(done) else Want.FOLLOW

    def _stood_still(self) -> str:
        still = self._clock() - self._seen_since >= _LEASE_SECONDS
        return self._seen.state if still and self._seen is not None else ""

    def _keeps(self, lease: Lease, call: int) -> None:
        if lease.epoch != self._epoch:
            self._let_go()
            self._epoch = lease.epoch
            self._facts.hearing(epoch=lease.epoch)
        if self._held is None:
            self._held, self._first_mark = lease, (call, lease.mark)
            self._see_whether_ready()

    def _follows(self, lease: Lease) -> None:
        if self._held is not None:
            self._let_go()
            self._facts.hearing_lost(epoch=lease.epoch)
        self._facts.others_hear()
        if self._seen is None or lease.state != self._seen.state:
            self._seen_since = self._clock()
        self._seen = lease
        if position := Position.parse(lease.done):
            self._tape.advance(position)

    def _let_go(self) -> None:
        self._held = None
        self._ready.clear()
        self._tape.let_go()
        self._soon.set()

    async def work(self) -> None:
        """Does what is heard while the lease is held. Returns once the server stops and everything
        heard is done. Raises StoreError; a new start finds out how far all is done.
        """
        if self._held is not None:
            self._let_go()
        while True:
            await unless(self._stop, self._ready.wait())
            if self._held is not None and self._ready.is_set():
                await self._hold(self._held)
            if self._stop.is_set():
                if self._held is not None:
                    await self._store.lease(Want.LEAVE, stood_still="", mark="")
                return
            # There is a pause between two questions, whatever Redis answers.
            await pause(self._stop, _AGAIN_SECONDS / 10)

    async def _hold(self, lease: Lease) -> None:
        """Works until the lease is lost, or the server stops and nothing is left."""
        await self._begin(lease)
        again_at = await self._catch_up()
        async with Behind[int]() as behind:
            while self._held is lease:
                if self._clock() >= again_at:
                    await behind.rest()
                    again_at = await self._catch_up()
                cut = self._tape.next(self._batch)
                if cut is not None:
                    failed = await self._do(lease, cut, behind)
                elif not self._stop.is_set():
                    failed = await behind.rest()
                    await self._more()
                else:
                    break
                if any(failed):
                    again_at = min(again_at, self._clock() + _AGAIN_SECONDS)
            await behind.rest()

    async def _begin(self, lease: Lease) -> None:
        """Finds on the tape where to go on, and says so in Redis."""
        if done := Position.parse(lease.done):
            self._tape.advance(done)
        at = self._tape.position
        if at is None:
            self._let_go()
        else:
            await self._move(lease, Cut(messages=(), to=at), done=lease.done)

    async def _do(self, lease: Lease, cut: Cut, behind: Behind[int]) -> list[int]:
        """Moves messages, and starts to do them. Returns how many failed of each earlier batch."""
        reply, entries = await self._move(lease, cut, done=str(self._tape.position))
        if reply is MoveReply.FULL:
            await asyncio.sleep(_AGAIN_SECONDS / 10)  # also while the server stops
            return [1]
        if not entries:
            return []
        return await behind.start(self._ingest.apply(self._ingest.read(entries)))

    async def _move(self, lease: Lease, cut: Cut, *, done: str) -> tuple[MoveReply, list[Entry]]:
        reply, entries = await self._store.move(
            lease.epoch,
            cut.messages,
            done=done,
            to=str(cut.to),
            behind=cut.behind,
            limit=self._tape.limit,
        )
        if reply is MoveReply.MOVED:
            self._tape.advance(cut.to)
        elif reply is not MoveReply.FULL and self._held is lease:
            self._let_go()
        return reply, entries

    async def _catch_up(self) -> float:
        """Does the requests in the stream; returns when to do so again, in monotonic seconds."""
        after, failed = "", 0
        while entries := await self._store.waiting(after=after, count=self._batch):
            failed += await self._ingest.take(entries)
            after = entries[-1].entry_id
        return self._clock() + _AGAIN_SECONDS if failed else math.inf

    async def _more(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_BEAT_SECONDS):
                await unless(self._stop, self._tape.more())
