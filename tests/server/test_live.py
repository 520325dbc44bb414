"""The page's files and its stream, from the real server process."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from matchkeeper.config import Settings
from matchkeeper.observe.board.problems import RUNBOOKS
from matchkeeper.server.http import live as live_module
from matchkeeper.server.http import runbooks
from matchkeeper.server.http.live import Live
from matchkeeper.server.http.pages import FOLDER
from matchkeeper.server.wiring import build
from tests.conftest import RealServer, wait_until
from tests.support.harness import Server, outside, serving

ROOT = Path(__file__).parents[2]


class Reader:
    """One open page: what it was sent, by event."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []

    def of(self, name: str) -> list[Any]:
        return [data for each, data in self.heard if each == name]

    @property
    def live(self) -> Any:
        """The last snapshot."""
        return self.of("live")[-1]

    async def until(self, name: str, times: int = 1) -> None:
        await wait_until(lambda: len(self.of(name)) >= times, seconds=30, what=f"{name} {times}x")


@asynccontextmanager
async def reading(server: Server, count: int = 1) -> AsyncIterator[list[Reader]]:
    """Open pages."""
    readers = [Reader() for _ in range(count)]
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{server.port}", timeout=30, limits=httpx.Limits()
    ) as http:

        async def read(reader: Reader) -> None:
            async with http.stream("GET", "/api/v1/live") as answer:
                assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
                name = ""
                async for line in answer.aiter_lines():
                    if line.startswith("event: "):
                        name = line[7:]
                    elif line.startswith("data: "):
                        reader.heard.append((name, json.loads(line[6:])))

        tasks = [asyncio.ensure_future(read(reader)) for reader in readers]
        try:
            yield readers
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def server(valkey: RealServer, tmp_path: Path) -> AsyncIterator[Server]:
    with serving(valkey.url, tmp_path) as running:
        await running.ready()
        yield running


async def test_a_page_is_sent_everything_at_once_and_then_what_changed(
    server: Server, valkey: RealServer
) -> None:
    async with reading(server) as (reader,):
        await reader.until("live", 3)
        assert [name for name, _ in reader.heard[:3]] == ["hour", "events", "live"]
        first = reader.of("live")[0]
        assert [queue["mode"] for queue in first["queues"]] == ["Normal", "Ranked", "Squad"]
        assert "no_subscriber" in [each["name"] for each in reader.live["problems"]]
        async with outside(valkey.url) as wire:
            await wire.enqueue("p1", "Ranked", mmr=1500)
            await wire.enqueue("p2", "Ranked", mmr=1540)
            await wire.is_told("p1", "MatchFound")
            await wait_until(lambda: reader.live["queues"][1]["matches"] == 1, seconds=30)
            ranked = reader.live["queues"][1]
            assert ranked["waits"]["players"] == 2
            assert [each for each in ranked["differences"] if each[2]] == [[25.0, 50.0, 1]]
            assert [pod["pod_id"] for pod in reader.live["pods"]] == ["pod-a"]
            await wait_until(lambda: reader.live["problems"] == [], seconds=30)
            redis = reader.live["redis"]
            assert redis["state"] == "closed"
            assert redis["median"] > 0
            assert len(reader.of("events")) < len(reader.of("live"))


async def test_all_pages_share_one_snapshot_a_second(server: Server) -> None:
    async with reading(server, 20) as readers:
        for reader in readers:
            await reader.until("live", 4)
        seen = {snapshot["at"] for reader in readers for snapshot in reader.of("live")}
    assert len(seen) <= max(len(reader.of("live")) for reader in readers) + 2


async def test_an_open_page_does_not_hold_up_the_end(server: Server) -> None:
    async with reading(server, 3) as readers:
        for reader in readers:
            await reader.until("live")
        begun = asyncio.get_running_loop().time()
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0
        # Not the seconds that open connections are given; the machine may be busy.
        assert asyncio.get_running_loop().time() - begun < 10
    assert server.lines("shutdown_done")
    assert not server.lines("Traceback")


async def test_redis_away_and_back_is_told(server: Server, valkey: RealServer) -> None:
    async with reading(server) as (reader,):
        await reader.until("live")
        valkey.signal(signal.SIGSTOP)
        try:
            await wait_until(
                lambda: "breaker_open" in [each["name"] for each in reader.live["problems"]],
                seconds=30,
            )
            assert reader.live["redis"]["last_error"]
        finally:
            valkey.signal(signal.SIGCONT)
        await wait_until(lambda: reader.live["redis"]["state"] == "closed", seconds=30)
        kinds = {line["kind"] for line in reader.of("events")[-1]}
        assert {"breaker_open", "breaker_closed"} <= kinds


async def test_only_get_reads_the_stream(server: Server) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http:
        assert (await http.post("/api/v1/live")).status_code == 405


def _live(clock: Any = None) -> Live:
    context = build(Settings(), "redis://127.0.0.1:1/0")
    given = {} if clock is None else {"clock": clock}
    return Live(context, stop=asyncio.Event(), **given)


async def test_nothing_is_made_while_nobody_looks() -> None:
    at = [0.0]
    live = _live(lambda: at[0])
    assert live.made == 0
    for second in (5.0, 5.1, 5.9, 6.0, 6.5):
        at[0] = second
        live.frame()
    assert live.made == 2


async def test_who_reads_slowly_misses_frames_and_is_sent_no_old_ones() -> None:
    at = [0.0]
    live = _live(lambda: at[0])
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message["body"])
        at[0] += 7.0  # so long the page took to take it
        if len(sent) == 3:
            live.stop.set()

    await live.send_to(send, asyncio.get_running_loop().create_future())
    assert live.made == 3
    assert [body.count(b"event: live") for body in sent] == [1, 1, 1]


async def test_more_pages_than_the_bound_are_refused(
    monkeypatch: pytest.MonkeyPatch, valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        async with reading(server, live_module.MOST_PAGES) as readers:
            await asyncio.gather(*(reader.until("live") for reader in readers))
            refused = await server.get("/api/v1/live")
            assert refused.status_code == 503
            assert "close one" in refused.json()["error"]["message"]

        async def opens() -> bool:
            base = f"http://127.0.0.1:{server.port}"
            async with (
                httpx.AsyncClient(base_url=base) as http,
                http.stream("GET", "/api/v1/live") as answer,
            ):
                return answer.status_code == 200

        await wait_until(opens, seconds=30, what="the closed pages make room")


async def test_the_page_its_files_and_its_policy(server: Server) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http:
        page = await http.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        for path in FOLDER.iterdir():
            answer = await http.get(f"/page/{path.name}")
            assert answer.status_code == 200, path.name
            assert answer.content == path.read_bytes()
            assert answer.headers["x-content-type-options"] == "nosniff"
        for path_ in ("/page/none.js", "/page/../pages.py", "/page/%2e%2e/pages.py"):
            assert (await http.get(path_)).status_code == 404, path_


async def test_each_runbook_is_served_where_the_banner_links_to(server: Server) -> None:
    for path in (ROOT / RUNBOOKS).glob("*.md"):
        answer = await server.get(f"/{RUNBOOKS}/{path.name}")
        assert answer.status_code == 200
        assert "<h1>" in answer.text
        links = re.findall(r'href="([^"]+\.md)"', answer.text)
        assert all((ROOT / RUNBOOKS / link).exists() for link in links)
    assert (await server.get(f"/{RUNBOOKS}/none.md")).status_code == 404
    assert (await server.get(f"/{RUNBOOKS}/..%2f..%2foperations.md")).status_code == 404


def test_html_in_a_runbook_is_text() -> None:
    page = runbooks.rendered("# A <b>\n\n<script>x</script> [out](../x.md) [in](y.md)\n")
    assert "<script>" not in page
    assert "<title>A &lt;b&gt;" in page
    assert 'href="y.md"' in page
    assert "../x.md" not in page


def test_nothing_in_the_page_comes_from_elsewhere_or_parses_what_strangers_sent() -> None:
    for path in FOLDER.iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, path.name
        assert "https://" not in text, path.name
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert word not in text, path.name
        assert ("DOMParser" in text) == (path.name == "offline.js"), "only our own runbook"
    html = (FOLDER / "index.html").read_text("utf-8")
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]*src=)", html)


def test_the_package_takes_the_runbooks_along() -> None:
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]
    taken = hatch["build"]["targets"]["wheel"]["force-include"]
    assert taken == {RUNBOOKS: "matchkeeper/runbooks"}
    served, written = runbooks.folder(), ROOT / RUNBOOKS
    assert {each.name for each in served.iterdir()} == {each.name for each in written.iterdir()}
