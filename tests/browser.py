"""A real browser for the tests of the live page: the Chromium of this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Playwright

CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
        if (found := shutil.which(name))
    ),
    None,
)
WHY_NOT = "no Chromium on this machine: apt-get install chromium"


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
