"""A real server for every test that needs one: the embedded Valkey and, where installed, Redis."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import settings
from playwright.async_api import Browser, async_playwright
from redis.asyncio import Redis

from matchkeeper.store.embedded import executable
from proof.ports import Port
from tests.support.browser import launched

# An example may take long where machines are shared; a test that hangs has pytest's timeout.
settings.register_profile("shared machines", deadline=None)
settings.load_profile("shared machines")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first: of two workers, none is left alone with them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


SERVERS = {"valkey": str(executable()), "redis": shutil.which("redis-server")}


class RealServer:
    """A Valkey or Redis process that a test may stop, freeze, kill and start again."""

    def __init__(
        self,
        program: str,
        folder: Path,
        *options: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._environment = {**os.environ, **(environment or {})}
        self._program = program
        self._folder = folder
        self.fsync = "everysec"
        self._options = options
        held = Port()  # nobody else may take it while this server is dead
        weakref.finalize(self, held.free)
        self.port = held.number
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def launch(self) -> None:
        """Starts the process; it may not answer yet."""
        self.process = subprocess.Popen(
            [
                self._program,
                *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)),
                *("--save", "", "--appendonly", "yes", "--appendfsync", self.fsync),
                *("--enable-debug-command", "yes", *self._options),
            ],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def start(self) -> None:
        self.launch()
        deadline = time.monotonic() + 10
        while not self._answers():
            assert self.process is not None
            assert time.monotonic() < deadline, f"{self._program} did not start"
            assert self.process.poll() is None, f"{self._program} ended at once"
            time.sleep(0.01)  # the test's own server is a process; there is nothing to await

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None


@pytest.fixture(params=list(SERVERS))
def server_program(request: pytest.FixtureRequest) -> str:
    """Each kind of server that is installed here."""
    program = SERVERS[request.param]
    if program is None:
        pytest.skip(f"no {request.param}-server on this machine")
    return program


@pytest.fixture
def any_server(server_program: str, tmp_path: Path) -> Iterator[RealServer]:
    """The test runs once on the embedded Valkey and once on Redis, where that is installed."""
    server = RealServer(server_program, tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[RealServer]:
    """The embedded Valkey, for tests where the kind of server does not matter."""
    server = RealServer(str(executable()), tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One for all tests: to start it takes longer than most of them."""
    async with async_playwright() as playwright, launched(playwright) as running:
        yield running


@pytest.fixture
async def redis(any_server: RealServer) -> AsyncIterator[Redis]:
    """A plain client beside ours, to look at what stands in Redis."""
    async with Redis.from_url(any_server.url, decode_responses=True) as client:
        yield client


async def wait_until(
    check: Callable[[], Awaitable[bool] | bool], *, seconds: float = 10.0, what: str = ""
) -> None:
    """Polls until `check` holds. Fails with `what` when it does not in time."""
    deadline = time.monotonic() + seconds
    while True:
        held = check()
        if isinstance(held, bool):
            if held:
                return
        elif await held:
            return
        assert time.monotonic() < deadline, f"not within {seconds:g}s: {what or check}"
        await asyncio.sleep(0.01)
