"""What the loops tell of players and matches, so that they can be traced. Off: nobody listens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import GameMode
from matchkeeper.errors import StoreError
from matchkeeper.store.history import Happened
from matchkeeper.store.matches import Committed
from matchkeeper.store.pending import PendingMatch
from matchkeeper.store.tickets import Heard, Outcome

Loop = Callable[[], Awaitable[None]]


class Traces(Protocol):
    """Traces of players and matches. Nothing here raises, and nothing waits long."""

    def now(self) -> float:
        """When something begins that is told of at its end: Unix time in seconds."""

    def asked(self, mode: GameMode, outcomes: Sequence[Outcome], *, begun: float) -> None:
        """Enqueue requests were done, or refused by the queue."""

    def not_done(
        self, mode: GameMode, heard: Sequence[Heard], error: StoreError, *, begun: float
    ) -> None:
        """Redis did not do these enqueue requests."""

    async def proposed(
        self, mode: GameMode, proposals: Mapping[str, Proposal]
    ) -> Mapping[str, str]:
        """Matches, by id, are about to be committed: id -> the traceparent that each offers."""

    def committed(self, mode: GameMode, results: Iterable[Committed]) -> None:
        """What came of proposed matches."""

    def not_committed(self, match_ids: Iterable[str], error: StoreError) -> None:
        """It is not known what came of these."""

    async def of_match(self, mode: GameMode, match: PendingMatch) -> str:
        """The traceparent of a match that is offered again; empty where none of it is known."""

    def happened(self, happened: Iterable[Happened]) -> None:
        """What the histories tell."""

    def loops(self) -> Mapping[str, Loop]:
        """What must run beside, by name; each ends by itself when the server stops."""

    def open(self) -> AbstractAsyncContextManager[None]:
        """Around the life of the server; at its end what was traced is sent."""


class Untraced:
    """Tracing is off."""

    def now(self) -> float:
        """Nobody asks for it."""
        return 0.0

    def asked(self, mode: GameMode, outcomes: Sequence[Outcome], *, begun: float) -> None:
        """Nothing to trace."""

    def not_done(
        self, mode: GameMode, heard: Sequence[Heard], error: StoreError, *, begun: float
    ) -> None:
        """Nothing to trace."""

    async def proposed(
        self,
        mode: GameMode,  # noqa: ARG002  # the protocol's
        proposals: Mapping[str, Proposal],  # noqa: ARG002  # the protocol's
    ) -> Mapping[str, str]:
        """No match offers a traceparent."""
        return {}

    def committed(self, mode: GameMode, results: Iterable[Committed]) -> None:
        """Nothing to trace."""

    def not_committed(self, match_ids: Iterable[str], error: StoreError) -> None:
        """Nothing to trace."""

    async def of_match(
        self,
        mode: GameMode,  # noqa: ARG002  # the protocol's
        match: PendingMatch,  # noqa: ARG002  # the protocol's
    ) -> str:
        """None."""
        return ""

    def happened(self, happened: Iterable[Happened]) -> None:
        """Nothing to trace."""

    def loops(self) -> Mapping[str, Loop]:
        """Nothing runs."""
        return {}

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Nothing to send."""
        yield
