"""Who is looked for on the live page, whatever the player is called."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Browser, Route, expect

from tests.conftest import RealServer, wait_until
from tests.server.test_api import ODD_IDS
from tests.support.browser import EVIL, MARKS, browsing
from tests.support.harness import Server, outside, serving

pytestmark = MARKS


@pytest_asyncio.fixture(loop_scope="session")
async def server(valkey: RealServer, tmp_path: Path) -> AsyncIterator[Server]:
    # Browser, server and Valkey share a machine: half a second is soon over.
    with serving(valkey.url, tmp_path, matchmaking__redis_operation_timeout_seconds=2) as running:
        await running.ready()
        yield running


async def test_where_is_this_player(browser: Browser, server: Server, valkey: RealServer) -> None:
    async with outside(valkey.url, pods=False) as wire, browsing(browser, server.port) as seen:
        page = seen.page
        await wire.enqueue("p1")
        await wire.is_told("p1", "EnQueued")
        found = page.locator("#found-body")
        await page.get_by_label("Player id").fill("p1")
        await page.get_by_role("button", name="Find", exact=True).click()
        await expect(found).to_contain_text("Waits in Normal since")
        assert await page.evaluate("document.activeElement.id") == "found-title"
        await page.get_by_label("Player id").fill("nobody")
        await page.keyboard.press("Enter")
        await expect(found).to_contain_text("Is in no queue")

        async def with_history(route: Route) -> None:
            event = {
                "at": 1_700_000_000.5, "event": "claimed", "game_mode": "Squad",
                "match_id": "m1", "pod_id": "pod-b", "detail": EVIL,
            }  # fmt: skip
            await route.fulfill(
                json={
                    "player_id": "p9",
                    "queues": {},
                    "pending_match": {"mode": "Squad", "match_id": "m1"},
                    "history": [event, {**event, "event": "new_kind"}],
                }
            )

        await page.route("**/api/v1/players?player_id=p9", with_history)
        await page.get_by_label("Player id").fill("p9")
        await page.keyboard.press("Enter")
        await expect(found).to_contain_text("Is in match m1 of Squad")
        await expect(found).to_contain_text(f"Match m1 was claimed by pod-b ({EVIL})")
        await expect(found).to_contain_text("New kind Squad")


async def test_a_player_with_an_odd_id_is_found(
    browser: Browser, server: Server, valkey: RealServer
) -> None:
    async with outside(valkey.url, pods=False) as wire, browsing(browser, server.port) as seen:
        found = seen.page.locator("#found-body")
        for player in ODD_IDS:
            await wire.enqueue(player, "Squad")
            await wire.is_told(player, "EnQueued")
            await seen.page.get_by_label("Player id").fill(player)
            await seen.page.keyboard.press("Enter")
            await expect(seen.page.locator("#found-title")).to_have_text(f"Player {player}")
            await expect(found).to_contain_text("Waits in Squad since")
            await expect(found.locator("li")).to_contain_text("Put into the queue of Squad")
            await wire.dequeue(player, "Squad")
            await wire.is_told(player, "DeQueued")


async def test_a_match_that_somebody_is_in_can_be_ended(
    browser: Browser, server: Server, valkey: RealServer
) -> None:
    async with outside(valkey.url) as wire, browsing(browser, server.port) as seen:
        page = seen.page
        for player in ("p1", "p2"):
            await wire.enqueue(player, "Squad")
        await wait_until(lambda: bool(wire.offers), what="an offer")
        await page.get_by_label("Player id").fill("p1")
        await page.keyboard.press("Enter")
        await page.locator("#found-body").get_by_role("button", name="End match").click()
        await page.get_by_label("Its players leave the queue").check()
        await page.get_by_role("button", name="End it").click()
        await page.get_by_label("API token").fill("test-token")
        await page.get_by_role("button", name="Go on").click()
        await expect(page.locator("#found-body .said")).to_contain_text("2 out of the queue")
        await wire.is_told("p1", "DeQueued")
        await wire.redis.zadd("pending:{squad}", {EVIL: 99_999_999_999})
        await wire.redis.set(f"match:{{squad}}:{EVIL}", "not ours")
        pending = page.locator("article", has_text="Squad").locator("dd").nth(4)
        await expect(pending).to_have_text("1")
        await page.locator("#matches-look").click()
        row = page.locator("#matches tr")
        await expect(row).to_contain_text("cannot be read: it is no hash")
        await expect(row).to_contain_text(EVIL)
