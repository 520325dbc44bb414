"""A game server that claims and starts nothing: others get the matches, and people are told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from matchkeeper.client import GameServer, Offer
from tests.conftest import RealServer, wait_until
from tests.support.harness import Server, serving
from tests.support.webhooks import Webhook, webhook

SETTINGS: dict[str, object] = {
    "matchmaking__game_modes": [
        {"game_mode": "Squad", "handoff": "claim", "claim_lease_seconds": 0.2}
    ]
}


async def offer_to(pod: GameServer, *, not_of: frozenset[str] = frozenset()) -> Offer:
    async with asyncio.timeout(20):
        async for offer in pod.battle_requests():
            if offer.request.match_id not in not_of:
                return offer
    raise AssertionError("battle requests never end")


async def starts_nothing(pod: GameServer, *, times: int) -> frozenset[str]:
    """Claims so many matches one after another; returns which."""
    seen: frozenset[str] = frozenset()
    for _ in range(times):
        offer = await offer_to(pod, not_of=seen)
        assert await offer.claim()
        seen |= {offer.request.match_id}
    return seen


async def warnings(server: Server) -> list[str]:
    answer = await server.get("/health/ready")
    assert answer.status_code == 200
    found: list[str] = answer.json()["warnings"]
    return found


def actions(hook: Webhook) -> list[str]:
    return [body["type"] for body in hook.bodies]


async def pod_view(server: Server, pod_id: str) -> Mapping[str, Any]:
    found: list[dict[str, Any]] = (await server.get("/api/v1/pods")).json()
    return next(pod for pod in found if pod["pod_id"] == pod_id)


async def test_it_is_refused_named_and_let_in_again_when_it_starts_one(
    any_server: RealServer, redis: Redis, tmp_path: Path
) -> None:
    async with webhook() as hook:
        with serving(
            any_server.url, tmp_path, alerts__urls=[hook.apprise_url], **SETTINGS
        ) as server:
            await server.ready()
            async with (
                GameServer(any_server.url, pod_id="hole") as hole,
                GameServer(any_server.url, pod_id="good") as good,
            ):
                for player in ("p1", "p2"):
                    await good.enqueue(player, "Squad")
                taken = await starts_nothing(hole, times=3)
                await server.logged('"kind": "claims_refused"')
                offer = await offer_to(good, not_of=taken)
                late = await offer_to(hole, not_of=taken)
                assert not await late.claim()
                assert await offer.claim()
                assert await offer.started()
                assert any("hole" in each for each in await warnings(server))
                assert (await pod_view(server, "hole"))["not_started_in_a_row"] == 3
                assert await server.metric("matchkeeper_pods_refused") == 1
                text = (await server.get("/metrics")).text
                assert 'matchkeeper_unstarted_matches_total{pod="hole"} 3.0' in text
                await wait_until(lambda: len(hook.bodies) == 1)
                assert "hole" in hook.bodies[0]["message"]

                await redis.hset("claimers:{squad}", "hole", "3 1.0 2.0")
                for player in ("p3", "p4"):
                    await good.enqueue(player, "Squad")
                again = await offer_to(hole, not_of=taken | {offer.request.match_id})
                assert await again.claim()
                assert await again.started()
                await server.logged('"kind": "claims_allowed"')
                await wait_until(lambda: len(hook.bodies) == 2)
                assert await warnings(server) == []
                assert actions(hook)[1] == "success"
