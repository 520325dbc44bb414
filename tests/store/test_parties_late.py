"""Requests of parties, and of their players alone, that come late or twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis.asyncio import Redis

from matchkeeper.store import keys
from matchkeeper.store.asked import Reply
from matchkeeper.store.stream import Entry
from matchkeeper.wire.requests import RequestKind
from tests.conftest import RealServer
from tests.support.parties import index_of, pending_duos
from tests.support.stores import (
    DUOS,
    NORMAL,
    Stores,
    dequeue_request,
    enqueue_request,
    heard,
    open_stores,
    party_request,
)


async def _entries(stores: Stores, count: int) -> list[Entry]:
    """Requests in the order of the stream that were read and not done yet."""
    await stores.stream.prepare()
    for _ in range(count):
        await stores.write(RequestKind.ENQUEUE.value)
    return await stores.stream.read(count=count, block=timedelta(milliseconds=100))


async def test_a_late_party_does_nothing_after_one_of_it_has_asked_for_something_else(
    stores: Stores, redis: Redis
) -> None:
    late, newer = await _entries(stores, 2)
    alone = heard(enqueue_request("b", NORMAL, request_id="r"), entry=newer)
    await stores.tickets.enqueue(NORMAL.queue, [alone])
    await redis.zrem("queue:{normal}", "b")  # matched, and plays
    done = await stores.enqueue_party("P", "a", "b", "c", entry=late)
    assert (done.reply, done.detail) == (Reply.OVERTAKEN_BY, "b")
    assert await redis.zcard("queue:{duos}") == 0
    assert await redis.xlen("match:requests") == 0


async def test_a_late_party_does_nothing_after_one_of_it_has_left(
    stores: Stores, redis: Redis
) -> None:
    late, newer = await _entries(stores, 2)
    left = heard(dequeue_request("b", DUOS, request_id="r"), entry=newer)
    (outcome,) = await stores.tickets.dequeue(DUOS.queue, [left])
    assert outcome.reply is Reply.NOT_IN_QUEUE
    done = await stores.enqueue_party("P", "a", "b", entry=late)
    assert (done.reply, done.detail) == (Reply.OVERTAKEN_BY, "b")
    assert await index_of(redis) == {}


@pytest.mark.parametrize("kind", list(RequestKind))
async def test_what_a_player_asked_alone_before_the_party_undoes_nothing(
    stores: Stores, redis: Redis, kind: RequestKind
) -> None:
    late, newer = await _entries(stores, 2)
    assert (await stores.enqueue_party("P", "a", "b", entry=newer)).reply is Reply.QUEUED
    if kind is RequestKind.ENQUEUE:
        await redis.zrem("queue:{duos}", "P")  # matched, and plays
        request = heard(enqueue_request("a", DUOS, request_id="r"), entry=late)
        _, (outcome,) = await stores.tickets.enqueue(DUOS.queue, [request])
    else:
        request = heard(dequeue_request("a", DUOS, request_id="r"), entry=late)
        (outcome,) = await stores.tickets.dequeue(DUOS.queue, [request])
        assert await redis.zrange("queue:{duos}", 0, -1) == ["P"]
    assert outcome.reply is Reply.OVERTAKEN


async def test_a_copy_of_a_party_whose_player_has_left_does_nothing(
    stores: Stores, redis: Redis
) -> None:
    same = party_request("P", "a", "b", request_id="once")
    for expected in (Reply.QUEUED, Reply.AGAIN):
        _, (outcome,) = await stores.tickets.enqueue(DUOS.queue, [heard(same)])
        assert outcome.reply is expected
    await stores.dequeue("b", DUOS)
    _, (outcome,) = await stores.tickets.enqueue(DUOS.queue, [heard(same)])
    assert outcome.reply is Reply.OVER, "what is true now is told"
    assert await redis.zcard("queue:{duos}") == 0
    assert await redis.ttl(keys.latest("b").decode()) > 0


@pytest.mark.usefixtures("listener")
async def test_where_players_may_wait_in_several_queues_a_party_may_not(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url, several_queues=True) as stores:
        await stores.enqueue("b", NORMAL)
        assert (await stores.enqueue_party("P", "a", "b")).detail == "b\nnormal"
        await stores.dequeue("b", NORMAL)
        late, newer = await _entries(stores, 2)
        assert (await stores.enqueue_party("P", "a", "b", entry=newer)).reply is Reply.QUEUED
        assert (await stores.enqueue("b", NORMAL)).reply is Reply.IN_PARTY
        await stores.enqueue_party("Q", "c", "d")
        await pending_duos(stores)
        assert sorted(await redis.keys("latest:{}:*")) == [f"latest:{{}}:{one}" for one in "abcd"]
        await redis.delete("matched:{duos}", "parties")
        alone = heard(enqueue_request("d", NORMAL, request_id="r"), entry=late)
        _, (outcome,) = await stores.tickets.enqueue(NORMAL.queue, [alone])
        assert outcome.reply is Reply.OVERTAKEN, "the match came after it"
