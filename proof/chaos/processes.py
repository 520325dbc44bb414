"""Match servers and pods: real processes of the project's own commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

Command = Callable[[int], tuple[list[str], dict[str, str]]]
"""From the number of the start to the arguments and the environment."""


class Child:
    """One process that is started again and again."""

    def __init__(self, name: str, folder: Path, command: Command) -> None:
        self.name = name
        self.starts = 0
        self._folder = folder
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._leaving: list[subprocess.Popen[bytes]] = []

    @property
    def up(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> Path:
        """What it printed, over all of its lives."""
        return self._folder / f"{self.name}.log"

    def start(self) -> None:
        """A new process."""
        self.starts += 1
        arguments, environment = self._command(self.starts)
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                env={**os.environ, **environment},
                stdout=out,
                stderr=out,
            )

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def stop(self) -> None:
        """SIGTERM, without waiting for the end."""
        if self._process is not None:
            self._process.terminate()
            self._leaving.append(self._process)
            self._process = None
        self._leaving = [each for each in self._leaving if each.poll() is None]

    def freeze(self) -> None:
        """SIGSTOP."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Nothing of it is left."""
        for process in (*self._leaving, self._process):
            if process is not None:
                process.kill()
                process.wait(10)
