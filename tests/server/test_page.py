"""The live page in a real browser, on the real server."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect
from redis.asyncio import Redis

from tests.conftest import RealServer
from tests.support.browser import EVIL, MARKS, browsing
from tests.support.harness import Outside, Server, free_port, outside, serving
from tests.support.page_checks import CONTRAST, GAPS

pytestmark = MARKS


@pytest_asyncio.fixture(loop_scope="session")
async def server(valkey: RealServer, tmp_path: Path) -> AsyncIterator[Server]:
    # Browser, server and Valkey share a machine: half a second is soon over.
    with serving(valkey.url, tmp_path, matchmaking__redis_operation_timeout_seconds=2) as running:
        await running.ready()
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def redis(valkey: RealServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(valkey.url, decode_responses=True) as client:
        yield client


async def poison(redis: Redis, *players: str, metadata: str = '{"mmr":1}') -> None:
    """Tickets that the next round sets aside."""
    now = (await redis.time())[0]
    for player in players:
        await redis.hset("metadata:{normal}", player, metadata)
        await redis.zadd("queue:{normal}", {player: now})


AS_A_DEMO = """
const read = JSON.parse;
JSON.parse = (text) => {
  const value = read(text);
  if (value?.demo === false) value.demo = true;
  return value;
};
"""
"""The server that answers is none."""


def card(page: Page, mode: str) -> Any:
    return page.locator("#queues article").filter(has=page.locator("h3", has_text=mode))


async def test_players_wait_and_are_matched_before_ones_eyes(
    browser: Browser, server: Server, valkey: RealServer, redis: Redis
) -> None:
    async with browsing(browser, server.port) as seen:
        page = seen.page
        await expect(card(page, "Normal").locator(".empty")).to_contain_text("matchkeeper demo")
        await expect(card(page, "Normal")).to_contain_text("announced, not confirmed")
        await expect(card(page, "Normal")).to_contain_text("Announced a minute")
        await expect(page.locator("#pods-empty")).to_contain_text("No game server yet")
        await expect(page.locator("#letters-empty")).to_be_visible()
        await Outside(redis).enqueue("p1", "Ranked", mmr=1500)
        await expect(card(page, "Ranked").locator(".big")).to_have_text("1")
        await expect(page.locator("[data-name=no_subscriber]")).to_contain_text("Nobody loses")
        async with outside(valkey.url) as wire:
            await wire.enqueue("p2", "Ranked", mmr=1530)
            await wire.is_told("p2", "MatchFound")
            ranked = card(page, "Ranked")
            await expect(ranked.locator(".big")).to_have_text("0")
            picture = ranked.locator("svg.histogram")
            await expect(picture).to_have_attribute(
                "aria-label", "Rating difference of the last 1 match, in points: 25 to 50: 1"
            )
            await expect(ranked.locator("dd").first).to_contain_text("s")
            await expect(page.locator("#calm")).to_contain_text("All is well.")
            await expect(page.locator("#pods th")).to_have_text("pod-a")


async def test_what_is_wrong_is_on_top_and_goes_when_it_is_over(
    browser: Browser, server: Server, valkey: RealServer, redis: Redis
) -> None:
    async with browsing(browser, server.port) as seen:
        page = seen.page
        wire = Outside(redis)
        await wire.enqueue("p1")
        await wire.enqueue("p2")
        banner = page.locator("#banner")
        await expect(banner).to_contain_text("Game Server unavailable")
        await expect(banner).to_contain_text("Nobody can play")
        assert await banner.get_attribute("role") == "alert"
        attempts = re.compile(r"Game Server unavailable for \d+ attempts")
        await expect(page.locator("#events")).to_contain_text(attempts)
        valkey.signal(signal.SIGSTOP)
        try:
            await expect(banner).to_contain_text("Redis is out of reach")
            await expect(page.locator("#redis")).to_contain_text("Out of reach")
            await expect(page).to_have_title("(2) Redis is out of reach - Matchkeeper")
        finally:
            valkey.signal(signal.SIGCONT)
        await expect(page.locator("[data-name=breaker_open]")).to_have_count(0)
        await expect(page.locator("#events")).to_contain_text("Redis is back after")
        async with outside(valkey.url):
            await expect(page.locator("[data-name=no_game_server]")).to_have_count(0)
            await expect(page.locator("#events")).to_contain_text("Game Server is back after")


async def test_the_link_of_the_banner_leads_to_what_to_do(browser: Browser, server: Server) -> None:
    async with browsing(browser, server.port) as seen:
        await seen.page.get_by_role("link", name="What to do: no game server").click()
        await expect(seen.page.locator("h1")).to_have_text("No game server listens")
        await seen.page.get_by_role("link", name="Live page").click()
        await expect(seen.page.locator("#link-text")).to_have_text("Live")


async def test_the_page_outlives_its_server(
    browser: Browser, valkey: RealServer, tmp_path: Path
) -> None:
    port = free_port()
    with serving(valkey.url, tmp_path, server__port=port) as first:
        first.port = port
        await first.ready()
        async with browsing(browser, port) as seen:
            page = seen.page
            # The page does so by itself when it is live; here it is waited for.
            await page.evaluate("import('/page/offline.js').then((offline) => offline.keep())")
            first.kill()
            await expect(page.locator("#link-text")).to_have_text("Reconnecting")
            lost = page.locator("[data-name=disconnected]")
            await expect(lost).to_contain_text("This page has lost the server")
            await lost.get_by_role("link").click()
            await expect(page.locator("#runbook-body h1")).to_contain_text("does not reach")
            await page.keyboard.press("Escape")
            assert "old" in (await page.locator("#link").get_attribute("data-age") or "")
            with serving(valkey.url, tmp_path, server__port=port) as second:
                second.port = port
                await second.ready()
                await expect(page.locator("#link-text")).to_have_text("Live")
                await expect(lost).to_have_count(0)
                async with outside(valkey.url, pods=False) as wire:
                    await wire.enqueue("late", "Squad")
                    await expect(card(page, "Squad").locator(".big")).to_have_text("1")


async def test_a_frozen_server_is_told_from_a_quiet_one(browser: Browser, server: Server) -> None:
    async with browsing(browser, server.port) as seen:
        server.signal(signal.SIGSTOP)
        try:
            await expect(seen.page.locator("#link-text")).to_have_text("No news")
            await expect(seen.page.locator("[data-name=disconnected]")).to_be_visible()
        finally:
            server.signal(signal.SIGCONT)
        await expect(seen.page.locator("#link-text")).to_have_text("Live")


async def test_a_dead_letter_is_mended_with_the_token(
    browser: Browser, server: Server, redis: Redis
) -> None:
    await poison(redis, "p1")
    async with browsing(browser, server.port) as seen:
        page = seen.page
        row = page.locator("#letters tr")
        await expect(row).to_contain_text("pod_id not found")
        await expect(page.locator("[data-name='poisoned Normal']")).to_be_visible()
        await page.get_by_role("button", name="Requeue p1").click()
        field_ = page.get_by_label("Metadata, a JSON object")
        await field_.fill("[")
        await page.locator("#requeue-form button[type=submit]").click()
        await expect(page.locator("#requeue-wrong")).to_contain_text("This is no JSON")
        await field_.fill('{"pod_id": "pod-a"}')
        await page.locator("#requeue-form button[type=submit]").click()
        token = page.get_by_label("API token")
        await token.fill("wrong")
        await page.keyboard.press("Enter")
        await expect(page.locator("#token-wrong")).to_contain_text("not the token")
        await token.fill("test-token")
        await page.keyboard.press("Enter")
        await expect(page.locator("#letters-said")).to_have_text("Done: p1 is back in Normal.")
        await expect(row).to_have_count(0)
        await expect(card(page, "Normal").locator(".big")).to_have_text("1")
        await expect(page.locator("[data-name='poisoned Normal']")).to_have_count(0)
        assert await page.evaluate("sessionStorage.length + localStorage.length") == 1
        await poison(redis, "p2")
        await page.get_by_role("button", name="Drop p2").click()
        await page.locator("#drop-form button[type=submit]").click()
        await expect(page.locator("#letters-said")).to_contain_text("is deleted")
        assert await redis.xlen("dead:{normal}") == 0


async def test_a_mode_is_paused_and_resumed_from_its_card(
    browser: Browser, server: Server, redis: Redis
) -> None:
    async with browsing(browser, server.port) as seen:
        page = seen.page
        normal = card(page, "Normal")
        await page.get_by_role("button", name="Pause Normal").click()
        await expect(page.locator("#hold-why")).to_contain_text("Nobody in it is matched")
        await page.locator("#hold-form button[type=submit]").click()
        await page.get_by_label("API token").fill("test-token")
        await page.keyboard.press("Enter")
        await expect(normal).to_contain_text("paused by an operator")
        await expect(page.locator("[data-name='paused Normal']")).to_be_visible()
        assert await redis.hgetall("modes") == {"normal": "paused"}
        await page.get_by_role("button", name="Resume Normal").click()
        await page.locator("#hold-form button[type=submit]").click()
        await expect(page.locator("[data-name='paused Normal']")).to_have_count(0)
        await expect(page.get_by_role("button", name="Pause Normal")).to_be_visible()
        assert await redis.hgetall("modes") == {}


async def test_changes_that_are_off_are_told_to_be_off(
    browser: Browser, valkey: RealServer, redis: Redis, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path, server__api_token=None) as server:
        await server.ready()
        await poison(redis, "p1")
        async with browsing(browser, server.port) as seen:
            await seen.page.get_by_role("button", name="Drop p1").click()
            await seen.page.locator("#drop-form button[type=submit]").click()
            await seen.page.get_by_label("API token").fill("any")
            await seen.page.keyboard.press("Enter")
            await expect(seen.page.locator("#letters-said")).to_contain_text("server.api_token")


async def test_what_strangers_send_is_text(
    browser: Browser, server: Server, valkey: RealServer, redis: Redis
) -> None:
    await poison(redis, EVIL, metadata=f'{{"x":"{EVIL}"}}')
    await redis.zadd("pods", {EVIL: (await redis.time())[0]})
    async with outside(valkey.url) as wire, browsing(browser, server.port) as seen:
        page = seen.page
        await wire.enqueue("p1", pod=EVIL)
        await wire.enqueue("p2", pod=EVIL)
        await wire.is_told("p1", "MatchFound")
        await expect(page.locator("#letters tr")).to_contain_text(EVIL)
        await expect(page.locator("#pods th")).to_have_text(EVIL)
        await expect(page.locator("#events")).to_contain_text(EVIL)
        await page.get_by_label("Player id").fill(EVIL)
        await page.keyboard.press("Enter")
        await expect(page.locator("#found-title")).to_have_text(f"Player {EVIL}")
        assert await page.locator("img").count() == 1, "ours"
        assert "owned" not in await page.title()


async def test_everything_can_be_done_with_the_keyboard_alone(
    browser: Browser, server: Server, redis: Redis
) -> None:
    await poison(redis, "p1")
    async with browsing(browser, server.port) as seen:
        page = seen.page
        await expect(page.locator("#letters tr")).to_have_count(1)
        reached: list[str] = []
        for _ in range(40):
            await page.keyboard.press("Tab")
            name = await page.evaluate(
                "(e => e.getAttribute('aria-label') || e.id || e.textContent)"
                "(document.activeElement)"
            )
            ring = await page.evaluate(
                "getComputedStyle(document.activeElement).outlineStyle !== 'none'"
            )
            assert ring, f"{name} does not show its focus"
            if name in reached:
                break
            reached.append(name)
            if name == "Drop p1":
                break
        assert reached[:3] == ["Skip to the figures", "player", "Find"]
        assert {"Find p1", "Requeue p1", "Drop p1"} <= set(reached)
        await page.keyboard.press("Enter")
        await expect(page.locator("#drop-dialog")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator("#drop-dialog")).to_be_hidden()
        focus = "document.activeElement.getAttribute('aria-label')"
        assert await page.evaluate(focus) == "Drop p1"


async def test_it_fits_a_phone_and_can_be_read_by_day_and_by_night(
    browser: Browser, server: Server, valkey: RealServer, redis: Redis
) -> None:
    await poison(redis, "p" * 128, "short", metadata='{"pod":"' + "x" * 900)
    async with outside(valkey.url) as wire:
        await wire.enqueue("p1", pod="pod-" + "y" * 100)
        await wire.enqueue("p2", pod="pod-a")
        await wire.is_told("p1", "MatchFound")
        size = {"width": 360, "height": 800}
        for scheme in ("light", "dark"):
            async with browsing(browser, server.port, viewport=size, color_scheme=scheme) as seen:
                page = seen.page
                await expect(page.locator("#letters tr")).to_have_count(2)
                await expect(page.locator("#pods tr")).to_have_count(2)
                wide = "document.documentElement.scrollWidth"
                assert await page.evaluate(wide) <= 360
                assert await page.evaluate(CONTRAST) == [], scheme


async def test_a_screen_reader_finds_its_way(
    browser: Browser, server: Server, valkey: RealServer, redis: Redis
) -> None:
    await poison(redis, "p1")
    async with outside(valkey.url) as wire, browsing(browser, server.port) as seen:
        await wire.enqueue("p2", "Ranked")
        await wire.enqueue("p3", "Ranked")
        await wire.is_told("p2", "MatchFound")
        page = seen.page
        await expect(page.locator("#letters tr")).to_have_count(1)
        await expect(page.locator("#pods tr")).to_have_count(1)
        await expect(page.locator("svg.histogram")).to_have_count(1)
        await page.get_by_role("button", name="Find p1").click()
        await expect(page.locator("#found-body")).to_contain_text("Is in no queue")
        assert await page.evaluate(GAPS) == []
        assert await page.locator("#events").get_attribute("aria-live") == "polite"


DEMO: dict[str, Any] = {
    "controls": [
        {"name": "freeze-redis", "label": "Freeze Redis", "what": "It stops", "kind": "toggle",
         "on": False},
        {"name": "kill-server", "label": "Kill a game server", "what": "It dies",
         "kind": "button", "on": False},
    ],
    "figures": {"players": 7, "matched": 6, "lost": 0, "doubled": 0, "known": True},
}  # fmt: skip


async def test_things_can_be_broken_in_a_demo_and_only_there(
    browser: Browser, server: Server
) -> None:
    async with browsing(browser, server.port) as seen:
        page = seen.page
        assert (await server.get("/demo")).status_code == 404
        await expect(page.locator("#demo")).to_be_hidden()
        state = json.loads(json.dumps(DEMO))

        async def answer(route: Route) -> None:
            if route.request.method == "POST":
                assert route.request.url.endswith("/demo/freeze-redis")
                state["controls"][0]["on"] = not state["controls"][0]["on"]
            state["figures"]["players"] += 1
            with suppress(Exception):
                await route.fulfill(json=state)

        await page.route("**/demo", answer)
        await page.route("**/demo/*", answer)
        await page.add_init_script(AS_A_DEMO)
        await page.reload()
        await expect(page.locator("#demo")).to_be_visible()
        await expect(page.locator("#demo-lost")).to_have_text("0")
        toggle = page.get_by_role("button", name="Freeze Redis")
        await expect(toggle).to_have_attribute("aria-pressed", "false")
        await toggle.click()
        await expect(toggle).to_have_attribute("aria-pressed", "true")
        state["figures"]["known"] = False
        await expect(page.locator("#demo-lost")).to_have_text("unknown")
        await expect(page.get_by_role("button", name="Kill a game server")).to_be_visible()
        before = int(await page.locator("#demo-players").inner_text())
        await expect(page.locator("#demo-players")).not_to_have_text(str(before))
        assert await page.evaluate(GAPS) == []
        await page.unroute_all(behavior="ignoreErrors")
