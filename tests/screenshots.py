"""`python -m tests.screenshots`: a real server with players and troubles, and pictures of its page.

The pictures stand in docs/images. The curves are as long as it runs: `--minutes 12` for the docs.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, Page, async_playwright

from matchkeeper.store.embedded import executable
from tests.browser import CHROMIUM, launched
from tests.conftest import RealServer
from tests.harness import serving
from tests.live_world import World

DESKTOP, PHONE = (1280, 900), (390, 844)
IMAGES = Path(__file__).parent.parent / "docs" / "images"
# As users have them, not as tests do: then the figures look like theirs.
_SETTINGS: dict[str, object] = {
    "logging__level": "INFO",
    "matchmaking__redis_operation_timeout_seconds": 5,
    "matchmaking__try_match_tick_interval_seconds": 1,
}


async def _open(
    browser: Browser, url: str, size: tuple[int, int], scheme: Literal["light", "dark"] = "light"
) -> Page:
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        reduced_motion="reduce",
        device_scale_factor=1 if size == DESKTOP else 2,
    )
    page = await context.new_page()
    await page.goto(url)
    await page.locator("#link.good").wait_for()
    await page.wait_for_timeout(2500)
    return page


async def take(folder: Path, *, minutes: float) -> None:
    """All pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        valkey = RealServer(str(executable()), Path(name))
        valkey.start()
        try:
            with serving(valkey.url, Path(name), **_SETTINGS) as server:
                await server.ready()
                await _scenes(f"http://127.0.0.1:{server.port}/", valkey, folder, minutes)
        finally:
            valkey.kill()


async def _scenes(url: str, valkey: RealServer, folder: Path, minutes: float) -> None:
    world = World(valkey.url, rng=random.Random(7))
    async with async_playwright() as playwright, launched(playwright) as browser, world.players():
        async with world.pods():
            await asyncio.sleep(60 * minutes)
            schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
            for scheme in schemes:
                page = await _open(browser, url, DESKTOP, scheme)
                # On a busy machine the page says so; the picture is of a quiet one.
                await page.locator("#calm").wait_for(timeout=600_000)
                await page.screenshot(path=folder / f"live-page-{scheme}.png", full_page=True)
            await world.spoil()
            phone = await _open(browser, url, PHONE)
            await phone.locator("#letters tr").first.wait_for()
            await phone.screenshot(path=folder / "live-page-phone.png")
        page = await _open(browser, url, DESKTOP)
        await page.locator("[data-name=no_game_server]").wait_for()
        await page.locator("#letters tr").first.wait_for()
        await page.wait_for_timeout(12_000)
        await page.screenshot(path=folder / "live-page-outage.png", full_page=True)


def main() -> None:
    """From the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", nargs="?", type=Path, default=IMAGES)
    options.add_argument("--minutes", type=float, default=12.0)
    given = options.parse_args()
    if CHROMIUM is None:
        options.error("There is no Chromium on this machine: apt-get install chromium")
    asyncio.run(take(given.folder, minutes=given.minutes))


if __name__ == "__main__":
    main()
