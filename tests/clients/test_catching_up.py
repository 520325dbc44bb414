"""What a game server missed while it heard nothing, its client hands out, once."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from matchkeeper.client import GameServer, RefusedError
from matchkeeper.wire.answers import Answer
from tests.conftest import RealServer, wait_until
from tests.support.harness import PATIENT, serving
from tests.support.proxy import proxy_to

_SECONDS = 60


async def _heard(pod: GameServer, into: list[Answer]) -> None:
    async for news in pod.results():
        into += [news]


async def _end_subscription(url: str, name: str) -> None:
    async with Redis.from_url(url, decode_responses=True) as redis:
        for each in await redis.client_list(_type="pubsub"):
            if each["name"] == name:
                await redis.client_kill_filter(_id=each["id"])


async def _leave(url: str, player: str, mode: str) -> None:
    """Somebody else takes the player out, and the player's own pod is told."""
    async with Redis.from_url(url, decode_responses=True) as redis:
        request = json.dumps({"player_id": player, "game_mode": mode})
        await redis.publish("match:dequeue:request", request)

        async def is_out() -> bool:
            return await redis.zscore(f"queue:{{{mode.lower()}}}", player) is None

        await wait_until(is_out, seconds=_SECONDS, what=f"{player} out")


async def test_what_was_missed_is_handed_out_once(valkey: RealServer, tmp_path: Path) -> None:
    async with proxy_to(valkey.port) as link:
        with serving(valkey.url, tmp_path, **PATIENT) as server:
            await server.ready()
            async with (
                GameServer(link.url, pod_id="away", timeout=timedelta(seconds=2)) as pod,
                GameServer(valkey.url, pod_id="there", timeout=timedelta(seconds=5)) as there,
            ):
                news: list[Answer] = []
                hearing = asyncio.ensure_future(_heard(pod, news))
                await pod.enqueue("started", "Squad")
                await pod.enqueue("gone", "Ranked")
                await pod.enqueue("waits", "Normal")
                link.cut_before = b"SUBSCRIBE"  # it hears nothing any more
                await _end_subscription(valkey.url, "pod-away")
                await _leave(valkey.url, "gone", "Ranked")
                await there.enqueue("other", "Squad")
                async with asyncio.timeout(_SECONDS):
                    async for offer in there.battle_requests():
                        if await offer.start({"port": 7000}, {"started": "for it alone"}):
                            break
                assert news == []
                link.cut_before = None
                await wait_until(lambda: len(news) >= 2, seconds=_SECONDS, what="what was missed")
                await pod.enqueue("more", "Normal")  # and then `waits` has its match, too
                await wait_until(lambda: len(news) >= 4, seconds=_SECONDS, what="later news")
                hearing.cancel()
    told = {(each.player_id, each.kind) for each in news}
    assert told == {
        ("started", "MatchFound"), ("gone", "DeQueued"), ("waits", "MatchFound"),
        ("more", "MatchFound"),
    }  # fmt: skip
    assert len(news) == len(told), "each once"
    (found,) = [each.result_type for each in news if each.player_id == "started"]
    assert isinstance(found, dict)
    assert found["MatchFound"]["assignment"] == {"port": 7000}
    assert found["MatchFound"]["secret"] == "for it alone"


async def test_a_bad_id_is_refused_before_anything_is_sent(valkey: RealServer) -> None:
    async with GameServer(valkey.url, pod_id="pod") as pod:
        for call in (
            pod.enqueue("", "Squad"),
            pod.enqueue_party("p\n", {"a": None}, "Squad"),
            pod.enqueue_party("p", {"": None, "a": None}, "Squad"),
            pod.dequeue("x" * 129, "Squad"),
            pod.status("\x00"),
        ):
            with pytest.raises(RefusedError, match="invalid_player_id"):
                await call
        with pytest.raises(RefusedError, match="request_id is empty"):
            await pod.enqueue("a", "Squad", request_id="")
