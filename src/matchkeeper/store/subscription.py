"""Listening on Pub/Sub: subscribe, notice a connection that has gone silent, end it cleanly."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError

from ..errors import StoreTimeoutError, StoreUnavailableError
from ..resilience.deadline import within
from .failures import translate
from .operations import Operations

_POLL_SECONDS = 1.0
_AT_ONCE = 200


class Subscription:
    """The messages of some channels, as long as the connection lives.

    Silence is not taken for health: a PING is sent over the same connection. If Redis does not
    answer it within the operation timeout, the subscription ends with StoreTimeoutError. Time in
    which this process stood still does not count: what has come meanwhile is in the socket, and
    would be thrown away with it.
    """

    def __init__(
        self,
        pubsub: PubSub,
        *,
        connection: Operations,
    ) -> None:
        self._pubsub = pubsub
        self._connection = connection
        self._redis = connection.redis
        self._timeout_seconds = connection.timeout_seconds
        self._poll_seconds = min(_POLL_SECONDS, self._timeout_seconds / 2)
        self._silent = 0
        """In so many polls since then nothing was heard."""
        self._pinged_at: int | None = None
        """After so many of them."""

    async def listen(self, hear: Callable[[str, bytes], None]) -> None:
        """Hands each message to `hear`, as (channel, payload), without end.

        Raises StoreError when the connection is lost.
        """
        try:
            while True:
                await self._watch()
                await self._hear_some(hear)
        except Exception as error:
            failure = translate("listen", error)
            if failure is None or failure is error:
                raise
            raise failure from error

    async def _hear_some(self, hear: Callable[[str, bytes], None]) -> None:
        """One deadline for many messages: one for each would cost as much as the rest."""
        connection = self._pubsub.connection
        if connection is None:
            raise RedisConnectionError("Connection closed.")
        deadline = asyncio.timeout(self._poll_seconds)
        try:
            async with deadline:
                for _ in range(_AT_ONCE):
                    # Without it redis-py would set a timeout of its own.
                    message = await connection.read_response(
                        timeout=math.inf, disconnect_on_error=False, push_request=True
                    )
                    if message[0] == b"message":
                        hear(message[1].decode("utf-8", "replace"), message[2])
                    self._silent, self._pinged_at = 0, None
                # Where there is always something to read, no other task would run.
                await asyncio.sleep(0)
        except TimeoutError:
            if not deadline.expired():
                raise
            self._silent += 1

    async def _watch(self) -> None:
        if self._connection.redis is not self._redis:
            raise StoreUnavailableError("listen: the address may lead to another server now")
        timeout, poll = self._timeout_seconds, self._poll_seconds
        if self._pinged_at is not None:
            # Polls are counted, and one more: however long this process stands still, that is one
            # poll, and the next one finds what has come meanwhile.
            if (self._silent - self._pinged_at - 1) * poll >= timeout:
                raise StoreTimeoutError(f"listen timeout after {timeout:g}s")
        elif self._silent * poll >= min(5.0, timeout / 2):
            self._pinged_at = self._silent
            await within(timeout, "listen", self._pubsub.ping())


@asynccontextmanager
async def subscribed(
    connection: Operations, channels: Sequence[str]
) -> AsyncGenerator[Subscription]:
    """A subscription that Redis has confirmed for every channel. Raises StoreError."""
    pubsub = connection.redis.pubsub()

    async def subscribe(_: Redis) -> None:
        await pubsub.subscribe(*channels)
        confirmed = 0
        while confirmed < len(channels):
            message = await pubsub.get_message(timeout=connection.timeout_seconds)
            if message is not None and message["type"] == "subscribe":
                confirmed += 1

    try:
        await connection.once("subscribe", subscribe)
        yield Subscription(pubsub, connection=connection)
    finally:
        await _close(pubsub)


async def _close(pubsub: PubSub) -> None:
    try:
        async with asyncio.timeout(1):
            await pubsub.aclose()
    except Exception as error:
        # The connection is broken, which is why it is being closed.
        if translate("unsubscribe", error) is None and not isinstance(error, TimeoutError):
            raise
