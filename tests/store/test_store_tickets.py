"""Players into a queue and out of it, against real servers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from redis.asyncio import Redis

from matchkeeper.domain.agreement import ModeState
from matchkeeper.domain.ticket import Member, Poison, PoisonedTicket
from matchkeeper.store.asked import Reply
from matchkeeper.store.given_back import When
from matchkeeper.wire.requests import RequestKind
from tests.conftest import RealServer
from tests.support.stores import (
    CLAIMED,
    NORMAL,
    RANKED,
    SETTINGS,
    dequeue_request,
    enqueue_request,
    heard,
    open_stores,
    token,
)


async def test_a_batch_keeps_the_order_it_came_in(any_server: RealServer) -> None:
    players = [f"p{number}" for number in range(300, 0, -1)]
    async with open_stores(any_server.url) as stores:
        batch = [heard(enqueue_request(player)) for player in players]
        length, outcomes = await stores.tickets.enqueue(NORMAL.queue, batch)
        page = await stores.tickets.read(NORMAL, start=0, count=1000)
    assert length == 300
    assert {outcome.reply for outcome in outcomes} == {Reply.QUEUED}
    assert [ticket.ticket_id for ticket in page.tickets] == players


async def test_metadata_carries_the_pod_and_all_that_was_given(any_server: RealServer) -> None:
    async with open_stores(any_server.url) as stores:
        await stores.enqueue("p1", metadata='{"mmr":1200.5,"skin":{"hat":"ü"}}', pod="pod-7")
        page = await stores.tickets.read(RANKED, start=0, count=10)
        assert page.tickets == ()
        page = await stores.tickets.read(NORMAL, start=0, count=10)
    (ticket,) = page.tickets
    assert ticket.members == (Member("p1", "pod-7"),)
    assert '"skin":{"hat":"ü"}' in page.fetched.metadata["p1"]


async def test_by_hand_puts_a_player_into_the_queue(any_server: RealServer, redis: Redis) -> None:
    await redis.zadd("queue:{normal}", {"p1": 1_700_000_000})
    await redis.set("metadata:p1", '{"pod_id": "pod-a"}')
    async with open_stores(any_server.url) as stores:
        page = await stores.tickets.read(NORMAL, start=0, count=10)
        again = await stores.enqueue("p1")
    (ticket,) = page.tickets
    assert (ticket.ticket_id, ticket.hand_made) == ("p1", True)
    assert ticket.members == (Member("p1", "pod-a"),)
    assert again.reply is Reply.ALREADY_IN_QUEUE


async def test_a_lost_reply_is_answered_the_same_again(any_server: RealServer) -> None:
    async with open_stores(any_server.url) as stores:
        batch = [heard(enqueue_request("p1"))]
        for _ in range(2):
            length, outcomes = await stores.tickets.enqueue(NORMAL.queue, batch)
            assert (length, outcomes[0].reply) == (1, Reply.QUEUED)
        leave = [heard(dequeue_request("p1"))]
        for _ in range(2):
            outcomes = await stores.tickets.dequeue(NORMAL.queue, leave)
            assert (outcomes[0].reply, outcomes[0].detail) == (Reply.DEQUEUED, "pod-a")


async def test_a_retry_that_comes_after_the_match_does_not_queue_again(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores, redis.pubsub() as pubsub:
        await pubsub.subscribe("battle:request")
        await pubsub.get_message(timeout=1)
        late = heard(enqueue_request("p1"))
        await stores.tickets.enqueue(NORMAL.queue, [late])
        await stores.enqueue("p2")
        assert await stores.commit(NORMAL, await stores.new_match()) == ["committed"]
        _, outcomes = await stores.tickets.enqueue(NORMAL.queue, [late])
        assert outcomes[0].reply is Reply.QUEUED
        assert await redis.zcard("queue:{normal}") == 0


async def test_two_servers_with_one_entry_in_hand_do_it_once(any_server: RealServer) -> None:
    request = enqueue_request("p1")
    async with open_stores(any_server.url) as one, open_stores(any_server.url) as two:
        entry = await one.on_heard(RequestKind.ENQUEUE)
        _, first = await one.tickets.enqueue(NORMAL.queue, [heard(request, entry=entry)])
        length, second = await two.tickets.enqueue(NORMAL.queue, [heard(request, entry=entry)])
    assert first[0].reply is Reply.QUEUED
    assert (length, second[0].reply) == (1, Reply.DUPLICATE)


async def test_what_was_really_sent_twice_is_told_again(any_server: RealServer) -> None:
    request = enqueue_request("p1", request_id="r1")
    async with open_stores(any_server.url) as stores:
        await stores.tickets.enqueue(NORMAL.queue, [heard(request)])
        length, again = await stores.tickets.enqueue(NORMAL.queue, [heard(request)])
        assert (length, again[0].reply) == (1, Reply.AGAIN)
        await stores.dequeue("p1")
        length, again = await stores.tickets.enqueue(NORMAL.queue, [heard(request)])
    assert (length, again[0].reply) == (0, Reply.OVER), "one id is one request for ever"


async def test_the_same_text_after_leaving_is_a_new_request(any_server: RealServer) -> None:
    request = enqueue_request("p1")
    async with open_stores(any_server.url) as stores:
        await stores.tickets.enqueue(NORMAL.queue, [heard(request)])
        await stores.dequeue("p1")
        length, outcomes = await stores.tickets.enqueue(NORMAL.queue, [heard(request)])
    assert (length, outcomes[0].reply) == (1, Reply.QUEUED)


async def test_a_player_waits_in_one_queue_at_a_time(any_server: RealServer) -> None:
    async with open_stores(any_server.url) as stores:
        await stores.enqueue("p1", NORMAL)
        second = await stores.enqueue("p1", RANKED)
    assert (second.reply, second.detail) == (Reply.IN_OTHER_QUEUE, "normal")


async def test_a_drained_mode_takes_nobody_new_and_keeps_its_word(any_server: RealServer) -> None:
    first, second = enqueue_request("p1", request_id="a"), enqueue_request("p2", request_id="b")
    async with open_stores(any_server.url) as stores:
        await stores.tickets.enqueue(NORMAL.queue, [heard(first)])
        await stores.servers.set_state(NORMAL.queue, ModeState.DRAINED)
        length, outcomes = await stores.tickets.enqueue(NORMAL.queue, [heard(first), heard(second)])
        assert [each.reply for each in outcomes] == [Reply.AGAIN, Reply.MODE_DRAINED]
        assert (await stores.enqueue("p1")).reply is Reply.ALREADY_IN_QUEUE
        assert (await stores.enqueue("p3", RANKED)).reply is Reply.QUEUED
        assert (await stores.dequeue("p1")).reply is Reply.DEQUEUED
        await stores.servers.set_state(NORMAL.queue, None)
        _, again = await stores.tickets.enqueue(NORMAL.queue, [heard(second)])
    assert length == 1
    assert again[0].reply is Reply.QUEUED, "it was not done, and may be asked for again"


async def test_a_queue_takes_no_more_than_it_may_hold(any_server: RealServer, redis: Redis) -> None:
    async with open_stores(any_server.url, longest={NORMAL.queue: 3}) as stores:
        await stores.enqueue("p0")
        requests = [heard(enqueue_request(f"p{number}")) for number in range(5)]
        length, outcomes = await stores.tickets.enqueue(NORMAL.queue, requests)
        assert [each.reply.value for each in outcomes] == [
            "already_in_queue", "queued", "queued", "queue_full", "queue_full",
        ]  # fmt: skip
        assert length == await redis.zcard("queue:{normal}") == 3
        await stores.dequeue("p1")
        assert (await stores.enqueue("p4")).reply is Reply.QUEUED
        for number in range(5):
            assert (await stores.enqueue(f"r{number}", RANKED)).reply is Reply.QUEUED


async def test_a_damaged_key_of_states_refuses_nobody(any_server: RealServer, redis: Redis) -> None:
    await redis.set("modes", "no hash")
    async with open_stores(any_server.url) as stores:
        assert (await stores.enqueue("p1")).reply is Reply.QUEUED


async def test_several_queues_where_a_setting_allows_it(
    any_server: RealServer, redis: Redis
) -> None:
    async with (
        open_stores(any_server.url, several_queues=True) as stores,
        redis.pubsub() as pubsub,
    ):
        await pubsub.subscribe("battle:request")
        await pubsub.get_message(timeout=1)
        for mode in (CLAIMED, RANKED):
            assert (await stores.enqueue("p1", mode)).reply is Reply.QUEUED
        await stores.enqueue("p2", CLAIMED)
        assert await stores.commit(CLAIMED, await stores.new_match(CLAIMED)) == ["committed"]
        assert await redis.zcard("queue:{ranked}") == 0, "the first commit takes it out of all"
        assert (await stores.enqueue("p1", RANKED)).reply is Reply.MATCH_PENDING
        _, [match_id] = await _pending_ids(redis)
        back = await stores.matches.give_back(
            CLAIMED.queue,
            match_id,
            SETTINGS,
            epoch=1,
            cause="unclaimed",
            token=token(),
            when=When.NOW,
        )
        assert back is not None
        assert back.put_back == 2
        assert await redis.zcard("queue:{ranked}") == 1
        assert await redis.hget("metadata:{ranked}", "p1") == '{"pod_id":"pod-a"}'


async def _pending_ids(redis: Redis) -> tuple[int, list[str]]:
    ids: Any = await redis.zrange("pending:{squad}", 0, -1)
    return len(ids), ids


async def test_poisoned_tickets_go_to_the_dead_letters_and_back(
    any_server: RealServer, redis: Redis
) -> None:
    await redis.zadd("queue:{normal}", {"bad": 1_700_000_000.25, "good": 1_700_000_001})
    await redis.hset("metadata:{normal}", mapping={"bad": "{oops", "good": '{"pod_id":"a"}'})
    async with open_stores(any_server.url) as stores:
        page = await stores.tickets.read(NORMAL, start=0, count=10)
        assert [ticket.ticket_id for ticket in page.tickets] == ["good"]
        (bad,) = page.unreadable
        assert bad.reason.startswith("Invalid JSON: ")
        same = token()
        for _ in range(2):
            moved = await stores.tickets.set_aside(
                NORMAL.queue, [bad], token=same, kept=10, raw_limit=100
            )
            assert moved == {"bad"}
        assert await redis.zrange("queue:{normal}", 0, -1) == ["good"]
        assert await redis.hkeys("metadata:{normal}") == ["good"]
        (letter,) = await stores.dead_letters.list(NORMAL.queue, count=10)
        assert (letter.player_id, letter.metadata, letter.reason) == ("bad", "{oops", bad.reason)
        player = await stores.dead_letters.requeue(
            NORMAL.queue, letter.entry_id, metadata='{"pod_id":"a"}', token=token()
        )
        assert player == "bad"
        page = await stores.tickets.read(NORMAL, start=0, count=10)
        assert [ticket.ticket_id for ticket in page.tickets] == ["bad", "good"]
        assert page.tickets[0].enqueued_at == 1_700_000_000.25
        assert await stores.dead_letters.length(NORMAL.queue) == 0


async def test_a_ticket_that_changed_since_it_was_read_is_not_set_aside(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores:
        await stores.enqueue("p1")
        old = PoisonedTicket(
            ticket_id="p1",
            enqueued_at=1.0,
            raw_metadata="x",
            reason="old",
            kind=Poison.INVALID_JSON,
        )
        moved = await stores.tickets.set_aside(
            NORMAL.queue, [old], token=token(), kept=10, raw_limit=100
        )
    assert moved == set()
    assert await redis.zcard("queue:{normal}") == 1


async def test_ids_that_are_no_text_can_be_set_aside(any_server: RealServer, redis: Redis) -> None:
    await redis.execute_command("ZADD", "queue:{normal}", 1, b"\xff\x00p")
    await redis.execute_command("HSET", "metadata:{normal}", b"\xff\x00p", '{"pod_id":"a"}')
    async with open_stores(any_server.url) as stores:
        page = await stores.tickets.read(NORMAL, start=0, count=10)
        moved = await stores.tickets.set_aside(
            NORMAL.queue, page.unreadable, token=token(), kept=10, raw_limit=100
        )
        assert len(moved) == 1
    assert await redis.zcard("queue:{normal}") == 0


async def test_expiry_takes_out_who_waited_too_long_and_nobody_else(
    any_server: RealServer, redis: Redis
) -> None:
    await redis.zadd("queue:{normal}", {"old": 1_700_000_000})
    await redis.set("metadata:old", '{"pod_id":"a"}')
    async with open_stores(any_server.url) as stores:
        await stores.enqueue("young")
        page = await stores.tickets.read(NORMAL, start=0, count=10)
        same = token()
        for _ in range(2):
            gone = await stores.tickets.expire(
                NORMAL.queue, page.tickets, token=same, max_wait=timedelta(seconds=30)
            )
            assert gone == {"old"}
    assert await redis.zrange("queue:{normal}", 0, -1) == ["young"]
    assert await redis.exists("metadata:old") == 0


async def test_a_restarted_server_is_given_its_scripts_again(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores:
        await stores.enqueue("p1")
        await redis.script_flush()
        assert (await stores.enqueue("p2")).reply is Reply.QUEUED
        assert stores.seen.retries == []
