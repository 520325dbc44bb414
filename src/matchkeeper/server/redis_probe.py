"""Looks whether Redis does its work, while there is a reason to doubt it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from matchkeeper.errors import StoreError, StoreForbiddenError, StoreNotReadyError
from matchkeeper.observe.redis_events import RedisEvents
from matchkeeper.resilience.breaker import BreakerState
from matchkeeper.resilience.waiting import pause
from matchkeeper.store.connection import Connection
from matchkeeper.store.probe import probe
from matchkeeper.store.rights import Trial

_EVERY_SECONDS = 1.0


class RedisProbe:
    """Closes an open breaker as soon as Redis works again. Also finds out whether a Redis that
    answers can be used: the breaker counts failures in a row, so it does not open where only some
    operations are refused.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        realm: str,
        tried: Sequence[Trial],
        events: RedisEvents,
        stop: asyncio.Event,
    ) -> None:
        self._connection = connection
        self._realm = realm
        self._tried = tried
        self._breaker = connection.breaker
        self._events = events
        self._stop = stop

    async def run(self) -> None:
        """Runs until the server stops. Costs nothing while all is well."""
        while not await pause(self._stop, self._breaker.early_probe_seconds or _EVERY_SECONDS):
            if self._due():
                await self.look()

    def _due(self) -> bool:
        state = self._breaker.state
        if state is BreakerState.CLOSED:
            return self._events.doubtful
        return state is not BreakerState.FORCED_OPEN and self._breaker.early_probe_seconds > 0

    async def look(self) -> None:
        """Takes one look and tells the outcome."""
        tried = self._tried if self._events.forbidden else ()
        try:
            await probe(self._connection, realm=self._realm, tried=tried)
        except (StoreNotReadyError, StoreForbiddenError) as error:
            self._events.unusable(error.message)
        except StoreError:
            return  # Redis is out of reach, which the breaker tells
        else:
            await self._connection.reconnect()
            self._breaker.close_early()
            self._events.usable()
