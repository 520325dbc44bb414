"""What traces are to those whom they follow. Off: nobody listens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import GameMode
from matchkeeper.observe.facts import Hears
from matchkeeper.store.pending import PendingMatch

Loop = Callable[[], Awaitable[None]]


class Traces(Protocol):
    """Traces of players and matches. Nothing here raises, and nothing waits long."""

    async def proposed(
        self, mode: GameMode, proposals: Mapping[str, Proposal]
    ) -> Mapping[str, str]:
        """Matches, by id, are about to be committed: id -> the traceparent that each offers."""

    async def of_match(self, mode: GameMode, match: PendingMatch) -> str:
        """The traceparent of a match that is offered again; empty where none of it is known."""

    def hears(self) -> Hears:
        """What happens to requests, proposals and matches."""

    def loops(self) -> Mapping[str, Loop]:
        """What must run beside, by name; each ends by itself when the server stops."""

    def open(self) -> AbstractAsyncContextManager[None]:
        """Around the life of the server; at its end what was traced is sent."""


class Untraced:
    """Tracing is off."""

    async def proposed(
        self,
        mode: GameMode,  # noqa: ARG002  # the protocol's
        proposals: Mapping[str, Proposal],  # noqa: ARG002  # the protocol's
    ) -> Mapping[str, str]:
        """No match offers a traceparent."""
        return {}

    async def of_match(
        self,
        mode: GameMode,  # noqa: ARG002  # the protocol's
        match: PendingMatch,  # noqa: ARG002  # the protocol's
    ) -> str:
        """None."""
        return ""

    def hears(self) -> Hears:
        """Nothing."""
        return ()

    def loops(self) -> Mapping[str, Loop]:
        """Nothing runs."""
        return {}

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Nothing to send."""
        yield
