"""Redis answers and does not do its work: a right, a password, a replica. Real servers only."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from matchkeeper.errors import (
    StoreError,
    StoreForbiddenError,
    StoreNotReadyError,
    StoreReadOnlyError,
    StoreRefusedError,
)
from tests.conftest import RealServer, wait_until
from tests.support.harness import PATIENT, Outside, Server, outside, serving
from tests.support.proxy import proxy_to
from tests.support.stores import (
    NORMAL,
    open_stores,
)
from tests.support.webhooks import Webhook, webhook

STREAM = "match:requests"
LONG: dict[str, object] = {
    "redis__breaker_cooldown_seconds": 60,
    "redis__breaker_cooldown_max_seconds": 60,
}
"""As in production: nothing here may wait for it."""


async def let_in(admin: Redis, *rules: str) -> None:
    await admin.execute_command("ACL", "SETUSER", "mk", *rules)


def as_user(url: str) -> str:
    return url.replace("redis://", "redis://mk:pw@")


async def five_requests(wire: Outside) -> list[str]:
    """Into the stream; returns the players."""
    names = [f"p{number}" for number in range(5)]
    for name in names:
        body = {"player_id": name, "game_mode": "Normal", "pod_id": "pod-a"}
        await wire.redis.xadd(STREAM, {"kind": "enqueue", "body": json.dumps(body)})
    return names


@asynccontextmanager
async def guarded(
    server: RealServer, folder: Path
) -> AsyncIterator[tuple[Server, Outside, Redis, Webhook]]:
    """A match server that is a user with all rights, for now."""
    async with webhook() as hook, Redis.from_url(server.url, decode_responses=True) as admin:
        await let_in(admin, "reset", "on", ">pw", "~*", "&*", "+@all")
        alerts = {"alerts__urls": [hook.apprise_url]}
        with serving(as_user(server.url), folder, **LONG, **alerts) as matchkeeper:
            await matchkeeper.ready()
            async with outside(server.url) as wire:
                yield matchkeeper, wire, admin, hook


async def all_goes_on(server: Server, wire: Outside, hook: Webhook, names: list[str]) -> None:
    """Alone, once it was mended: well below the pause of the breaker."""
    await server.ready(seconds=15)
    for name in names[:4]:
        await wire.is_told(name, "MatchFound", seconds=15)
        assert wire.told(name) == ["EnQueued", "MatchFound"]
    assert wire.told(names[4]) == ["EnQueued"]
    await wait_until(lambda: [each["type"] for each in hook.bodies] == ["failure", "success"])


@pytest.mark.parametrize(
    ("taken", "given", "named"),
    [
        (["-evalsha"], ["+evalsha"], "command EVALSHA"),
        (
            ["resetkeys", "~[^m]*", "~match*"],
            ["~*"],
            "key metadata:{normal}",
        ),
    ],
    ids=["evalsha", "metadata"],
)
async def test_a_right_that_is_taken_away_loses_no_request(
    taken: list[str], given: list[str], named: str, any_server: RealServer, tmp_path: Path
) -> None:
    async with guarded(any_server, tmp_path) as (server, wire, admin, hook):
        await let_in(admin, *taken)
        names = await five_requests(wire)
        await server.logged('"redis_unusable"')
        await wait_until(lambda: bool(hook.bodies))
        (reason, *_) = (await server.get("/health/ready")).json()["reasons"]
        assert named in reason
        assert await admin.xlen(STREAM) == 5
        assert wire.answers == []
        before = await server.metric("matchkeeper_redis_operations_total")
        await wait_until(lambda: _grows(server, before + 100))
        assert len(server.lines('"redis_forbidden"')) <= 4, "told, and not at every attempt"
        assert len(server.lines('"loop_interrupted"')) <= 24, "each loop once in ten seconds"
        await let_in(admin, *given)
        await all_goes_on(server, wire, hook, names)


async def _grows(server: Server, to: float) -> bool:
    return await server.metric("matchkeeper_redis_operations_total") > to


async def test_a_password_that_was_changed_is_told(any_server: RealServer, tmp_path: Path) -> None:
    async with guarded(any_server, tmp_path) as (server, wire, admin, hook):
        await let_in(admin, "resetpass", ">other")
        await admin.execute_command("CLIENT", "KILL", "USER", "mk")
        names = await five_requests(wire)
        await server.logged('"redis_unusable"')
        await wait_until(lambda: bool(hook.bodies))
        (reason, *_) = (await server.get("/health/ready")).json()["reasons"]
        assert "invalid username-password pair" in reason
        await let_in(admin, "resetpass", ">pw")
        await all_goes_on(server, wire, hook, names)


async def test_what_a_script_may_not_do_is_no_defect_of_the_request(any_server: RealServer) -> None:
    async with Redis.from_url(any_server.url, decode_responses=True) as admin:
        await let_in(admin, "reset", "on", ">pw", "~*", "&*", "+@all")

        async def refused(*rules: str, call: str) -> StoreError:
            await let_in(admin, *rules)
            async with open_stores(as_user(any_server.url), attempts=1) as stores:
                with pytest.raises(StoreError) as caught:
                    await stores.connection.once(
                        "script", lambda redis: redis.eval(f"return redis.call({call})", 0)
                    )
            await let_in(admin, "~*", "&*", "+@all")
            assert stores.seen.changes == []
            return caught.value

        for rules, call in (
            (["-hset"], "'HSET', 'a', 'b', 'c'"),
            (["resetkeys", "~b"], "'HSET', 'a', 'b', 'c'"),
            (["resetchannels"], "'PUBLISH', 'a', 'b'"),
        ):
            assert isinstance(await refused(*rules, call=call), StoreForbiddenError)
        await admin.set("a", "a text")
        assert isinstance(await refused(call="'HSET', 'a', 'b', 'c'"), StoreRefusedError)


async def test_a_replica_without_its_primary_is_not_ready(any_server: RealServer) -> None:
    async with (
        Redis.from_url(any_server.url) as admin,
        open_stores(any_server.url, attempts=1, failures=100) as stores,
    ):
        await admin.execute_command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(StoreReadOnlyError, match="this is a replica now"):
            await stores.enqueue("p1")
        await admin.config_set("replica-serve-stale-data", "no")
        with pytest.raises(StoreNotReadyError):
            await stores.tickets.length_and_oldest(NORMAL.queue)


async def test_a_server_that_became_a_replica_is_told_and_the_next_primary_found(
    any_server: RealServer, server_program: str, tmp_path: Path
) -> None:
    """The address leads elsewhere; the old server lives on and holds its connections."""
    (tmp_path / "next").mkdir()
    primary = RealServer(server_program, tmp_path / "next")
    primary.start()
    try:
        async with proxy_to(any_server.port) as proxy, Redis.from_url(any_server.url) as old:
            with serving(proxy.url, tmp_path, **LONG, **PATIENT) as server:
                await server.ready()
                await old.execute_command("REPLICAOF", "127.0.0.1", "1")
                await server.logged('"redis_unusable"')
                (reason, *_) = (await server.get("/health/ready")).json()["reasons"]
                assert "this is a replica now" in reason
                proxy.leads_to = primary.port
                await server.logged('"redis_usable"', seconds=15)
                async with outside(primary.url) as wire:
                    await wait_until(lambda: _is_heard(wire), what="a subscription to the next")
                    await server.ready(seconds=15)
                    await wire.enqueue("p1")
                    await wire.enqueue("p2")
                    await wire.is_told("p2", "MatchFound")
    finally:
        primary.kill()


async def _is_heard(wire: Outside) -> bool:
    ((_, count),) = await wire.redis.pubsub_numsub("match:enqueue:request")
    return bool(count)


async def test_a_short_outage_ends_with_its_cause_and_not_with_the_pause(
    any_server: RealServer, tmp_path: Path
) -> None:
    with serving(any_server.url, tmp_path, **LONG) as server:
        await server.ready()
        any_server.kill()
        await server.logged("Circuit breaker OPEN! 5 consecutive failures. Blocking operations for")
        any_server.start()
        await server.logged("Circuit breaker CLOSED (recovered after", seconds=15)
        await server.ready(seconds=15)
        assert not server.lines('"breaker_probe"'), "the pause was not over"


async def test_what_an_operator_holds_open_is_not_looked_past(
    valkey: RealServer, tmp_path: Path
) -> None:
    fast = {"redis__breaker_early_probe_seconds": 0.05}
    with serving(valkey.url, tmp_path, **LONG, **fast) as server:
        await server.ready()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http:
            token = {"Authorization": "Bearer test-token"}
            await http.post("/api/v1/breaker/force-open", headers=token)
        valkey.kill()
        valkey.start()
        async with Redis.from_url(valkey.url) as redis:
            before = await redis.info("stats")
            await wait_until(lambda: len(server.lines('"circuit_open_skip"')) > 5)
            after = await redis.info("stats")
        assert before["total_connections_received"] == after["total_connections_received"]
        assert (await server.get("/api/v1/breaker")).json()["state"] == "forced_open"
