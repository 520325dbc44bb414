"""What Redis may lose is told, and so is the end of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from redis.asyncio import Redis

from matchkeeper.operate.doctor import Verdict, examine_keeping
from matchkeeper.store.durability import Durability
from matchkeeper.store.facts import ServerFacts
from tests.conftest import RealServer
from tests.support.harness import serving


def test_an_old_rdb_is_told_with_what_is_not_in_it() -> None:
    facts = ServerFacts(
        kind="valkey", version=(8, 1, 4), cluster=False, role="master", replicas=0,
        appendonly=False, appendfsync="everysec", maxmemory_policy="noeviction", maxmemory_bytes=0,
        subscriber_buffer_bytes=None, rdb_age_seconds=7200, rdb_changes=41, failed_writes=(),
    )  # fmt: skip

    def persistence(facts: ServerFacts) -> str:
        findings = examine_keeping(facts, Durability())
        (bad,) = [each.found for each in findings if each.verdict is not Verdict.GOOD]
        return bad

    assert persistence(facts).endswith("last RDB or start: 41 changes in 120 minutes")
    assert persistence(replace(facts, rdb_age_seconds=5)).endswith("its last RDB or start")
    broken = replace(facts, appendonly=True, failed_writes=("append-only file",))
    assert persistence(broken) == "Redis could not write its append-only file"


async def test_serve_says_what_redis_may_lose_and_when_it_is_mended(
    valkey: RealServer, tmp_path: Path
) -> None:
    async with Redis.from_url(valkey.url) as redis:
        await redis.config_set("maxmemory", "1gb")
        await redis.config_set("maxmemory-policy", "allkeys-lru")
        await redis.config_set("appendonly", "no")
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        told = [json.loads(line) for line in server.lines('"kind": "redis_doubtful"')]
        assert [each["check"] for each in told] == ["memory", "persistence"]
        assert await server.metric("matchkeeper_redis_doubts") == 2
        warnings = (await server.get("/health/ready")).json()["warnings"]
        assert any("maxmemory-policy allkeys-lru" in each for each in warnings)
        assert any("appendonly no: a crash of Redis loses" in each for each in warnings)
