"""A request that comes late, because the server that had read it died, undoes nothing newer."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from matchkeeper.client import GameServer
from matchkeeper.store import keys
from matchkeeper.store.asked import Reply
from matchkeeper.store.stream import Entry
from matchkeeper.store.tickets import Outcome
from matchkeeper.wire.requests import RequestKind
from tests.conftest import RealServer, wait_until
from tests.support.stores import (
    CHANNEL,
    CLAIMED,
    NORMAL,
    Stores,
    dequeue_request,
    enqueue_request,
    heard,
    open_stores,
    token,
)


async def _read(stores: Stores, *kinds: RequestKind) -> list[Entry]:
    """Requests of p1 written to the stream and read, but not handled yet."""
    await stores.stream.prepare()
    for kind in kinds:
        await stores.write(kind.value)
    return await stores.stream.read(count=10, block=timedelta(milliseconds=100))


async def _now_ms(redis: Redis) -> int:
    seconds, microseconds = await redis.time()
    return 1000 * int(seconds) + int(microseconds) // 1000


async def _handle(stores: Stores, entry: Entry) -> Outcome:
    if entry.kind == RequestKind.ENQUEUE:
        request = enqueue_request("p1", request_id=token())
        _, outcomes = await stores.tickets.enqueue(NORMAL.queue, [heard(request, entry=entry)])
    else:
        request = dequeue_request("p1", request_id=token())
        outcomes = await stores.tickets.dequeue(NORMAL.queue, [heard(request, entry=entry)])
    return outcomes[0]


@pytest.mark.parametrize("second", [RequestKind.ENQUEUE, RequestKind.DEQUEUE])
async def test_a_late_enqueue_does_nothing_after_a_newer_request(
    any_server: RealServer, redis: Redis, second: RequestKind
) -> None:
    async with open_stores(any_server.url) as stores:
        late, newer = await _read(stores, RequestKind.ENQUEUE, second)
        await _handle(stores, newer)
        await redis.zrem("queue:{normal}", "p1")  # delivered meanwhile
        assert (await _handle(stores, late)).reply is Reply.OVERTAKEN
        assert await redis.zcard("queue:{normal}") == 0
        assert await redis.xlen("match:requests") == 0


async def test_a_late_dequeue_does_nothing_after_a_newer_enqueue(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores:
        late, newer = await _read(stores, RequestKind.DEQUEUE, RequestKind.ENQUEUE)
        assert (await _handle(stores, newer)).reply is Reply.QUEUED
        assert (await _handle(stores, late)).reply is Reply.OVERTAKEN
        assert await redis.zrange("queue:{normal}", 0, -1) == ["p1"]


async def test_what_came_by_publish_meanwhile_holds_as_well(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores:
        (late,) = await _read(stores, RequestKind.ENQUEUE)
        read_ms, _, _ = late.entry_id.partition("-")
        while await _now_ms(redis) <= int(read_ms):
            pass  # in the same millisecond nobody can tell which is newer
        assert (await stores.dequeue("p1", NORMAL)).reply is Reply.NOT_IN_QUEUE
        assert (await _handle(stores, late)).reply is Reply.OVERTAKEN
        assert await redis.exists("queue:{normal}") == 0


async def test_requests_in_their_order_all_count(any_server: RealServer) -> None:
    async with open_stores(any_server.url) as stores:
        entries = await _read(stores, *[RequestKind.ENQUEUE, RequestKind.DEQUEUE] * 2)
        replies = [(await _handle(stores, entry)).reply for entry in entries]
    assert replies == [Reply.QUEUED, Reply.DEQUEUED] * 2


@pytest.mark.parametrize("by_stream", [True, False])
async def test_after_a_newer_request_a_repetition_is_answered_with_what_is_true_now(
    any_server: RealServer, by_stream: bool
) -> None:
    async with open_stores(any_server.url) as stores:
        asked = enqueue_request("p1", request_id="first")
        _, (first,) = await stores.tickets.enqueue(NORMAL.queue, [heard(asked)])
        _, (again,) = await stores.tickets.enqueue(NORMAL.queue, [heard(asked)])
        assert (first.reply, again.reply) == (Reply.QUEUED, Reply.AGAIN)
        left = dequeue_request("p1", request_id="second")
        assert [
            each.reply for each in await stores.tickets.dequeue(NORMAL.queue, [heard(left)])
        ] == [Reply.DEQUEUED]
        entries = await _read(stores, RequestKind.ENQUEUE)
        entry = entries[0] if by_stream else None
        _, (late,) = await stores.tickets.enqueue(NORMAL.queue, [heard(asked, entry=entry)])
        assert late.reply is Reply.OVER


@pytest.mark.parametrize("by_stream", [True, False])
async def test_after_the_match_a_repetition_is_answered_with_what_is_true_now(
    any_server: RealServer, redis: Redis, by_stream: bool
) -> None:
    async with open_stores(any_server.url) as stores, redis.pubsub() as pod:
        await pod.subscribe(CHANNEL)
        entries = await _read(stores, *[RequestKind.ENQUEUE] * 3)
        asked = enqueue_request("p1", CLAIMED, request_id="first")

        async def ask(entry: Entry) -> Reply:
            asks = heard(asked, entry=entry if by_stream else None)
            _, (outcome,) = await stores.tickets.enqueue(CLAIMED.queue, [asks])
            return outcome.reply

        assert await ask(entries[0]) is Reply.QUEUED
        await stores.enqueue("p2", CLAIMED)
        match = await stores.new_match(CLAIMED)
        assert await stores.commit(CLAIMED, match) == ["committed"]
        assert await ask(entries[1]) is Reply.AGAIN, "the match may fall through"
        for kind in ("claim", "confirm"):
            await stores.hand(kind, match.match_id)
        known = keys.latest("p1")
        await redis.pexpire(known, 5000)
        assert await ask(entries[2]) is Reply.OVER
        assert await redis.zcard("queue:{squad}") == 0
        # It may be asked for once more: it must not become a new request one day.
        assert await redis.pttl(known) > 5000


async def test_every_request_of_a_player_is_remembered(
    any_server: RealServer, redis: Redis
) -> None:
    """Of the first that was done with the player, so that most need one key; of others apart."""
    async with open_stores(any_server.url) as stores:
        first = heard(enqueue_request("p1", request_id="first"), as_token="t1")
        second = heard(dequeue_request("p1", request_id="second"), as_token="t2")
        third = heard(enqueue_request("p1", request_id="third"), as_token="t3")
        _, (queued,) = await stores.tickets.enqueue(NORMAL.queue, [first])
        assert await redis.keys("seen:*") == []
        (left,) = await stores.tickets.dequeue(NORMAL.queue, [second])
        _, (back,) = await stores.tickets.enqueue(NORMAL.queue, [third])
        assert (queued.reply, left.reply, back.reply) == (
            Reply.QUEUED, Reply.DEQUEUED, Reply.QUEUED,
        )  # fmt: skip
        # Replies that were lost: each is answered as the first time, whatever came after it.
        _, retried = await stores.tickets.enqueue(NORMAL.queue, [first, third])
        assert [each.reply for each in retried] == [Reply.QUEUED, Reply.QUEUED]
        assert [each.detail for each in retried] == [queued.detail, back.detail]
        (again,) = await stores.tickets.dequeue(NORMAL.queue, [second])
        assert again.reply is Reply.DEQUEUED
        # Sent again: only the newest counts.
        for asked, reply in (("first", Reply.OVER), ("third", Reply.AGAIN)):
            request = heard(enqueue_request("p1", request_id=asked))
            _, (outcome,) = await stores.tickets.enqueue(NORMAL.queue, [request])
            assert outcome.reply is reply
        repeated = heard(dequeue_request("p1", request_id="second"))
        (outcome,) = await stores.tickets.dequeue(NORMAL.queue, [repeated])
        assert outcome.reply is Reply.OVERTAKEN
        assert await redis.zrange("queue:{normal}", 0, -1) == ["p1"]


async def _aged(redis: Redis, kind: RequestKind) -> None:
    """A request that was written longer ago than requests are remembered."""
    old = await _now_ms(redis) - 1000 * 1000
    await redis.xadd("match:requests", {"kind": kind.value, "body": "{}"}, id=f"{old}-0")


@pytest.mark.parametrize("kind", [RequestKind.ENQUEUE, RequestKind.DEQUEUE])
async def test_what_a_dead_server_had_in_hand_is_not_done_when_it_is_too_old(
    any_server: RealServer, redis: Redis, kind: RequestKind
) -> None:
    """It may have been repeated, done, and over: all that is forgotten by now."""
    async with open_stores(any_server.url, me="a") as one, open_stores(any_server.url) as two:
        await one.stream.prepare()
        await two.stream.prepare()
        await _aged(redis, kind)
        (entry,) = await one.stream.read(count=10, block=timedelta(milliseconds=100))
        if kind is RequestKind.DEQUEUE:
            await two.enqueue("p1", pod="pod-x")
            await redis.delete(keys.latest("p1"))  # as it is after so long
        (taken,) = (await two.stream.take_over(idle=timedelta(0), after="", count=10)).entries
        assert taken == entry
        outcome = await _handle(two, taken)
        assert outcome.reply is Reply.REQUEST_EXPIRED
        assert outcome.detail == ("pod-x" if kind is RequestKind.DEQUEUE else "")
        waits = ["p1"] if kind is RequestKind.DEQUEUE else []
        assert await redis.zrange("queue:{normal}", 0, -1) == waits
        assert await redis.xlen("match:requests") == 0


async def test_who_waits_is_not_told_that_an_old_request_was_not_done(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url, me="a") as one, open_stores(any_server.url) as two:
        await one.stream.prepare()
        await _aged(redis, RequestKind.ENQUEUE)
        await one.stream.read(count=10, block=timedelta(milliseconds=100))
        await two.enqueue("p1")
        await redis.delete(keys.latest("p1"))
        (taken,) = (await two.stream.take_over(idle=timedelta(0), after="", count=10)).entries
        assert (await _handle(two, taken)).reply is Reply.OVERTAKEN


async def test_a_request_that_was_too_old_is_done_when_it_is_sent_again(
    any_server: RealServer, redis: Redis
) -> None:
    asked = enqueue_request("p1", request_id="first")
    async with open_stores(any_server.url, me="a") as one, open_stores(any_server.url) as two:
        await one.stream.prepare()
        await _aged(redis, RequestKind.ENQUEUE)
        await one.stream.read(count=10, block=timedelta(milliseconds=100))
        (taken,) = (await two.stream.take_over(idle=timedelta(0), after="", count=10)).entries
        old = heard(asked, entry=taken, as_token="t1")
        for _ in range(2):
            _, (outcome,) = await two.tickets.enqueue(NORMAL.queue, [old])
            assert outcome.reply is Reply.REQUEST_EXPIRED, "a retry of ours"
        _, (again,) = await two.tickets.enqueue(NORMAL.queue, [heard(asked)])
        assert again.reply is Reply.QUEUED
        _, (repeated,) = await two.tickets.enqueue(NORMAL.queue, [heard(asked)])
        assert repeated.reply is Reply.AGAIN


async def test_what_only_waited_to_be_read_is_done_however_old(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores:
        await stores.stream.prepare()
        await _aged(redis, RequestKind.ENQUEUE)
        (entry,) = await stores.stream.read(count=10, block=timedelta(milliseconds=100))
        assert (await _handle(stores, entry)).reply is Reply.QUEUED


@pytest.mark.parametrize("kind", RequestKind)
async def test_a_repetition_is_not_done_when_the_first_is_longer_ago_than_is_remembered(
    any_server: RealServer, redis: Redis, kind: RequestKind
) -> None:
    """The first may have been done, and be over: that is forgotten by now, by the same clock."""

    async def ask(first_ms: int) -> Outcome:
        (entry,) = await _read(stores, kind)
        request = asked[kind]("p1", request_id=token())
        request = msgspec.structs.replace(request, repeats=f"{first_ms}-0")
        if kind is RequestKind.DEQUEUE:
            return (await stores.tickets.dequeue(NORMAL.queue, [heard(request, entry=entry)]))[0]
        return (await stores.tickets.enqueue(NORMAL.queue, [heard(request, entry=entry)]))[1][0]

    asked = {RequestKind.ENQUEUE: enqueue_request, RequestKind.DEQUEUE: dequeue_request}
    done = {RequestKind.ENQUEUE: Reply.QUEUED, RequestKind.DEQUEUE: Reply.DEQUEUED}
    async with open_stores(any_server.url) as stores:
        if kind is RequestKind.DEQUEUE:
            await stores.enqueue("p1")
            await redis.delete(keys.latest("p1"))  # as it is after so long
        before = await redis.zrange("queue:{normal}", 0, -1)
        assert (await ask(await _now_ms(redis) - 1000 * 1000)).reply is Reply.REQUEST_EXPIRED
        assert await redis.zrange("queue:{normal}", 0, -1) == before
        assert await redis.xlen("match:requests") == 0
        assert (await ask(await _now_ms(redis))).reply is done[kind]


async def test_a_repetition_counts_as_asked_when_the_first_was(
    any_server: RealServer, redis: Redis
) -> None:
    """The first is in the hands of a server that died; what was asked after it holds."""
    asked = RequestKind.ENQUEUE, RequestKind.DEQUEUE, RequestKind.ENQUEUE
    async with open_stores(any_server.url) as stores:
        first, newer, again = await _read(stores, *asked)
        assert (await _handle(stores, newer)).reply is Reply.NOT_IN_QUEUE
        for entry_id, reply in (
            ("999999999999999-0", Reply.QUEUED),  # none of ours: passed over
            (first.entry_id, Reply.OVERTAKEN),
        ):
            request = enqueue_request("p1", request_id=token())
            request = msgspec.structs.replace(request, repeats=entry_id)
            _, (outcome,) = await stores.tickets.enqueue(
                NORMAL.queue, [heard(request, entry=again)]
            )
            assert outcome.reply is reply
            (again,) = await _read(stores, RequestKind.ENQUEUE)


async def test_the_client_says_what_it_repeats(any_server: RealServer, redis: Redis) -> None:
    async def written() -> list[tuple[str, dict[str, str]]]:
        found: Any = await redis.xrange("match:requests")
        return list(found)

    async def sent_again() -> bool:
        return len(await written()) >= 2

    async with open_stores(any_server.url) as stores:
        await stores.stream.prepare()
        async with GameServer(any_server.url, pod_id="pod-a") as pod, asyncio.TaskGroup() as group:
            asking = group.create_task(pod.enqueue("p1", "Normal"))
            await wait_until(sent_again)
            asking.cancel()
        (first_id, first), (_, second) = (await written())[:2]
        assert "repeats" not in msgspec.json.decode(first["body"])
        assert msgspec.json.decode(second["body"])["repeats"] == first_id
