"""Pending matches that cannot be read: set aside, told, and nobody waits behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from matchkeeper.store.asked import Reply
from matchkeeper.store.matches import NewMatch
from matchkeeper.store.pending import UnreadableMatch
from tests.conftest import RealServer, wait_until
from tests.support.harness import outside, serving
from tests.support.stores import CHANNEL, CLAIMED, Stores, open_stores, says_its_form, token

PENDING, MATCHED, DEAD = "pending:{squad}", "matched:{squad}", "dead:{squad}"
QUICK: dict[str, object] = {
    "matchmaking__offer_timeout_seconds": 0.5,
    "matchmaking__max_offers": 1,
}


@pytest.fixture
async def stores(any_server: RealServer, redis: Redis) -> AsyncIterator[Stores]:
    async with open_stores(any_server.url) as opened, redis.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        await pubsub.get_message(timeout=1)
        yield opened


async def offered(stores: Stores) -> NewMatch:
    for player in ("p1", "p2"):
        await stores.enqueue(player, CLAIMED)
    match = await stores.new_match(CLAIMED)
    assert await stores.commit(CLAIMED, match) == ["committed"]
    return match


async def set_aside(stores: Stores, *match_ids: str) -> tuple[list[str], list[str]]:
    """Sets aside what cannot be read of these."""
    found = [await stores.matches.read(CLAIMED, each) for each in match_ids]
    unreadable = [each for each in found if isinstance(each, UnreadableMatch)]
    return await stores.matches.set_aside(CLAIMED.queue, unreadable, token=token(), kept=100)


async def damage(redis: Redis, match: NewMatch, how: str) -> None:
    key = f"match:{{squad}}:{match.match_id}"
    if how == "deleted":
        await redis.delete(key)
    elif how == "another type":
        await redis.set(key, "not ours", px=60_000)
    elif how == "no tickets":
        await redis.hdel(key, "tickets")
    elif how == "a strange state":
        await redis.hset(key, "state", "\udcff".encode("utf-8", "surrogateescape"))
    else:
        name, _, value = how.partition("=")
        await redis.hset(key, name, value)


DAMAGES = [
    "deleted", "another type", "no tickets", "a strange state", "tickets=nonsense", "epoch=x",
    "epoch=99999999999999999999999", "created=nan", "offers=",
]  # fmt: skip


@pytest.mark.parametrize("how", DAMAGES)
async def test_its_players_are_free_and_can_be_requeued(
    stores: Stores, redis: Redis, how: str
) -> None:
    match = await offered(stores)
    await damage(redis, match, how)
    assert (await stores.enqueue("p1", CLAIMED)).reply is Reply.MATCH_PENDING
    done, players = await set_aside(stores, match.match_id)
    assert (done, sorted(players)) == ([match.match_id], ["p1", "p2"])
    assert await redis.exists(PENDING, MATCHED) == 0
    letters = {
        each.player_id: each for each in await stores.dead_letters.list(CLAIMED.queue, count=9)
    }
    assert letters["p1"].reason.startswith(f"Match {match.match_id}: ")
    assert (await stores.enqueue("p1", CLAIMED)).reply is Reply.QUEUED
    back = await stores.dead_letters.requeue(
        CLAIMED.queue, letters["p2"].entry_id, metadata='{"pod_id":"a"}', token=token()
    )
    assert back == "p2"
    assert await redis.ttl(f"match:{{squad}}:{match.match_id}") != -1


async def test_a_match_that_can_be_read_or_has_changed_since_is_left_alone(
    stores: Stores, redis: Redis
) -> None:
    match = await offered(stores)
    assert await set_aside(stores, match.match_id) == ([], [])
    key = f"match:{{squad}}:{match.match_id}"
    await redis.hset(key, "created", "nan")
    found = await stores.matches.read(CLAIMED, match.match_id)
    assert isinstance(found, UnreadableMatch)
    await redis.hset(key, "epoch", 2)
    assert await stores.matches.set_aside(CLAIMED.queue, [found], token=token(), kept=9) == ([], [])
    assert await redis.zcard(PENDING) == 1


async def test_who_plays_already_is_no_dead_letter(stores: Stores, redis: Redis) -> None:
    match = await offered(stores)
    await redis.hset(f"match:{{squad}}:{match.match_id}", "state", "started")
    assert await set_aside(stores, match.match_id) == ([match.match_id], [])
    assert await redis.exists(PENDING, MATCHED, DEAD) == 0


async def test_the_same_call_again_answers_the_same(stores: Stores, redis: Redis) -> None:
    match = await offered(stores)
    await redis.delete(f"match:{{squad}}:{match.match_id}")
    found = await stores.matches.read(CLAIMED, match.match_id)
    assert isinstance(found, UnreadableMatch)
    same = token()
    for _ in range(2):
        done, players = await stores.matches.set_aside(CLAIMED.queue, [found], token=same, kept=9)
        assert (done, sorted(players)) == ([match.match_id], ["p1", "p2"])
    assert await redis.xlen(DEAD) == 2


async def test_ghosts_hide_no_match_behind_them(
    any_server: RealServer, redis: Redis, tmp_path: Path
) -> None:
    await says_its_form(redis)
    ghosts = {f"ghost-{number}": number for number in range(450)}
    await redis.zadd(PENDING, {**ghosts, b"\xff\xfe": 0})
    with serving(any_server.url, tmp_path, **QUICK) as server:
        await server.ready()
        async with outside(any_server.url) as seen:
            await seen.enqueue("p1", "Squad")
            await seen.enqueue("p2", "Squad")
            await server.logged('"cause": "unclaimed"')
            await server.logged('"kind": "matches_set_aside"')

            async def gone() -> bool:
                return await redis.zcount(PENDING, 0, 1000) == 0

            await wait_until(gone)


async def test_matches_that_redis_refuses_to_give_back_hide_no_match_behind_them(
    any_server: RealServer, redis: Redis, tmp_path: Path
) -> None:
    """Their record is whole, but Redis refuses each script that would end them."""
    await says_its_form(redis)
    tickets = msgspec.msgpack.encode([[1], ["x"], ["1.0"], ['{"pod_id":"a"}']])
    for number in range(250):
        whole: dict[Any, Any] = {"state": "claimed", "epoch": 1, "offers": 1, "created": 1}
        whole |= {"claimed_by": "a", "tickets": tickets}
        await redis.hset(f"match:{{squad}}:m{number:03}", mapping=whole)
        await redis.zadd(PENDING, {f"m{number:03}": 1 + number})
    await redis.zadd(PENDING, {"ghost": 900})
    await redis.set("queue:{squad}", "not ours")
    with serving(any_server.url, tmp_path) as server:
        await server.ready()
        await server.logged('"kind": "matches_set_aside"')
        assert await redis.zscore(PENDING, "ghost") is None
        assert await redis.zcard(PENDING) == 250
