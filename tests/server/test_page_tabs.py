"""A live page that nobody sees leaves the server and the browser's few connections alone."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from tests.conftest import RealServer
from tests.support.browser import MARKS, browsing
from tests.support.harness import Server, outside, serving

pytestmark = MARKS


@pytest_asyncio.fixture(loop_scope="session")
async def server(valkey: RealServer, tmp_path: Path) -> AsyncIterator[Server]:
    # Browser, server and Valkey share a machine: half a second is soon over.
    with serving(valkey.url, tmp_path, matchmaking__redis_operation_timeout_seconds=2) as running:
        await running.ready()
        yield running


REST_MS = 16_000


async def hide(page: Page, *, hidden: bool = True) -> None:
    """As when another tab is shown, which a browser without a screen does not do."""
    await page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


async def hide_and_rest(page: Page) -> None:
    """Returns once the page has closed its stream."""
    async with page.expect_event("requestfailed", lambda request: "/live" in request.url):
        await hide(page)


async def test_many_tabs_of_one_browser_show_the_page(browser: Browser, server: Server) -> None:
    context = await browser.new_context()
    try:
        for _ in range(8):
            page = await context.new_page()
            await page.goto(f"http://127.0.0.1:{server.port}/")
            await expect(page.locator("#link-text")).to_have_text("Live")
            await hide_and_rest(page)
    finally:
        await context.close()


async def test_a_hidden_page_still_tells_in_its_title_and_is_new_once_it_is_seen(
    browser: Browser, server: Server, valkey: RealServer
) -> None:
    async with browsing(browser, server.port) as seen:
        page = seen.page
        await page.clock.install()
        await page.reload()
        await expect(page.locator("#link-text")).to_have_text("Live")
        await hide_and_rest(page)
        streams = len([url for url in seen.requests if url.endswith("/live")])
        async with outside(valkey.url, pods=False) as wire:
            await wire.enqueue("p1")
            await wire.is_told("p1", "EnQueued")
        async with page.expect_event("requestfailed", lambda request: "/live" in request.url):
            await page.clock.fast_forward(REST_MS)
        await expect(page).to_have_title(re.compile("No game server listens"))
        await expect(page.locator("#link-text")).to_have_text("Live")
        assert len([url for url in seen.requests if url.endswith("/live")]) == streams + 1
        async with outside(valkey.url) as wire:
            await wire.enqueue("p2")
            await wire.is_told("p2", "MatchFound")
            await hide(page, hidden=False)
            await expect(page).to_have_title("Matchkeeper")


async def test_a_hidden_page_tells_that_the_server_is_gone(
    browser: Browser, server: Server
) -> None:
    async with browsing(browser, server.port) as seen:
        page = seen.page
        await page.clock.install()
        await page.reload()
        await expect(page.locator("#link-text")).to_have_text("Live")
        await hide_and_rest(page)
        server.kill()
        await page.clock.fast_forward(REST_MS)
        await expect(page).to_have_title(re.compile("This page has lost the server"))


async def snapshot(port: int) -> dict[str, Any]:
    """What the stream says now."""
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
        http.stream("GET", "/api/v1/live", timeout=10) as answer,
    ):
        named = False
        async for line in answer.aiter_lines():
            if named:
                return dict(json.loads(line.removeprefix("data: ")))
            named = line == "event: live"
    raise AssertionError("the stream ended without a snapshot")


COUNT_DRAWN = """
window.drawn = 0;
document.addEventListener("DOMContentLoaded", () => {
    const counting = new MutationObserver((all) => { drawn += all.length; });
    const all = { childList: true, characterData: true, subtree: true };
    counting.observe(document.getElementById("server"), all);
});
"""


async def test_of_many_snapshots_at_once_the_newest_is_drawn(
    browser: Browser, server: Server
) -> None:
    now = await snapshot(server.port)
    each = (json.dumps({**now, "up_seconds": second}) for second in range(1, 51))
    frames = "".join(f"event: live\ndata: {text}\n\n" for text in each)

    async def late(route: Route) -> None:
        await route.fulfill(content_type="text/event-stream", body=frames)

    async with browsing(browser, server.port) as seen:
        await seen.page.add_init_script(COUNT_DRAWN)
        await seen.page.route("**/api/v1/live", late)
        await seen.page.reload()
        await expect(seen.page.locator("#server")).to_contain_text("up 50 s")
        assert await seen.page.evaluate("drawn") < 10
