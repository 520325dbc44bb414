"""Many small scripts in one round trip, for a process that plays hundreds of game servers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from matchkeeper.errors import StoreError, StoreUnavailableError
from matchkeeper.store import scripts
from matchkeeper.store.connection import Connection
from matchkeeper.store.durability import Durability
from matchkeeper.store.failures import translate
from matchkeeper.store.scripts import Call

R = TypeVar("R")

_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sent:
    call: Call[Any]
    reply: asyncio.Future[Any]

    def settle(self, reply: object) -> None:
        """Hands the reply to the caller that waits for it, if it still does."""
        if self.reply.done():
            return
        if isinstance(reply, Exception):
            self.reply.set_exception(translate(self.call.script.name, reply) or reply)
        else:
            self.reply.set_result(reply)


class BatchingConnection(Connection):
    """A connection that sends together the scripts called in one turn of the event loop.

    Only calls without durability: the others are sent one by one.
    """

    _waiting: list[_Sent] | None = None

    async def script(self, call: Call[R], *, durable: bool | Durability | None = False) -> R:
        """As `Connection.script`. The first caller of a turn sends what all of them called."""
        if self.wanted(durable=durable).command is not None:
            return await super().script(call, durable=durable)
        sent = _Sent(call=call, reply=asyncio.get_running_loop().create_future())
        if self._waiting is not None:
            self._waiting.append(sent)
            if len(self._waiting) >= _AT_ONCE:
                self._waiting = None  # the next caller begins another batch
            return call.script.reads(await sent.reply)
        batch = self._waiting = [sent]
        try:
            await asyncio.sleep(0)
        finally:
            if self._waiting is batch:
                self._waiting = None
            await self._send(batch)
        return call.script.reads(await sent.reply)

    async def _send(self, batch: Sequence[_Sent]) -> None:
        try:
            replies = await self.run("scripts", lambda redis: _called(redis, batch))
        except StoreError as error:
            for each in batch:
                each.settle(error)
        else:
            for each, reply in zip(batch, replies, strict=True):
                each.settle(reply)
        finally:
            # Only the sender was cancelled: the others still want their replies.
            for each in batch:
                each.settle(StoreUnavailableError("The round trip of this call was given up"))


async def _called(redis: Redis, batch: Sequence[_Sent]) -> list[Any]:
    replies = await _sent(redis, batch)
    forgotten = [n for n, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if forgotten:  # NOSCRIPT means that nothing ran
        for script in {batch[n].call.script for n in forgotten}:
            await scripts.load(redis, script)
        again = await _sent(redis, [batch[n] for n in forgotten])
        for n, reply in zip(forgotten, again, strict=True):
            replies[n] = reply
    return replies


async def _sent(redis: Redis, batch: Sequence[_Sent]) -> list[Any]:
    async with redis.pipeline(transaction=False) as pipe:
        for each in batch:
            pipe.execute_command(*each.call.command)
        return list(await pipe.execute(raise_on_error=False))
