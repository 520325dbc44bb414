"""Match servers and pods: real processes of the project's own commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from proof.versions.release import HERE, Release

_ENDED_WELL = (0, -signal.SIGTERM)
"""The second code: the process was told to end before it had begun to listen to signals."""
_NICE = 19
Command = Callable[[int], tuple[list[str], dict[str, str]]]
"""From the number of the start to the arguments and what is added to the environment."""


class Child:
    """One process that is started again and again."""

    def __init__(self, name: str, folder: Path, command: Command, release: Release = HERE) -> None:
        self.name = name
        self.release = release
        """Of the next start."""
        self.starts = 0
        self._folder = folder
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._leaving: list[subprocess.Popen[bytes]] = []
        self._begins = 0
        self._frozen: subprocess.Popen[bytes] | None = None
        self._busy: subprocess.Popen[bytes] | None = None

    @property
    def up(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of the process; 0 where there is none."""
        return self._process.pid if self._process is not None else 0

    @property
    def log(self) -> Path:
        """What it printed, over all of its lives."""
        return self._folder / f"{self.name}.log"

    def said(self, text: str) -> bool:
        """Whether it printed `text` since it was last started."""
        with self.log.open("rb") as log:
            log.seek(self._begins)
            return text.encode() in log.read()

    def failures(self) -> list[str]:
        """Processes that ended although nobody had killed them, or did not end well when told to.

        Each is told once.
        """
        found = [f"{self.name}, which nobody had killed"] if not self.up and self._process else []
        ended = [each for each in self._leaving if each.poll() is not None]
        self._leaving = [each for each in self._leaving if each.poll() is None]
        codes = [each.returncode for each in ended if each.returncode not in _ENDED_WELL]
        return found + [f"{self.name}, told to stop, with exit code {code}" for code in codes]

    @property
    def lingering(self) -> int:
        """Processes that were told to stop, and still run."""
        return sum(each.poll() is None for each in self._leaving)

    def start(self) -> None:
        """A new process."""
        self.starts += 1
        self._begins = self.log.stat().st_size if self.log.exists() else 0
        arguments, environment = self._command(self.starts)
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                [self.release.python, "-m", *arguments],
                env={**self.release.environment, **environment},
                cwd=self.release.folder,
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

    def freeze(self) -> None:
        """SIGSTOP."""
        self._frozen = self._process
        if self._frozen is not None:
            self._frozen.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT, to the process that was frozen: another may have been started since."""
        if self._frozen is not None:
            self._frozen.send_signal(signal.SIGCONT)

    def slow(self) -> None:
        """nice 19, beside a busy loop on the one core that it may use. Only a new start ends it."""
        if self._process is None:
            return
        pid, core = self._process.pid, min(os.sched_getaffinity(0))
        self._busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        os.sched_setaffinity(self._busy.pid, {core})
        with suppress(ProcessLookupError):
            os.sched_setaffinity(pid, {core})
            os.setpriority(os.PRIO_PROCESS, pid, _NICE)

    def leave_alone(self) -> None:
        """The busy loop ends."""
        if self._busy is not None:
            self._busy.kill()
            self._busy.wait(10)

    def end(self) -> None:
        """Nothing of it is left."""
        self.leave_alone()
        for process in (*self._leaving, self._process):
            if process is not None:
                process.kill()
                process.wait(10)
