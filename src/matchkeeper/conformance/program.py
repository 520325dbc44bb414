"""The program that is tried: started, told what its players want, heard, killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from matchkeeper.conformance.texts import fields_of
from matchkeeper.errors import MatchkeeperError

_LAST_LINES = 10
_LONGEST_LINE = 1 << 20
_END_SECONDS = 2.0


class Program:
    """One command. `on_line` hears each JSON object that it writes to its standard output."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        on_line: Callable[[dict[str, Any]], None],
    ) -> None:
        self._command = command
        self._environment = {**os.environ, **environment}
        self._on_line = on_line
        self._process: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Future[None]] = []
        self._wanted_end = False
        self.last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        """What it wrote last, for people."""

    @property
    def ended(self) -> str:
        """How it ended, in words, where nobody wanted that; else empty."""
        process = self._process
        if process is None or process.returncode is None or self._wanted_end:
            return ""
        if process.returncode < 0:
            return f"it was ended by {signal.Signals(-process.returncode).name}"
        return f"it ended with exit code {process.returncode}"

    @property
    def exit_code(self) -> int | None:
        """None: it runs."""
        return None if self._process is None else self._process.returncode

    async def start(self) -> None:
        """Starts it. Raises MatchkeeperError where there is no such program."""
        self._wanted_end = False
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *self._command,
                env=self._environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_LONGEST_LINE,
                # It and its children are killed together, and Ctrl-C is for us.
                start_new_session=True,
            )
        except OSError as error:
            raise MatchkeeperError(
                f"{self._command[0]} cannot be started: {error.strerror}",
                hint="Behind -- stands the command that starts your game server.",
            ) from None
        assert process.stdout is not None  # noqa: S101  # both are pipes
        assert process.stderr is not None  # noqa: S101
        self._readers = [
            asyncio.ensure_future(self._read(process.stdout, self._heard)),
            asyncio.ensure_future(self._read(process.stderr, lambda _line: None)),
        ]

    async def _read(self, stream: asyncio.StreamReader, hear: Callable[[str], None]) -> None:
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # longer than any line of ours; the rest of it comes next
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            self.last_lines.append(text)
            hear(text)

    def _heard(self, line: str) -> None:
        said = fields_of(line)
        if said is not None:
            self._on_line(said)

    async def say(self, task: Mapping[str, Any]) -> None:
        """Writes one task to its standard input; what nobody reads any more is lost."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError, RuntimeError):  # the second where uvloop has closed the pipe
                self._process.stdin.write(json.dumps(task, separators=(",", ":")).encode() + b"\n")
                await self._process.stdin.drain()

    def end_input(self) -> None:
        """Nobody plays any more."""
        self._wanted_end = True
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    async def kill(self) -> None:
        """Kills it with its children, and waits until it is gone."""
        self._wanted_end = True
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        with suppress(TimeoutError):  # a child that has left the group may hold the pipes
            async with asyncio.timeout(_END_SECONDS):
                await asyncio.gather(*self._readers)
