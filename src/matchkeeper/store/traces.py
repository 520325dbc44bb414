"""Where the traces of queued tickets are kept: for people who look on, never for matching."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from redis.asyncio import Redis

from matchkeeper.domain.realm import QueueName
from matchkeeper.domain.ticket import Ticket
from matchkeeper.store import keys
from matchkeeper.store.connection import Connection
from matchkeeper.wire.trace_context import traceparent_in


class Kept(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The trace of one ticket in one queue."""

    queue: QueueName
    ticket_id: str
    enqueued_at: float
    """Names the ticket, so that the trace of an earlier one is not taken for its own."""
    traceparent: str
    memory: timedelta


class TraceStore:
    """One attempt each, without retries. Methods raise StoreError."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def write(self, kept: Sequence[Kept]) -> None:
        """Keeps traces, in one round trip."""

        async def send(redis: Redis) -> None:
            async with redis.pipeline(transaction=False) as pipe:
                for each in kept:
                    value = f"{each.enqueued_at!r} {each.traceparent}"
                    pipe.set(keys.trace(each.queue, each.ticket_id), value, px=each.memory)
                await pipe.execute()

        await self.connection.once("keep traces", send)

    async def read(self, queue: QueueName, tickets: Sequence[Ticket]) -> dict[str, str]:
        """Ticket id -> traceparent of those that have one, in one call."""

        async def fetch(redis: Redis) -> list[Any]:
            names = [keys.trace(queue, ticket.ticket_id) for ticket in tickets]
            return list(await redis.mget(names))

        values = await self.connection.once("read traces", fetch)
        found = {
            ticket.ticket_id: _of_ticket(ticket, value)
            for ticket, value in zip(tickets, values, strict=True)
            if value is not None
        }
        return {each: traceparent for each, traceparent in found.items() if traceparent}


def _of_ticket(ticket: Ticket, value: bytes) -> str:
    """The traceparent, unless it was kept for another ticket or is not of our writing."""
    enqueued_at, _, traceparent = value.decode("ascii", "replace").partition(" ")
    same = enqueued_at == repr(ticket.enqueued_at)
    return traceparent_in(traceparent) if same else ""
