"""`python -m tests.support.screenshots`: pictures of the page of a real server with troubles.

The pictures stand in docs/images. The curves are as long as it runs: `--minutes 65` for the docs.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, FloatRect, Page, async_playwright

from matchkeeper.store.embedded import executable
from tests.conftest import RealServer
from tests.support.browser import CHROMIUM, launched
from tests.support.harness import serving
from tests.support.live_world import MODES, World

DESKTOP, PHONE = (1280, 900), (390, 844)
_TOP = FloatRect(x=0, y=0, width=DESKTOP[0], height=577)
"""What README.md shows: wide, and ends where the cards have told how long players wait."""
_PATIENCE_MS = 600_000
"""On a busy machine the page says so; the picture is of a quiet one."""
_OUTAGE_MS = 40_000
"""So that the curves of an hour show it."""
IMAGES = Path(__file__).parents[2] / "docs" / "images"
# As users have them, not as tests do: then the figures look like theirs.
_SETTINGS: dict[str, object] = {
    "logging__level": "INFO",
    "matchmaking__redis_operation_timeout_seconds": 5,
    "matchmaking__try_match_tick_interval_seconds": 1,
    "matchmaking__game_modes": MODES,
}


async def _open(
    browser: Browser, url: str, size: tuple[int, int], scheme: Literal["light", "dark"] = "light"
) -> Page:
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        reduced_motion="reduce",
        device_scale_factor=1.5 if size == DESKTOP else 2,
    )
    context.set_default_timeout(_PATIENCE_MS)
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
    world = World(valkey.url, rng=random.Random(7), day_seconds=60 * minutes)
    async with async_playwright() as playwright, launched(playwright) as browser, world.running():
        await asyncio.sleep(60 * minutes)
        schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
        for scheme in schemes:
            page = await _open(browser, url, DESKTOP, scheme)
            await page.locator("#calm").wait_for()
            await page.screenshot(path=folder / f"live-page-{scheme}.png", full_page=True)
            if scheme == "light":
                await page.screenshot(path=folder / "live-page-top.png", clip=_TOP)
        await _player(page, world, folder)
        await world.spoil("ranked", "frost-3310", '{"mmr": "gold", "pod_id": "eu-west-1"}')
        phone = await _open(browser, url, PHONE)
        await phone.locator("#letters tr").first.wait_for()
        await phone.screenshot(path=folder / "live-page-phone.png")
        await world.spoil("ranked", "ember-0042", '{"mmr": 1480, "region": "eu"}')
        await world.rest()
        page = await _open(browser, url, DESKTOP)
        await page.locator("[data-name=no_game_server]").wait_for()
        await page.locator("#letters tr").nth(1).wait_for()
        await page.wait_for_timeout(_OUTAGE_MS)
        await page.screenshot(path=folder / "live-page-outage.png", full_page=True)


async def _player(page: Page, world: World, folder: Path) -> None:
    """Somebody whose first match was declined."""
    while world.declined is None:
        await asyncio.sleep(1)
    await page.get_by_label("Player id").fill(world.declined)
    await page.keyboard.press("Enter")
    await page.locator("#found-body li").nth(4).wait_for()
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size({"width": 800, "height": 900})
    await page.locator("#found").screenshot(path=folder / "live-page-player.png")


def main() -> None:
    """From the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", nargs="?", type=Path, default=IMAGES)
    options.add_argument("--minutes", type=float, default=65.0)
    given = options.parse_args()
    if CHROMIUM is None:
        options.error("There is no Chromium on this machine: apt-get install chromium")
    asyncio.run(take(given.folder, minutes=given.minutes))


if __name__ == "__main__":
    main()
