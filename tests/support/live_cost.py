"""`python -m tests.support.live_cost`: what open pages cost the server, as a share of one core.

CPU seconds of the server process, idle and with so many pages open; the difference is the cost.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from matchkeeper.store.embedded import executable
from tests.conftest import RealServer
from tests.support.harness import Server, serving

_BOUND = 0.02
_SETTLE_SECONDS = 3.0


def cpu_seconds(pid: int) -> float:
    """User and system time of a process (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def open_pages(port: int, count: int) -> AsyncIterator[list[int]]:
    """Connections that read the stream as a browser does; yields the snapshots each has read."""
    read = [0] * count
    begun = asyncio.Barrier(count + 1)

    async def page(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"event: live")
        await begun.wait()
        while await reader.readuntil(b"event: live"):
            read[number] += 1
        writer.close()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(page(number)) for number in range(count)]
        await begun.wait()
        yield read
        for task in tasks:
            task.cancel()


async def share_of_core(server: Server, seconds: float) -> float:
    """CPU seconds a second, over a while."""
    begun, at = cpu_seconds(server.process.pid), asyncio.get_running_loop().time()
    await asyncio.sleep(seconds)
    spent = cpu_seconds(server.process.pid) - begun
    return spent / (asyncio.get_running_loop().time() - at)


async def measure(*, pages: int, seconds: float) -> tuple[float, float, float]:
    """Shares of a core with the pages closed and open, and snapshots a second that a page got."""
    with tempfile.TemporaryDirectory() as name:
        valkey = RealServer(str(executable()), Path(name))
        valkey.start()
        try:
            # As users have it: tests log more and tick faster.
            settings: dict[str, object] = {
                "logging__level": "INFO",
                "matchmaking__try_match_tick_interval_seconds": None,
                "matchmaking__redis_operation_timeout_seconds": None,
            }
            with serving(valkey.url, Path(name), **settings) as server:
                await server.ready()
                await asyncio.sleep(_SETTLE_SECONDS)
                closed = await share_of_core(server, seconds)
                async with open_pages(server.port, pages) as read:
                    opened = await share_of_core(server, seconds)
                    snapshots = min(read) / seconds
        finally:
            valkey.kill()
    return closed, opened, snapshots


def main() -> None:
    """From the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pages", type=int, default=20)
    options.add_argument("--seconds", type=float, default=20.0)
    given = options.parse_args()
    closed, opened, snapshots = asyncio.run(measure(pages=given.pages, seconds=given.seconds))
    cost = opened - closed
    print(f"{'pages open':<12} share of a core")
    print(f"{0:<12} {closed:.2%}")
    print(f"{given.pages:<12} {opened:.2%}")
    print(f"each page was sent {snapshots:.2f} snapshots a second")
    print(f"cost of {given.pages} pages: {cost:.2%} (bound: {_BOUND:.0%})")
    raise SystemExit(cost > _BOUND)


if __name__ == "__main__":
    main()
