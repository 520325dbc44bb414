"""A Valkey of our own that may be killed, started again, and slowed: for demo and conformance."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Self

from matchkeeper.store.embedded import EmbeddedServer, embedded_server

_FROZEN_SECONDS = 0.35
_AWAKE_SECONDS = 0.003
"""Short enough that one step of a round fits in, and the next has to wait again."""


class OwnValkey:
    """A Valkey on one port and one folder for the length of an `async with`.

    Everything that was answered is on its disk first, so that it may be killed at any time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = 0
        self._running: EmbeddedServer | None = None
        self._exit = AsyncExitStack()
        self._slow = asyncio.Event()

    @property
    def port(self) -> int:
        """Where it listens, also while it is stopped."""
        return self._port

    @property
    def url(self) -> str:
        """The same as an address."""
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def stopped(self) -> bool:
        """Whether it was killed."""
        return self._running is None

    @property
    def slow(self) -> bool:
        """Whether it is slowed."""
        return self._slow.is_set()

    async def __aenter__(self) -> Self:
        """Starts it. Raises EmbeddedServerError."""
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ends it, however it stands."""
        self.calm()
        await self._exit.aclose()

    async def toggle_stopped(self) -> None:
        """Kills it, or starts it again from its file. Raises EmbeddedServerError."""
        if self._running is None:
            await self._start()
            return
        self._signal(signal.SIGKILL)
        self._running = None
        await self._exit.aclose()

    async def toggle_slow(self) -> None:
        """Makes every answer take some hundred milliseconds, or ends that."""
        if self.slow:
            self.calm()
        else:
            self._slow.set()

    def calm(self) -> None:
        """Ends the slowness at once."""
        self._slow.clear()
        self._signal(signal.SIGCONT)

    async def pulses(self) -> None:
        """While it is slowed: frozen for a while, then awake for a moment. Until cancelled."""
        try:
            while True:
                await self._slow.wait()
                self._signal(signal.SIGSTOP)
                await asyncio.sleep(_FROZEN_SECONDS)
                self._signal(signal.SIGCONT)
                await asyncio.sleep(_AWAKE_SECONDS)
        finally:
            self._signal(signal.SIGCONT)

    async def _start(self) -> None:
        starting = embedded_server(self._folder, port=self._port, appendfsync="always")
        # Known to the pulses only once it answers: nothing may hold up its start.
        self._running = await self._exit.enter_async_context(starting)
        self._port = self._running.port

    def _signal(self, number: int) -> None:
        if self._running is not None:
            with suppress(ProcessLookupError):
                os.kill(self._running.pid, number)
