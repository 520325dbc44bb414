"""The processes and their connections, as the network of the simulation knows them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import hiredis

from proof.simulate.backend import Raw
from proof.simulate.loop import Pace

if TYPE_CHECKING:
    from proof.simulate.network import Network


@dataclass(slots=True, eq=False, kw_only=True)
class Endpoint:
    """One process, as the network knows it."""

    name: str
    on_kill: Callable[[], None]
    dead: bool = False
    links: list[Link] = field(default_factory=list)
    pace: Pace = field(default_factory=Pace)
    context: Context = field(init=False)
    """All of the process runs in it."""

    def __post_init__(self) -> None:
        self.context = self.pace.context()


class Link:
    """One connection of one process."""

    def __init__(self, network: Network, endpoint: Endpoint) -> None:
        self.network = network
        self.endpoint = endpoint
        self.reader = asyncio.StreamReader(loop=network.loop)
        self.raw: Raw | None = network.backend.open()
        self.incoming = hiredis.Reader()
        self.runs_at = 0.0
        self.heard_at = 0.0
        self.blocked: tuple[bytes, ...] | None = None
        self.ended = False
        """The process has been told that the connection is gone."""

    # What redis-py asks of a StreamWriter.

    def writelines(self, chunks: list[bytes]) -> None:
        """Bytes on their way to Valkey."""
        self.write(b"".join(chunks))

    def write(self, data: bytes) -> None:
        """Bytes on their way to Valkey."""
        if self.raw is None or self.endpoint.dead:
            return
        self.incoming.feed(data)
        while (command := self.incoming.gets()) is not False:
            self.network.accept(self, tuple(command))

    async def drain(self) -> None:
        """The bytes are on their way; a broken connection shows here."""
        if self.raw is None and not self.endpoint.dead:
            raise ConnectionResetError("Connection reset by peer")

    def close(self) -> None:
        """The process closes the connection; what is on its way still arrives."""
        self.network.forget(self, hang_up=False)

    async def wait_closed(self) -> None:
        """It is."""

    def is_closing(self) -> bool:
        """Whether it is closed."""
        return self.raw is None

    def get_extra_info(self, _name: str, default: Any = None) -> Any:
        """Nothing more is known."""
        return default
