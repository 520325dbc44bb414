"""A battle request has a bound, so that no subscriber is cut off for its size."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

from redis.asyncio import Redis

from matchkeeper.config import Settings
from matchkeeper.domain.mode import GameMode
from matchkeeper.operate.doctor import Verdict, examine_offers
from matchkeeper.store.facts import gather_server
from tests.conftest import RealServer, wait_until
from tests.support.harness import outside, serving
from tests.support.stores import CHANNEL, duel, enqueue_request, heard, open_stores

LIMIT = 2_097_152 // 200
SETTINGS: dict[str, object] = {
    "matchmaking__game_modes": [{"game_mode": "Big", "required_players": 200}],
    "matchmaking__max_battle_request_bytes": 2_097_152,
}


async def test_more_than_a_players_share_is_refused_and_named(
    valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path, **SETTINGS) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            await wire.enqueue("large", "Big", fill="x" * LIMIT)
            await wire.is_told("large", "Error metadata_too_large")
            message = wire.answers[0][1]["result_type"]["Error"]["message"]
            assert f"{LIMIT} are allowed for each of the 200 players of Big" in message
            await wire.enqueue("fits", "Big", fill="x" * (LIMIT - 100))
            await wire.is_told("fits", "EnQueued")
            by_hand = json.dumps({"pod_id": "pod-a", "fill": "x" * LIMIT})
            await wire.redis.hset("metadata:{big}", "by-hand", by_hand)
            await wire.redis.zadd("queue:{big}", {"by-hand": 1})
            await wire.is_told("by-hand", "Error invalid_metadata")
            assert await wire.redis.zrange("queue:{big}", 0, -1) == ["fits"]


async def test_the_largest_battle_request_reaches_who_is_slow(any_server: RealServer) -> None:
    (mode,) = _modes(required_players=640)
    fill = json.dumps({"fill": "x" * (mode.max_metadata_bytes - 50)})
    async with (
        open_stores(any_server.url, queues=[mode.queue], timeout=20) as stores,
        Redis.from_url(any_server.url) as redis,
        redis.pubsub() as pod,
    ):
        await pod.subscribe(CHANNEL)
        await pod.get_message(timeout=2)
        requests = [enqueue_request(f"p{number}", mode, metadata=fill) for number in range(640)]
        await stores.tickets.enqueue(mode.queue, [heard(each) for each in requests])
        page = await stores.tickets.read(mode, start=0, count=640)
        assert len(page.tickets) == 640
        assert await stores.commit(mode, duel(*page.tickets, mode=mode)) == ["committed"]
        await asyncio.sleep(0.5)  # it does not read yet
        found: list[bytes] = []

        async def comes() -> bool:
            message = await pod.get_message(ignore_subscribe_messages=True, timeout=1)
            found.extend([] if message is None else [message["data"]])
            return bool(found)

        await wait_until(comes)
        assert 4_000_000 < len(found[0]) < 4_194_304 + 640 * 1100


async def test_the_doctor_looks_at_the_buffer_of_subscribers(any_server: RealServer) -> None:
    modes = _modes(required_players=640)
    async with (
        open_stores(any_server.url) as stores,
        Redis.from_url(any_server.url, decode_responses=True) as redis,
    ):
        facts = await gather_server(stores.connection)
        assert facts.subscriber_buffer_bytes == 32 << 20
        assert [each.verdict for each in examine_offers(facts, modes, 40)] == [Verdict.GOOD]
        (many,) = examine_offers(facts, _modes(required_players=2), 10_000)
        assert many.verdict is Verdict.WARNING
        await redis.config_set("client-output-buffer-limit", "pubsub 4mb 4mb 60")
        (finding,) = examine_offers(await gather_server(stores.connection), modes, 40)
        assert finding.verdict is Verdict.WARNING
        assert "client-output-buffer-limit pubsub 8387840 8387840 60" in finding.mend
        (untold,) = examine_offers(replace(facts, subscriber_buffer_bytes=None), modes, 40)
        assert untold.verdict is Verdict.WARNING
        (unbounded,) = examine_offers(replace(facts, subscriber_buffer_bytes=0), modes, 40)
        assert unbounded.verdict is Verdict.GOOD


def _modes(*, required_players: int) -> tuple[GameMode, ...]:
    mode = {"game_mode": "Huge", "required_players": required_players}
    return Settings(matchmaking={"game_modes": [mode]}).modes()  # type: ignore[arg-type]  # pydantic reads it
