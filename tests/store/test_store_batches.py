"""Many players in one script call: the same as one after the other. Against real servers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis.asyncio import Redis

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Ticket
from matchkeeper.errors import StoreRefusedError
from matchkeeper.store.asked import Reply
from matchkeeper.store.tickets import Heard
from tests.conftest import RealServer
from tests.support.stores import (
    CHANNEL,
    CLAIMED,
    NORMAL,
    Stores,
    duel,
    enqueue_request,
    heard,
    open_stores,
)

BOTH_HANDOFFS = pytest.mark.parametrize("mode", [NORMAL, CLAIMED], ids=["publish", "claim"])


async def queued(stores: Stores, mode: GameMode, count: int) -> list[Ticket]:
    for number in range(count):
        await stores.enqueue(f"p{number}", mode)
    page = await stores.tickets.read(mode, start=0, count=count)
    return list(page.tickets)


async def waiting(redis: Redis, mode: GameMode) -> list[str]:
    return [str(each) for each in await redis.zrange(f"queue:{{{mode.queue.mode}}}", 0, -1)]


@BOTH_HANDOFFS
async def test_nobody_is_in_two_matches_of_one_call(
    any_server: RealServer, redis: Redis, mode: GameMode
) -> None:
    async with open_stores(any_server.url) as stores, redis.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        one, two, three, four = await queued(stores, mode, 4)
        replies = await stores.commit(
            mode,
            duel(one, two, mode=mode),
            duel(two, three, mode=mode),
            duel(three, four, mode=mode),
        )
    assert replies == ["committed", "stale", "committed"]
    assert await waiting(redis, mode) == []


@BOTH_HANDOFFS
async def test_a_call_that_is_sent_again_changes_nothing(
    any_server: RealServer, redis: Redis, mode: GameMode
) -> None:
    async with open_stores(any_server.url) as stores, redis.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        tickets = await queued(stores, mode, 5)
        matches = [duel(*tickets[:2], mode=mode), duel(*tickets[2:4], mode=mode)]
        first = await stores.commit(mode, *matches)
        again = await stores.commit(mode, *matches, duel(tickets[0], tickets[4], mode=mode))
        heard_offers = [await pubsub.get_message(timeout=0.2) for _ in range(5)]
    assert first == ["committed", "committed"]
    assert again == ["committed", "committed", "stale"]
    assert sum(each is not None and each["type"] == "message" for each in heard_offers) == 2
    assert await waiting(redis, mode) == ["p4"]


@BOTH_HANDOFFS
async def test_who_was_published_is_taken_out_although_the_call_fails_later(
    any_server: RealServer, redis: Redis, mode: GameMode
) -> None:
    async with open_stores(any_server.url) as stores, redis.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        tickets = await queued(stores, mode, 6)
        matches = [duel(*tickets[at : at + 2], mode=mode) for at in (0, 2, 4)]
        foreign = f"match:{{{mode.queue.mode}}}:{matches[1].match_id}"
        await redis.set(foreign, "not ours")
        with pytest.raises(StoreRefusedError, match="WRONGTYPE"):
            await stores.commit(mode, *matches)
    assert await waiting(redis, mode) == ["p2", "p3", "p4", "p5"]
    assert await redis.get(foreign) == "not ours"
    state = await redis.hget(f"match:{{{mode.queue.mode}}}:{matches[0].match_id}", "state")
    assert state == ("offered" if mode is CLAIMED else "started")


async def test_calls_may_be_larger_than_the_stack_of_lua(
    any_server: RealServer, redis: Redis
) -> None:
    players = 12_000
    async with open_stores(any_server.url) as stores, redis.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        batch = [heard(enqueue_request(f"p{number:05}", CLAIMED)) for number in range(players)]
        length, outcomes = await stores.tickets.enqueue(CLAIMED.queue, batch)
        assert length == players
        assert {each.reply for each in outcomes} == {Reply.QUEUED}
        tickets: list[Ticket] = []
        for start in range(0, players, 1000):
            page = await stores.tickets.read(CLAIMED, start=start, count=1000)
            tickets += page.tickets
        assert [each.ticket_id for each in tickets] == [
            f"p{number:05}" for number in range(players)
        ]
        pairs = zip(tickets[::2], tickets[1::2], strict=True)
        replies = await stores.commit(CLAIMED, *(duel(*pair, mode=CLAIMED) for pair in pairs))
    assert replies == ["committed"] * (players // 2)
    assert await waiting(redis, CLAIMED) == []
    assert await redis.hlen("matched:{squad}") == players


async def test_requests_of_one_player_in_one_call_keep_their_order(any_server: RealServer) -> None:
    async with open_stores(any_server.url) as stores:
        request = enqueue_request("p1", NORMAL, request_id="r1")
        twice: list[Heard] = [heard(request), heard(request)]
        other = heard(enqueue_request("p1", NORMAL, metadata='{"other":1}'))
        _, outcomes = await stores.tickets.enqueue(NORMAL.queue, [*twice, other])
        assert [each.reply for each in outcomes] == [
            Reply.QUEUED, Reply.AGAIN, Reply.ALREADY_IN_QUEUE,
        ]  # fmt: skip
        again = await stores.tickets.enqueue(NORMAL.queue, [*twice, other])
        # The first of two equal requests is known by the second, which answers for both.
        assert [each.reply for each in again[1]] == [
            Reply.OVER, Reply.AGAIN, Reply.ALREADY_IN_QUEUE,
        ]  # fmt: skip


async def test_what_another_has_taken_from_the_stream_is_not_done_again(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores:
        await stores.stream.prepare()
        for number in range(4):
            body = f'{{"player_id":"p{number}","game_mode":"Normal","pod_id":"pod-a"}}'
            await redis.xadd("match:requests", {"kind": "enqueue", "body": body})
        entries = await stores.stream.read(count=10, block=timedelta(seconds=1))
        batch = [
            heard(enqueue_request(f"p{number}", NORMAL), entry=entry)
            for number, entry in enumerate(entries)
        ]
        assert await stores.stream.discard(entries[1])
        _, outcomes = await stores.tickets.enqueue(NORMAL.queue, batch)
        assert [each.reply for each in outcomes] == [
            Reply.QUEUED, Reply.DUPLICATE, Reply.QUEUED, Reply.QUEUED,
        ]  # fmt: skip
    assert await redis.xlen("match:requests") == 0
    assert await waiting(redis, NORMAL) == ["p0", "p2", "p3"]
