"""Valkey, a match server and game servers as real processes, and what they used."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.raw import Line
from matchkeeper.store.embedded import executable
from proof.ports import Port

_TICKS = os.sysconf("SC_CLK_TCK")
_START_SECONDS = 30.0
_PING_EVERY_SECONDS = 0.002
_LOOK_EVERY_SECONDS = 0.1
_ALIVE_EVERY_SECONDS = 0.005
_ROOT = Path(__file__).parents[1]
TAG = "duel"


@dataclass(slots=True)
class Process:
    """One process of the site."""

    popen: subprocess.Popen[str]

    def cpu_seconds(self) -> float:
        """CPU time of all its threads, since its start."""
        fields = Path(f"/proc/{self.popen.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_bytes(self) -> int:
        """What it holds in memory now."""
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        line = next(each for each in status.splitlines() if each.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def end(self) -> None:
        """Kills it where it still runs."""
        self.popen.kill()
        self.popen.wait(10)
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe is not None:
                pipe.close()


@dataclass(slots=True)
class Site:
    """One Valkey, and whatever a case starts on it. Use `opened`."""

    folder: Path
    port: Port
    valkey: Process
    processes: list[Process] = field(default_factory=list)
    ports: list[Port] = field(default_factory=list)

    def line(self) -> Line:
        """A connection to Valkey."""
        return Line(self.port.number)

    def calls(self) -> Counter[str]:
        """How often each command was run, in scripts or not."""
        with self.line() as line:
            text = line.ask("INFO", "commandstats").decode()
        rows = re.findall(r"^cmdstat_([^:]+):calls=(\d+)", text, re.MULTILINE)
        return Counter({name: int(calls) for name, calls in rows})

    def ping_p99_while(self, going: Callable[[], bool]) -> float:
        """The 99th percentile of the PINGs sent meanwhile, in seconds."""
        found: list[float] = []
        looked_at, going_on = 0.0, True
        with self.line() as line:
            while going_on:
                begun = time.monotonic()
                line.ask("PING")
                found.append(time.monotonic() - begun)
                time.sleep(_PING_EVERY_SECONDS)
                if time.monotonic() > looked_at + _LOOK_EVERY_SECONDS:
                    looked_at, going_on = time.monotonic(), going()
        return sorted(found)[int(0.99 * (len(found) - 1))]

    def slow_scripts(self) -> int:
        """Calls that held Redis for longer than 5 ms."""
        with self.line() as line:
            return int(line.ask("SLOWLOG", "LEN"))

    def traffic_bytes(self) -> int:
        """All bytes that went into Valkey and out of it."""
        with self.line() as line:
            text = line.ask("INFO", "stats").decode()
        facts = dict(row.split(":") for row in text.splitlines() if ":" in row)
        return int(facts["total_net_input_bytes"]) + int(facts["total_net_output_bytes"])

    def python(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Process:
        """A Python process of ours."""
        # Without compiled files, as this forbids, a start would be slower than a user's.
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        with (self.folder / f"{arguments[0]}.log").open("ab") as log:
            popen = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                env={**inherited, **(environment or {})},
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        process = Process(popen)
        self.processes.append(process)
        return process

    def server(
        self, modes: Sequence[Mapping[str, object]], **settings: object
    ) -> tuple[Process, Server]:
        """A match server; returns once it is ready."""
        http = Port()
        self.ports.append(http)
        values = {
            "REDIS__URL": f"redis://127.0.0.1:{self.port.number}/0",
            "SERVER__PORT": http.number,
            "MATCHMAKING__GAME_MODES": json.dumps(list(modes)),
            **settings,
        }
        environment = {f"MATCHKEEPER_{name}": str(value) for name, value in values.items()}
        begun = time.monotonic()
        process = self.python("matchkeeper", "serve", environment=environment)
        server = Server(http)
        server.wait(process)
        server.start_seconds = time.monotonic() - begun
        return process, server

    def pod(self, *, claims: bool, tag: str = TAG) -> Pod:
        """Game servers that hear everything from now on."""
        how = "claim" if claims else "publish"
        process = self.python("bench.pod", str(self.port.number), tag, how)
        assert process.popen.stdout is not None  # noqa: S101  # it was piped
        process.popen.stdout.readline()
        return Pod(process)

    def close(self) -> None:
        """Nothing of it runs any more."""
        for process in (*self.processes, self.valkey):
            process.end()
        for port in (self.port, *self.ports):
            port.free()


@dataclass(slots=True)
class Server:
    """The HTTP side of a match server."""

    port: Port
    start_seconds: float = 0.0

    def wait(self, process: Process) -> None:
        """Returns once it is ready. Raises RuntimeError."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if process.popen.poll() is not None:
                raise RuntimeError("the server ended at its start; see its log")
            try:
                if self._get("/health/ready").status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.005)
        raise RuntimeError("the server is not ready")

    def metrics(self) -> str:
        """All of them, as Prometheus reads them."""
        return self._get("/metrics").text

    def _get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port.number}{path}", timeout=5)


def metric_in(text: str, name: str, **labels: str) -> float:
    """The sum over all labels but those given."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    rows = (row for row in text.splitlines() if all(each in row for each in wanted))
    return sum(
        float(row.rpartition(" ")[2]) for row in rows if row.startswith((f"{name} ", f"{name}{{"))
    )


class Lag:
    """Asks a server for a sign of life all the time, in a thread of its own."""

    def __init__(self, server: Server) -> None:
        self._url = f"http://127.0.0.1:{server.port.number}/health/live"
        self._over = threading.Event()
        self._seconds: list[float] = []
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        with httpx.Client(timeout=30) as http:
            while not self._over.wait(_ALIVE_EVERY_SECONDS):
                begun = time.monotonic()
                http.get(self._url)
                self._seconds.append(time.monotonic() - begun)

    def end(self) -> None:
        """Asks no more."""
        self._over.set()
        self._thread.join()

    def p99_seconds(self) -> float:
        """The 99th percentile of the answers until then."""
        return sorted(self._seconds)[int(0.99 * (len(self._seconds) - 1))]


@dataclass(slots=True)
class Pod:
    """Game servers that run beside."""

    process: Process

    def end(self) -> dict[str, Any]:
        """Stops it; returns what it saw."""
        out, _ = self.process.popen.communicate()
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
        return found


@contextmanager
def opened(folder: Path, *options: str) -> Iterator[Site]:
    """A Valkey on a fresh folder; everything on it ends with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    port = Port()
    popen = subprocess.Popen(
        [
            *(str(executable()), "--port", str(port.number), "--bind", "127.0.0.1"),
            *("--dir", str(folder), "--save", "", "--appendonly", "no"),
            *("--slowlog-log-slower-than", "5000", "--slowlog-max-len", "10000", *options),
        ],
        stdout=subprocess.DEVNULL,
        text=True,
    )
    site = Site(folder, port, Process(popen))
    try:
        _await_valkey(port.number)
        yield site
    finally:
        site.close()


def _await_valkey(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            with Line(port) as line:
                line.ask("PING")
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
