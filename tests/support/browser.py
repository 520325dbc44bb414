"""A real browser for the tests of the live page: the Chromium of this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Playwright, Request, Response, expect

CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
        if (found := shutil.which(name))
    ),
    None,
)
WHY_NOT = "no Chromium on this machine: apt-get install chromium"
MARKS = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("browser"),  # they share one
    pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT),
    pytest.mark.timeout(300),  # a browser on a busy machine
]
"""Of every module whose tests look at the page."""
WAIT_MS = 30_000
EVIL = "<img src=x onerror=document.title='owned'>"
expect.set_options(timeout=WAIT_MS)


@asynccontextmanager
async def launched(playwright: Playwright) -> AsyncIterator[Browser]:
    """A browser, until the end."""
    # Root has no sandbox, and a container little shared memory.
    alone = ["--no-sandbox"] if os.geteuid() == 0 else []
    browser = await playwright.chromium.launch(
        executable_path=CHROMIUM, args=[*alone, "--disable-dev-shm-usage"]
    )
    try:
        yield browser
    finally:
        await browser.close()


@dataclass
class Seen:
    """An open page, and what went on in it unseen."""

    page: Page
    url: str
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """What the page asked for and is not there: a red line in the console each."""


@asynccontextmanager
async def browsing(browser: Browser, port: int, **options: Any) -> AsyncIterator[Seen]:
    """The page, open and live."""
    context = await browser.new_context(reduced_motion="reduce", **options)
    context.set_default_timeout(WAIT_MS)
    page = await context.new_page()
    seen = Seen(page, f"http://127.0.0.1:{port}/")

    def asked(request: Request) -> None:
        seen.requests.append(request.url)

    page.on("request", asked)

    def answered(response: Response) -> None:
        if response.status == 404:
            seen.missing.append(response.url)

    page.on("response", answered)
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    try:
        await page.goto(seen.url)
        await expect(page.locator("#link-text")).to_have_text("Live")
        yield seen
    finally:
        await context.close()
    assert seen.errors == []
    assert seen.missing == []
    assert [url for url in seen.requests if not url.startswith(seen.url)] == []
