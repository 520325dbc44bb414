"""Parties on the live page: how long they wait, and where one of them is."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.conftest import RealServer, wait_until
from tests.support.browser import EVIL, MARKS, browsing
from tests.support.harness import Outside, Server, outside, serving
from tests.support.page_checks import CONTRAST, GAPS

pytestmark = MARKS

DUOS = [{"game_mode": "Duos", "required_players": 4, "teams": 2, "handoff": "claim"}]


@pytest_asyncio.fixture(loop_scope="session")
async def server(valkey: RealServer, tmp_path: Path) -> AsyncIterator[Server]:
    settings: dict[str, object] = {
        "matchmaking__game_modes": DUOS,
        "matchmaking__redis_operation_timeout_seconds": 2,
    }
    with serving(valkey.url, tmp_path, **settings) as running:
        await running.ready()
        yield running


async def come(wire: Outside, party_id: str, *players: str) -> None:
    members = [{"player_id": each, "pod_id": "pod-a"} for each in players]
    body = {"party_id": party_id, "players": members, "game_mode": "Duos"}
    await wire.redis.publish("match:enqueue:request", json.dumps(body))
    await wire.is_told(players[-1], "EnQueued")


async def test_a_party_is_found_by_its_id_and_by_each_of_its_players(
    browser: Browser, server: Server, valkey: RealServer
) -> None:
    async with outside(valkey.url) as wire, browsing(browser, server.port) as seen:
        page, found = seen.page, seen.page.locator("#found-body")
        await come(wire, "crew 7", "ann", EVIL)
        await page.get_by_label("party id").fill("crew 7")
        await page.keyboard.press("Enter")
        await expect(page.locator("#found-title")).to_have_text("Party crew 7")
        await expect(found).to_contain_text("Waits in Duos since")
        await expect(found).to_contain_text(f"Is a party of 2 players: ann, {EVIL}. They wait")
        await expect(found).to_contain_text("Put into the queue of Duos, with party crew 7")
        await found.get_by_role("button", name=EVIL).click()
        await expect(page.locator("#found-title")).to_have_text(f"Player {EVIL}")
        await expect(found).to_contain_text("Is in party crew 7, with ann. They wait")
        assert await page.evaluate(CONTRAST) == []
        assert await page.evaluate(GAPS) == []
        await come(wire, "crew 8", "bob", "cid")
        await wait_until(lambda: bool(wire.offers), what="an offer")
        await found.get_by_role("button", name="Look again").click()
        await expect(found).to_contain_text("Is in match")
        await expect(found).to_contain_text("Is in party crew 7, with ann. They wait")
        await found.get_by_role("button", name="crew 7").click()
        await expect(found).to_contain_text(re.compile("What happened.*Put into match .* of Duos"))
        assert seen.errors == []


async def test_waits_are_shown_by_the_size_of_the_party(
    browser: Browser, server: Server, valkey: RealServer
) -> None:
    async with outside(valkey.url) as wire, browsing(browser, server.port) as seen:
        sizes = seen.page.locator("#queues table.sizes")
        for player in "abcd":
            await wire.enqueue(player, "Duos")
        await wait_until(lambda: bool(wire.offers), what="an offer")
        await expect(sizes).to_have_count(0)  # nobody came with friends
        await come(wire, "crew", "e", "f")
        for player in "gh":
            await wire.enqueue(player, "Duos")
        await expect(sizes.locator("caption")).to_have_text("Waits by party size")
        await expect(sizes.locator("tbody th")).to_have_text(["alone", "2 together"])
        await expect(sizes.locator("tbody tr").first.locator("td").first).to_have_text("2")
        await expect(sizes.locator("tbody tr").last.locator("td").first).to_have_text("1")
        assert await seen.page.evaluate(GAPS) == []
        assert seen.errors == []
