"""The demo as a process: everything is broken in it once, from outside, and nobody is lost."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import RealServer, wait_until
from tests.operate.test_cli import matchkeeper
from tests.support.harness import Server, free_port, serving

pytestmark = pytest.mark.timeout(300)

PRESS = {"Content-Type": "application/json"}
PATIENCE = 60.0


@dataclass
class Demo(Server):
    """One `matchkeeper demo` process."""

    async def board(self) -> dict[str, Any]:
        answer = await self.get("/demo")
        assert answer.status_code == 200
        return dict(answer.json())

    async def figures(self) -> dict[str, Any]:
        return dict((await self.board())["figures"])

    async def press(self, name: str, headers: dict[str, str] = PRESS) -> tuple[int, dict[str, Any]]:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}") as http:
            answer = await http.post(f"/demo/{name}", headers=headers, timeout=PATIENCE)
        return answer.status_code, answer.json()

    async def is_on(self, name: str) -> bool:
        board = await self.board()
        return bool(next(each["on"] for each in board["controls"] if each["name"] == name))

    async def breaker(self) -> str:
        return str((await self.get("/api/v1/breaker")).json()["state"])

    async def until(self, what: str, **wanted: object) -> None:
        """Waits until the figures are these; a number is what they must exceed."""

        async def check() -> bool:
            found = await self.figures()
            assert (found["lost"], found["doubled"]) == (0, 0)
            return all(
                found[name] is value if isinstance(value, bool) else found[name] > value
                for name, value in wanted.items()
            )

        await wait_until(check, seconds=PATIENCE, what=what)

    async def more_matches(self) -> None:
        before = (await self.figures())["matched"]
        await self.until("more matches", matched=before + 4, known=True)

    def children(self) -> set[int]:
        """Processes that it has started."""
        found = set()
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # ended meanwhile
            if int(fields[1]) == self.process.pid:
                found.add(int(stat.parent.name))
        return found


@contextmanager
def demonstrating(folder: Path, *options: str) -> Iterator[Demo]:
    """Runs a demo whose day takes a minute."""
    port = free_port()
    log = folder / f"demo-{port}.log"
    environment = {key: value for key, value in os.environ.items() if "MATCHKEEPER" not in key}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    arguments = ("--port", str(port), "--day-minutes", "1", "--rate", "15", "--seed", "7")
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "matchkeeper", "demo", *arguments, *options],
            env=environment,
            stdout=out,
            stderr=out,
            cwd=folder,
        )
    demo = Demo(process, port, log)
    try:
        yield demo
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE)


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


async def second_terminal(demo: Demo, *arguments: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(matchkeeper, "break", *arguments, "--port", str(demo.port))


async def test_everything_is_broken_once_and_nobody_is_lost(tmp_path: Path) -> None:
    with demonstrating(tmp_path) as demo:
        await demo.ready(seconds=PATIENCE)
        await demo.more_matches()
        await _redis_is_killed_and_comes_back(demo)
        await _redis_is_slow(demo)
        await _nobody_plays_for_a_while(demo)
        await _a_player_is_poisoned(demo)
        await _strangers_press_nothing(demo)
        children = demo.children()
        assert children
        demo.signal(signal.SIGINT)
        assert await demo.ended(seconds=PATIENCE) == 0
        assert all(map(gone, children))
    assert "lost 0  doubled 0" in demo.lines()[-1]
    assert re.search(r"left [1-9]\d*  refused [1-9]", demo.lines()[-1]), "some do not behave"
    first, *rest = demo.lines()
    assert first == f"The live page: http://127.0.0.1:{demo.port}/"
    assert [each for each in rest if "  broken: " not in each] == [], "no log runs through the view"


async def _redis_is_killed_and_comes_back(demo: Demo) -> None:
    status, board = await demo.press("redis_stopped")
    assert status == 200
    assert board["figures"]["known"] is False, "nobody can know while Redis is away"
    assert await demo.is_on("redis_stopped")

    async def opens() -> bool:
        return await demo.breaker() == "open"

    await wait_until(opens, seconds=PATIENCE, what="open")
    assert (await demo.get("/health/ready")).status_code == 503
    assert await demo.metric("matchkeeper_breaker_opened_total") >= 1
    done = await second_terminal(demo, "redis_stopped")
    assert done.returncode == 0, done.stderr
    assert "│ redis_stopped │ off │" in done.stdout

    async def closes() -> bool:
        return await demo.breaker() == "closed"

    await wait_until(closes, seconds=PATIENCE, what="closed")
    await demo.more_matches()


async def _redis_is_slow(demo: Demo) -> None:
    async def skipped() -> float:
        return await demo.metric("matchkeeper_skipped_ticks_total")

    before = await skipped()
    done = await second_terminal(demo, "redis_slow", "--json")
    assert done.returncode == 0, done.stderr
    on = {each["name"]: each["on"] for each in json.loads(done.stdout)["controls"]}
    assert on["redis_slow"]

    async def overtaken() -> bool:
        return await skipped() > before

    await wait_until(overtaken, seconds=PATIENCE, what="ticks that found a round running")
    await demo.press("redis_slow")
    assert not await demo.is_on("redis_slow")
    await demo.more_matches()


async def _nobody_plays_for_a_while(demo: Demo) -> None:
    await demo.press("pods_stopped")

    async def unheard() -> bool:
        answer = await demo.get("/health/ready")
        return bool(answer.json()["warnings"])

    await wait_until(unheard, seconds=PATIENCE, what="no game server")
    before = await demo.figures()
    await demo.until("players who go on asking", players=before["players"] + 5)
    await demo.press("pods_stopped")
    await demo.more_matches()


async def _a_player_is_poisoned(demo: Demo) -> None:
    status, _ = await demo.press("poison")
    assert status == 200

    async def set_aside() -> bool:
        letters = (await demo.get("/api/v1/dead-letters/Normal")).json()
        return [each["player_id"] for each in letters] == ["poisoned-1"]

    await wait_until(set_aside, seconds=PATIENCE, what="a dead letter")
    await demo.more_matches()


async def _strangers_press_nothing(demo: Demo) -> None:
    elsewhere = {**PRESS, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for headers, status in (
        (elsewhere, 403),
        ({**PRESS, "Host": f"evil.example:{demo.port}"}, 421),
        ({"Content-Type": "text/plain"}, 415),
    ):
        refused, answer = await demo.press("pods_stopped", headers)
        assert refused == status
        assert answer["error"]["message"]
    assert not await demo.is_on("pods_stopped")
    status, answer = await demo.press("pods_stoped")
    assert status == 404
    assert "pods_stopped" in answer["error"]["hint"]
    done = await second_terminal(demo, "pods_stoped")
    assert done.returncode == 4
    assert "It has: redis_stopped, redis_slow, pods_stopped, poison" in done.stderr


@pytest.mark.parametrize("broken", ["redis_stopped", "redis_slow"])
async def test_ctrl_c_ends_it_however_redis_stands(tmp_path: Path, broken: str) -> None:
    with demonstrating(tmp_path) as demo:
        await demo.ready(seconds=PATIENCE)
        children = demo.children()
        assert children
        await demo.press(broken)
        await asyncio.sleep(0.5)  # somewhere in the middle of it
        demo.signal(signal.SIGINT)
        assert await demo.ended(seconds=PATIENCE) == 0, demo.lines()[-5:]
        assert all(map(gone, children))
    last = demo.lines()[-1]
    assert "doubled 0" in last
    assert broken != "redis_stopped" or "lost unknown (last known: 0)" in last


async def test_somebody_elses_redis_is_not_touched(valkey: RealServer, tmp_path: Path) -> None:
    with demonstrating(tmp_path, "--redis-url", valkey.url) as demo:
        await demo.ready(seconds=PATIENCE)
        names = [each["name"] for each in (await demo.board())["controls"]]
        assert names == ["pods_stopped", "poison"]
        await demo.more_matches()


async def test_a_server_has_no_such_controls(valkey: RealServer, tmp_path: Path) -> None:
    with serving(valkey.url, tmp_path) as server:
        await server.ready(seconds=PATIENCE)
        assert (await server.get("/demo")).status_code == 404
        async with httpx.AsyncClient() as http:
            answer = await http.post(
                f"http://127.0.0.1:{server.port}/demo/redis_stopped", headers=PRESS
            )
        assert answer.status_code == 404
        assert "/demo" not in (await server.get("/api/v1/openapi.json")).text
        done = await asyncio.to_thread(
            matchkeeper, "break", "redis_stopped", "--port", str(server.port)
        )
    assert done.returncode == 4
    assert "is no demo" in done.stderr


def test_the_second_terminal_says_when_no_demo_runs() -> None:
    done = matchkeeper("break", "redis_stopped", "--port", str(free_port()))
    assert done.returncode == 4
    assert done.stderr.startswith("Error: No demo answers at http://127.0.0.1:")
    assert "matchkeeper demo" in done.stderr


def test_a_terminal_shows_the_view_and_the_page_is_opened(tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/opened\nexit 1\n')
    browser.chmod(0o755)
    port = free_port()
    environment = {key: value for key, value in os.environ.items() if "MATCHKEEPER" not in key}
    for name in ("PYTHONDONTWRITEBYTECODE", "SSH_CONNECTION", "CI"):
        environment.pop(name, None)
    environment |= {"BROWSER": str(browser), "DISPLAY": ":99", "TERM": "xterm", "LINES": "40"}
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "matchkeeper", "demo", "--port", str(port), "--seconds", "4"],
        env={**environment, "COLUMNS": "120"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=tmp_path,
    )
    os.close(theirs)
    seen = _all_of(ours)
    assert process.wait(PATIENCE) == 0, seen[-2000:]
    assert f"http://127.0.0.1:{port}/" in seen
    assert "matchkeeper break redis_stopped" in seen
    assert "the breaker opens after 5 failures for 3 s" in seen
    opened = (tmp_path / "opened").read_text().split()
    assert opened == [f"http://127.0.0.1:{port}/"]


def _all_of(terminal: int) -> str:
    """What was drawn, until the process has closed its end."""
    parts = []
    try:
        while part := os.read(terminal, 65536):
            parts.append(part)
    except OSError:  # Linux says the end of a terminal so
        pass
    os.close(terminal)
    return b"".join(parts).decode("utf-8", "replace")
