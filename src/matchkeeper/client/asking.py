"""Asks the servers: written to the stream, and again until an answer is heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from ..errors import MatchkeeperError, StoreRefusedError, StoreUnavailableError
from ..store.sending import Sender

T = TypeVar("T")

_AGAIN_SECONDS = (1.0, 2.0, 4.0, 8.0)
_PROBE_SECONDS = 1.0


class RefusedError(MatchkeeperError):
    """Matchkeeper refused a request. `code` is a documented code, or one of the client itself:
    `no_server` (none was ever on this Redis), `backlog_full` (too many wait for an answer).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Asking:
    """The requests of one game server. While no server answers, `limit` of them may stand in the
    stream; then one a second is let through, to find out.
    """

    def __init__(self, sender: Sender, *, limit: int, clock: Callable[[], float]) -> None:
        self._sender = sender
        self._limit = limit
        self._clock = clock
        self._unheard = 0
        """How many were written since a server was heard last."""
        self._probe_at = 0.0

    def heard(self) -> None:
        """A server has answered something."""
        self._unheard = 0

    async def ask(
        self,
        kind: str,
        body: dict[str, Any],
        answer: asyncio.Future[T],
        *,
        about: str,
        again: Callable[[str], None] = lambda _entry_id: None,
    ) -> T:
        """The answer to a request that may be sent again as it is; `again` hears the id of an entry
        that was not answered in time. Raises RefusedError, and StoreError without an answer.
        """
        failure: StoreRefusedError | None = None
        for seconds in _AGAIN_SECONDS:
            entry_id, failure = "", None
            try:
                entry_id = await self._write(kind, body, about)
            except StoreRefusedError as error:
                failure = error  # the stream is damaged: servers mend it
            try:
                async with asyncio.timeout(seconds):
                    return await asyncio.shield(answer)
            except TimeoutError:
                again(entry_id)
        raise failure or StoreUnavailableError(
            f"No answer to {about}",
            hint="It counts once a Matchkeeper server runs; or it was done, and the news was lost. "
            "Ask again.",
        )

    async def _write(self, kind: str, body: dict[str, Any], about: str) -> str:
        if self._unheard >= self._limit:
            if self._clock() < self._probe_at:
                why = "Too many requests wait for an answer; is a server running?"
                raise RefusedError("backlog_full", why)
            self._probe_at = self._clock() + _PROBE_SECONDS
        entry_id = await self._sender.write(kind, msgspec.json.encode(body))
        if not entry_id:
            why = f"No Matchkeeper server was ever on this Redis, to do {about}"
            raise RefusedError("no_server", why)
        self._unheard += 1
        return entry_id
