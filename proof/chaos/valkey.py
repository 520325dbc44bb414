"""A Valkey process that can be killed, frozen, torn, starved of disk, and started again."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from matchkeeper.store.embedded import drop_half_a_transaction, executable
from proof.chaos.frames import frame_end
from proof.chaos.wire import WireError, ask
from proof.ports import Port

_MULTI = b"*1\r\n$5\r\nMULTI\r\n"
_START_SECONDS = 60.0
_PING_SECONDS = 0.5
_TAIL_BYTES = 1 << 16
_EXEC = b"*1\r\n$4\r\nEXEC\r\n"


class ValkeyError(Exception):
    """Valkey did not do what was asked of it."""


def are_whole(commands: bytes) -> bool:
    """Whether no command at the end of an AOF is cut off, and no transaction open."""
    at = 0
    while at < len(commands):
        end = frame_end(commands, at)
        if end < 0 or commands.startswith(_MULTI, at):
            return False
        at = end
    return True


async def until_done(port: int, *args: str) -> None:
    """A command, sent until there is a reply. Raises TimeoutError."""
    async with asyncio.timeout(_START_SECONDS):
        while True:
            with suppress(WireError):
                await ask(port, *args)
                return
            await asyncio.sleep(0.01)


class Valkey:
    """One server on a folder and a port of its own.

    What was told to anybody is on the disk, unless `fsync` (`appendfsync`) says otherwise.
    Its AOF is written anew now and then, unless it `rewrites` none.
    """

    def __init__(
        self,
        folder: Path,
        *,
        appends: bool,
        fsync: str = "always",
        rewrites: bool = True,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._port = Port()
        self._folder = folder
        self._appends = appends
        self._fsync = fsync
        self._rewrites = rewrites
        self._variables = variables
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """Where it listens, whenever it does."""
        return self._port.number

    async def start(self, *, replica_of: int | None = None) -> None:
        """Returns once it answers. Raises ValkeyError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        await drop_half_a_transaction(self._folder)
        deadline = time.monotonic() + _START_SECONDS
        self._launch(replica_of)
        while not self._answers():
            if time.monotonic() > deadline:
                raise ValkeyError(f"Valkey does not start: {self._last_words()}")
            await asyncio.sleep(0.001)
            # A child of the last one, which wrote the AOF anew, may still hold the port.
            if self._process is not None and self._process.poll() is not None:
                self._launch(replica_of)

    def _launch(self, replica_of: int | None) -> None:
        options = ["--replicaof", f"127.0.0.1 {replica_of}"] if replica_of else []
        self._process = subprocess.Popen(
            [
                str(executable()),
                *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)),
                *("--logfile", str(self._folder / "valkey.log"), "--loglevel", "warning"),
                *("--save", "", "--appendonly", "yes" if self._appends else "no"),
                *("--appendfsync", self._fsync, "--auto-aof-rewrite-min-size", "4mb"),
                *("--auto-aof-rewrite-percentage", "100" if self._rewrites else "0"),
                *("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"),
                *("--repl-ping-replica-period", "1", *options),
            ],
            env={**os.environ, **self._variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Keeps SIGXFSZ ignored, as Python has it: a full disk is an error, not a signal.
            restore_signals=False,
        )

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def close(self) -> None:
        """It is gone, and its port, too."""
        self.kill()
        self._port.free()

    def freeze(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def wipe(self) -> None:
        """Forgets everything, like a new machine."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def tear(self, rng: random.Random) -> None:
        """Leaves a write at the end of the AOF that the crash cut off: nobody was told of it.

        It is a part of a transaction that stands in the file, so it looks as real ones do. Where
        the kill itself has cut off a write, that is the torn tail.
        """
        path = self._last_file()
        with path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            tail = file.read()
            ends = tail.rfind(_EXEC)
            begins = tail.rfind(_MULTI, 0, ends) if ends >= 0 else -1
            if begins < 0 or not are_whole(tail[ends + len(_EXEC) :]):
                return
            whole = tail[begins : ends + len(_EXEC)]
            file.write(whole[: rng.randrange(1, len(whole))])

    async def fill_disk(self, rng: random.Random) -> bool:
        """Lets the AOF grow a few bytes more and no further; whether Valkey ended over it."""
        self._limit(self._last_file().stat().st_size + rng.randrange(300))
        try:
            async with asyncio.timeout(2):
                while self._process is not None and self._process.poll() is None:
                    await asyncio.sleep(0.002)
        except TimeoutError:
            self._limit(resource.RLIM_INFINITY)
            return False
        return True

    async def refuse_writes(self, seconds: float) -> None:
        """The disk is full and Valkey lives on: it refuses writes until there is room again.

        Not a byte more fits: when Valkey 8.1 lives on after half a write, it leaves an AOF that it
        cannot read.
        """
        await until_done(self.port, "CONFIG", "SET", "appendfsync", "everysec")
        self._limit(1)
        await asyncio.sleep(seconds)
        self._limit(resource.RLIM_INFINITY)
        async with asyncio.timeout(_START_SECONDS):
            while "aof_last_write_status:ok" not in await self.facts("persistence"):
                await asyncio.sleep(0.02)
        await until_done(self.port, "CONFIG", "SET", "appendfsync", "always")

    async def rewrite(self) -> None:
        """Begins to write the AOF anew."""
        with suppress(WireError):
            await ask(self.port, "BGREWRITEAOF")

    async def promote(self) -> None:
        """From replica to primary."""
        await until_done(self.port, "REPLICAOF", "NO", "ONE")

    async def in_step(self) -> bool:
        """Whether a replica has all that its primary had."""
        return "master_link_status:up" in await self.facts("replication")

    async def facts(self, section: str) -> str:
        """INFO; empty when there is no answer."""
        try:
            return str((await ask(self.port, "INFO", section)).decode())
        except WireError:
            return ""

    def _last_file(self) -> Path:
        folder = self._folder / "appendonlydir"
        lines = (folder / "appendonly.aof.manifest").read_text().splitlines()
        names = [line.split()[1] for line in lines if line.endswith(" type i")]
        return folder / names[-1]

    def _last_words(self) -> str:
        lines = (self._folder / "valkey.log").read_text("utf-8", "replace").splitlines()
        return " / ".join(lines[-3:])

    def _limit(self, size: int) -> None:
        if self._process is not None and self._process.poll() is None:
            hard = resource.RLIM_INFINITY
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, hard))

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _answers(self) -> bool:
        """Asks without the event loop, which is busy with clients that try to connect meanwhile."""
        assert self._process is not None  # noqa: S101  # it was launched
        try:
            with socket.create_connection(("127.0.0.1", self.port), _PING_SECONDS) as line:
                line.sendall(b"PING\r\n")
                if not line.recv(16).startswith(b"+PONG"):
                    return False
                line.sendall(b"INFO server\r\n")
                # It is not some other process that listens there.
                return f"process_id:{self._process.pid}\r" in line.recv(1 << 16).decode()
        except OSError:
            return False
