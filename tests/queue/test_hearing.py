"""Requests by Pub/Sub where several servers hear them, from outside and from within."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from pathlib import Path

import pytest
from redis.asyncio import Redis

from matchkeeper.store import keys
from matchkeeper.store.asked import Reply
from matchkeeper.store.hearing import Message, MoveReply, Want
from matchkeeper.wire.requests import RequestKind
from tests.conftest import RealServer, wait_until
from tests.support.harness import Outside, Server, outside, serving
from tests.support.intakes import ingest
from tests.support.proxy import proxy_to
from tests.support.stores import CLAIMED, NORMAL, RANKED, enqueue_request, heard, open_stores

SLOW = {"matchmaking__try_match_tick_interval_seconds": 1}


async def _hearing(*servers: Server) -> tuple[Server, Server]:
    """Who holds the lease, and another."""
    for server in servers:
        await server.ready()

    async def holds(server: Server) -> bool:
        return await server.metric("matchkeeper_hearing") == 1

    first = [await holds(server) for server in servers]
    assert sum(first) == 1
    return servers[first.index(True)], servers[first.index(False)]


async def _all_matched_once(wire: Outside, names: list[str]) -> None:
    await wait_until(
        lambda: all(wire.matches_of(name) for name in names), seconds=30, what="everybody matched"
    )
    for name in names:
        assert len(wire.matches_of(name)) == 1, (name, wire.matches_of(name))
        assert wire.told(name).count("EnQueued") == 1, (name, wire.told(name))


async def test_a_frozen_server_hears_late_and_does_nothing(
    valkey: RealServer, tmp_path: Path
) -> None:
    """Either of the two is frozen for longer than its lease, with requests in its socket."""
    with serving(valkey.url, tmp_path, **SLOW) as one, serving(valkey.url, tmp_path, **SLOW) as two:
        async with outside(valkey.url) as wire:
            names: list[str] = []
            for turn in range(2):
                holder, other = await _hearing(one, two)
                frozen = (holder, other)[turn]
                frozen.signal(signal.SIGSTOP)
                new = [f"turn{turn}-{number}" for number in range(20)]
                names += new
                for name in new:
                    await wire.enqueue(name)
                await _all_matched_once(wire, names)
                frozen.signal(signal.SIGCONT)
                await frozen.ready()
                last = [f"after{turn}-{number}" for number in range(2)]
                names += last
                for name in last:
                    await wire.enqueue(name)
                await _all_matched_once(wire, names)


async def test_kill_9_of_the_server_that_hears_loses_no_request(
    valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path, **SLOW) as one, serving(valkey.url, tmp_path, **SLOW) as two:
        holder, _ = await _hearing(one, two)
        async with outside(valkey.url) as wire:
            names = [f"p{number}" for number in range(300)]
            for name in names[:200]:
                await wire.enqueue(name)
            holder.signal(signal.SIGKILL)
            killed_at = time.monotonic()
            for name in names[200:]:
                await wire.enqueue(name)
                await asyncio.sleep(0)
            await _all_matched_once(wire, names)
            assert time.monotonic() - killed_at < 10, "two seconds where nothing else runs"


async def test_two_servers_of_one_name_are_two(valkey: RealServer, tmp_path: Path) -> None:
    named = {**SLOW, "server__server_id": "matchkeeper"}
    with (
        serving(valkey.url, tmp_path, **named) as one,
        serving(valkey.url, tmp_path, **named) as two,
    ):
        await _hearing(one, two)
        async with outside(valkey.url) as wire:
            names = [f"p{number}" for number in range(40)]
            for name in names:
                await wire.enqueue(name)
            await _all_matched_once(wire, names)


async def test_a_server_that_stops_hands_over_what_it_has_not_done(
    valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path, **SLOW) as one, serving(valkey.url, tmp_path, **SLOW) as two:
        holder, _ = await _hearing(one, two)
        async with outside(valkey.url) as wire:
            names = [f"p{number}" for number in range(200)]
            for number, name in enumerate(names):
                await wire.enqueue(name)
                if number == 100:
                    holder.signal(signal.SIGTERM)
            await _all_matched_once(wire, names)
            assert await holder.ended() == 0


async def test_the_lease_has_one_holder_and_is_taken_only_when_it_stands_still(
    any_server: RealServer, redis: Redis
) -> None:
    async with (
        open_stores(any_server.url, me="a") as one,
        open_stores(any_server.url, me="b") as two,
    ):
        first = await one.hearing.lease(Want.HEAR, stood_still="", mark="a.1")
        seen = await two.hearing.lease(Want.HEAR, stood_still="", mark="b.1")
        assert (first.mine, first.epoch, seen.mine) == (True, 1, False)
        kept = await one.hearing.lease(Want.HEAR, stood_still="", mark="a.2")
        assert (kept.mine, kept.epoch) == (True, 1)
        late = await two.hearing.lease(Want.HEAR, stood_still=seen.state, mark="b.2")
        assert not late.mine, "it was kept since"
        taken = await two.hearing.lease(Want.HEAR, stood_still=late.state, mark="b.3")
        assert (taken.mine, taken.epoch) == (True, 2)
        await two.hearing.lease(Want.LEAVE, stood_still="", mark="")
        follows = await one.hearing.lease(Want.FOLLOW, stood_still="", mark="a.3")
        assert not follows.mine, "somebody who missed nothing comes first"
        hears = await one.hearing.lease(Want.HEAR, stood_still="", mark="a.4")
        assert (hears.mine, hears.epoch) == (True, 3)


async def test_a_lease_whose_reply_was_lost_does_not_mark_two_places_with_one_name(
    valkey: RealServer,
) -> None:
    """Between the two, requests may have come: a position would mean two places."""
    marks: list[str] = []
    async with (
        proxy_to(valkey.port) as proxy,
        open_stores(proxy.url) as stores,
        Redis.from_url(valkey.url, decode_responses=True) as redis,
        redis.pubsub(ignore_subscribe_messages=True) as ear,
    ):
        await ear.subscribe(keys.marks())
        await stores.hearing.lease(Want.HEAR, stood_still="", mark="a.1")
        proxy.lose_replies_to = keys.hearing().encode()
        proxy.lose_at_most = 2
        assert (await stores.hearing.lease(Want.HEAR, stood_still="", mark="a.2")).mine

        async def marked() -> bool:
            if (message := await ear.get_message(timeout=0.1)) is not None:
                marks.append(message["data"])
            return len(marks) == 4

        await wait_until(marked)
    assert len(set(marks)) == 4, marks


async def test_what_was_heard_is_moved_once_by_the_holder_alone(
    any_server: RealServer, redis: Redis
) -> None:
    requests = [Message("enqueue", b"1"), Message("dequeue", b"2")]
    async with (
        open_stores(any_server.url, me="a") as one,
        open_stores(any_server.url, me="b") as two,
    ):
        lease = await one.hearing.lease(Want.HEAR, stood_still="", mark="a.1")

        async def move(
            to: str, *, done: str, epoch: int = lease.epoch, limit: int = 9
        ) -> MoveReply:
            reply, entries = await one.hearing.move(
                epoch, requests, done=done, to=to, behind="a.1.1795000000000", limit=limit
            )
            if reply is MoveReply.MOVED:
                assert (await one.hearing.waiting(after="", count=9))[-2:] == entries
            return reply

        assert await move("a.1 2", done="") is MoveReply.MOVED
        assert await move("a.1 2", done="") is MoveReply.MOVED, "a lost reply"
        assert await redis.xlen(keys.heard()) == 2
        assert await move("a.1 3", done="") is MoveReply.ELSEWHERE, "a late call of another cut"
        assert await move("a.1 3", done="a.1 2", limit=2) is MoveReply.FULL
        seen = await two.hearing.lease(Want.HEAR, stood_still="", mark="b.1")
        taken = await two.hearing.lease(Want.HEAR, stood_still=seen.state, mark="b.2")
        assert taken.done == "a.1 2"
        assert await move("a.1 4", done="a.1 2") is MoveReply.LOST
        assert await redis.xlen(keys.heard()) == 2


@pytest.mark.parametrize("field", ["epoch", "beat", "done"])
async def test_a_lease_that_somebody_changed_counts_as_unknown(
    any_server: RealServer, redis: Redis, field: str
) -> None:
    async with open_stores(any_server.url) as stores:
        await redis.hset("hearing", mapping={"epoch": 3, "beat": 1, "holder": "", field: "x y"})
        lease = await stores.hearing.lease(Want.HEAR, stood_still="", mark="a.1")
        assert lease.mine


@pytest.mark.parametrize(
    ("several", "is_matched", "reply"),
    [
        (False, True, Reply.OVERTAKEN),
        (True, True, Reply.OVERTAKEN),
        (True, False, Reply.QUEUED),
    ],
)
async def test_a_request_in_dead_hands_is_overtaken_by_a_match_in_another_mode(
    any_server: RealServer, redis: Redis, several: bool, is_matched: bool, reply: Reply
) -> None:
    """Where several queues are allowed, these are two wishes until one of them comes true."""
    async with (
        open_stores(any_server.url, several_queues=several) as stores,
        redis.pubsub() as pod,
    ):
        await pod.subscribe("battle:request")
        await pod.get_message(timeout=1)
        await redis.xadd(keys.heard(), {"kind": "enqueue", "body": "{}"}, id="1-0")
        (late,) = await stores.hearing.waiting(after="", count=1)
        for player in ("p1", "p2"):
            newer = await stores.on_heard(RequestKind.ENQUEUE)
            request = heard(enqueue_request(player, RANKED), entry=newer)
            await stores.tickets.enqueue(RANKED.queue, [request])
        if is_matched:
            assert await stores.commit(RANKED, await stores.new_match(RANKED)) == ["committed"]
        request = heard(enqueue_request("p1", NORMAL), entry=late)
        _, (outcome,) = await stores.tickets.enqueue(NORMAL.queue, [request])
        assert outcome.reply is reply
        assert await redis.zcard("queue:{normal}") == (reply is Reply.QUEUED)


async def test_what_was_asked_while_a_match_was_pending_is_over_once_it_has_started(
    any_server: RealServer, redis: Redis
) -> None:
    """Where several queues are allowed; a server had the request in hand until then."""
    async with (
        open_stores(any_server.url, several_queues=True) as stores,
        redis.pubsub() as pod,
    ):
        await pod.subscribe("battle:request")
        await pod.get_message(timeout=1)
        for player in ("p1", "p2"):
            await stores.enqueue(player, CLAIMED)
        match = await stores.new_match(CLAIMED)
        assert await stores.commit(CLAIMED, match) == ["committed"]
        made_ms = int(str(await redis.get("latest:{}:p1")).split()[0])
        await wait_until(lambda: time.time() * 1000 > made_ms + 2)
        late = await stores.on_heard(RequestKind.ENQUEUE)
        for kind in ("claim", "confirm"):
            await stores.hand(kind, match.match_id)
        request = heard(enqueue_request("p1", NORMAL), entry=late)
        _, (outcome,) = await stores.tickets.enqueue(NORMAL.queue, [request])
        assert outcome.reply is Reply.OVERTAKEN


async def test_what_lay_unheard_for_longer_than_requests_are_remembered_may_have_been_done(
    any_server: RealServer, redis: Redis
) -> None:
    """A server stood still, and then finds in its socket what was sent again long ago. Only who
    sends with an id sends again."""
    body = b'{"player_id":"%s","game_mode":"Normal","metadata":{},"pod_id":"pod-a"%s}'
    sent = [body % (b"twice", b',"request_id":"r1"'), body % (b"once", b"")]
    async with open_stores(any_server.url) as stores, redis.pubsub() as pod:
        await pod.subscribe("pod:pod-a:match_result")
        await pod.get_message(timeout=1)
        lease = await stores.hearing.lease(Want.HEAR, stood_still="", mark="a.1")
        memory_ms = stores.connection.memory_ms
        assert abs(lease.mark - time.time() * 1000) < 5000, "marks say when they were made"
        for nth, age_ms in enumerate([2 * memory_ms, memory_ms // 2, 0]):
            reply, entries = await stores.hearing.move(
                lease.epoch,
                [Message(RequestKind.ENQUEUE, each) for each in sent],
                done="" if nth == 0 else f"a.1.{nth - 1} 2",
                to=f"a.1.{nth} 2",
                behind=f"a.1.{lease.mark - age_ms}",
                limit=9,
            )
            assert reply is MoveReply.MOVED
            assert entries == await stores.hearing.waiting(after="", count=9)
            assert await ingest(stores).take(entries) == 0
            waits = {"once"} if nth == 0 else {"once", "twice"}
            assert set(await redis.zrange("queue:{normal}", 0, -1)) == waits
        told = [await pod.get_message(timeout=1) for _ in range(2)]
    answers = sorted(json.loads(each["data"])["player_id"] + str(each["data"]) for each in told)
    assert "EnQueued" in answers[0]
    assert "request_expired" in answers[1]
