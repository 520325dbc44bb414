"""How many HTTP connections are held and how long: idle ones must not harm other clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 10.0
"""The time for the headers of a request, and as long again for its body."""
READER_SECONDS = 30.0
"""A client that takes nothing of an answer for so long is gone."""
_LOOK_SECONDS = 1.0
_RESERVED = 64
"""Descriptors for alerts, traces, look-ups of names, and connections about to be closed."""


class Closed(StrEnum):
    """Why the server closed a connection."""

    SLOW_REQUEST = "slow_request"
    SLOW_READER = "slow_reader"
    CROWDED = "crowded"
    """Other clients came, and this one had asked for nothing yet."""


def affordable(wanted: int, *, descriptors: int, in_use: int, redis: int) -> int:
    """How many HTTP connections leave enough descriptors for everything else; 0 or less: none."""
    return min(wanted, descriptors - in_use - redis - _RESERVED)


def bounded(most: int, on_closed: Callable[[Closed], None]) -> type[H11Protocol]:
    """uvicorn's protocol with deadlines, and never more than `most` connections.

    Its own `limit_concurrency` counts connections, but answers only whole requests: a client that
    never sends one would be counted and kept for ever. Here a client that has asked for nothing yet
    makes room for a new one, so that a probe is answered while a thousand half-sent requests come.
    """

    class Bounded(_Bounded):
        pass

    Bounded.most = most
    Bounded.on_closed = staticmethod(on_closed)
    return Bounded


class _Bounded(H11Protocol):
    most: int
    on_closed: Callable[[Closed], None]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.asked_at = self._flowed_at = self.loop.time()
        self._unsent = 0
        self._request = self.cycle
        self._looking = self.loop.call_later(_LOOK_SECONDS, self._look)
        if len(self.connections) > self.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._looking.cancel()
        super().connection_lost(exc)

    @property
    def waiting(self) -> bool:
        """Whether the server waits for the client to send."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _make_room(self) -> None:
        others = [each for each in self.connections if isinstance(each, _Bounded)]
        oldest = min(
            (each for each in others if each.waiting and each is not self),
            key=lambda each: each.asked_at,
            default=self,
        )
        oldest.end(Closed.CROWDED)

    def end(self, why: Closed) -> None:
        """Closes the connection at once."""
        self.connections.discard(self)
        self._looking.cancel()
        self.transport.abort()
        type(self).on_closed(why)

    def _look(self) -> None:
        now = self.loop.time()
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent != self._unsent:
            self._unsent, self._flowed_at = unsent, now
        if not self.waiting or self.cycle is not self._request:
            self._request, self.asked_at = self.cycle, now
        if now - self._flowed_at > READER_SECONDS:
            self.end(Closed.SLOW_READER)
        elif now - self.asked_at > REQUEST_SECONDS:
            self.end(Closed.SLOW_REQUEST)
        else:
            self._looking = self.loop.call_later(_LOOK_SECONDS, self._look)
