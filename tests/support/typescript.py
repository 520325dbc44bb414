"""The client in TypeScript: compiled, and a game server that runs on it as a process."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import wait_until

CLIENT = Path(__file__).parents[2] / "clients/typescript"
_INSTALL = "run: npm ci --ignore-scripts --prefix clients/typescript"


def missing() -> str:
    """Why the client cannot be tried here; empty where it can be. Asks nobody on the network."""
    node = shutil.which("node")
    if node is None:
        return "no node on this machine"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.removeprefix("v").partition(".")[0]) < 20:
        return f"node is {version.strip()}, the client needs 20 or newer"
    installed = CLIENT / "node_modules/.package-lock.json"
    if not installed.exists():
        return f"the client's packages are not installed; {_INSTALL}"
    wanted = _packages(CLIENT / "package-lock.json")
    if any(wanted.get(name) != version for name, version in _packages(installed).items()):
        return f"the client's packages are others than package-lock.json says; {_INSTALL}"
    return ""


def _packages(lock: Path) -> dict[str, str]:
    found = json.loads(lock.read_text("utf-8"))["packages"]
    return {name: each["version"] for name, each in found.items() if name}


NEEDS_NODE = pytest.mark.skipif(bool(missing()), reason=missing() or "-")


def compiled(folder: Path) -> Path:
    """Copies and compiles the client into a folder of its own, and returns that."""
    for name in ("package.json", "tsconfig.json", "src", "test", "examples"):
        if (CLIENT / name).is_dir():
            shutil.copytree(CLIENT / name, folder / name)
        else:
            shutil.copy(CLIENT / name, folder / name)
    (folder / "node_modules").symlink_to(CLIENT / "node_modules")
    done = subprocess.run(
        ["node", "node_modules/typescript/bin/tsc"],
        cwd=folder, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@dataclass
class Pod:
    """The example as a process: what players want goes in, what it does comes out."""

    process: asyncio.subprocess.Process
    started: list[str] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    def wants(
        self, player_id: str, wish: str = "enqueue", mode: str = "Squad", **more: Any
    ) -> None:
        """A player wants something."""
        request = {"player_id": player_id, "game_mode": mode, **more}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({wish: request}).encode() + b"\n")

    def was_told(self, player_id: str) -> list[str]:
        """What a player was told, in its order."""
        return [news for player, news in self.told if player == player_id]

    async def listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            try:
                said = json.loads(line)
            except ValueError:
                self.other.append(line.decode())
                continue
            if "started" in said:
                self.started.append(said["started"])
            else:
                self.told.append((said["told"], said["news"]))

    async def ended(self) -> int:
        """Ends its input, and waits for its end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        async with asyncio.timeout(20):
            return await self.process.wait()


@asynccontextmanager
async def playing(client: Path, url: str, pod_id: str = "pod-a") -> AsyncIterator[Pod]:
    """Runs the example."""
    process = await asyncio.create_subprocess_exec(
        "node", client / "dist/examples/game-server.js",
        env={**os.environ, "REDIS_URL": url, "POD_ID": pod_id},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    pod = Pod(process)
    listening = asyncio.create_task(pod.listen())
    try:
        yield pod
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await listening


async def is_told(pod: Pod, player_id: str, *news: str, seconds: float = 30) -> None:
    """Waits until a player was told just that, in this order."""
    await wait_until(
        lambda: pod.was_told(player_id) == list(news),
        seconds=seconds,
        what=f"{player_id} told {news}; was told {pod.told}; {pod.started}",
    )
