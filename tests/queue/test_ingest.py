"""What happens to requests that Redis does not take, against a real server behind a proxy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from matchkeeper.domain.realm import QueueName
from matchkeeper.errors import StoreError
from matchkeeper.observe.facts import Facts
from matchkeeper.observe.metrics import Metrics
from matchkeeper.store import keys
from matchkeeper.store.stream import Entry
from matchkeeper.store.tickets import Heard, Outcome
from matchkeeper.wire.requests import RequestKind
from tests.conftest import RealServer, wait_until
from tests.support.harness import outside
from tests.support.intakes import ingest
from tests.support.proxy import proxy_to
from tests.support.stores import (
    NORMAL,
    RANKED,
    enqueue_request,
    heard,
    open_stores,
    token,
)

BODY = b'{"player_id":"p1","game_mode":"Normal","metadata":{},"pod_id":"pod-a"}'


async def test_what_was_heard_stays_in_its_stream_while_redis_fails(valkey: RealServer) -> None:
    async with (
        proxy_to(valkey.port) as proxy,
        open_stores(proxy.url, failures=100) as stores,
        open_stores(valkey.url) as calm,
        outside(valkey.url) as wire,
    ):
        await stores.on_heard(RequestKind.ENQUEUE, BODY)
        entries = await stores.hearing.waiting(after="", count=10)
        await stores.enqueue("warm")
        proxy.cut_before = b"EVALSHA"
        with pytest.raises(StoreError):
            await ingest(stores).take(entries)
        assert await calm.hearing.waiting(after="", count=10) == entries
        assert await ingest(calm).take(entries) == 0
        await wire.is_told("p1", "EnQueued")
        assert await calm.hearing.waiting(after="", count=10) == []


async def test_a_request_whose_reply_was_lost_is_done_and_out_of_the_stream(
    valkey: RealServer,
) -> None:
    async with proxy_to(valkey.port) as proxy, open_stores(proxy.url, failures=100) as stores:
        await stores.stream.prepare()
        assert await stores.write("enqueue", BODY)
        (entry,) = await stores.stream.read(count=10, block=timedelta(seconds=1))
        await stores.enqueue("warm")
        proxy.lose_replies_to = b"EVALSHA"
        proxy.lose_at_most = 3
        with pytest.raises(StoreError):
            await ingest(stores).take([entry])
        assert (await stores.stream.reread(after="", count=10)).entries == []
        assert (await stores.tickets.where("p1"))[0][0] == NORMAL.queue


async def test_a_server_that_died_leaves_its_requests_to_another(valkey: RealServer) -> None:
    async with (
        open_stores(valkey.url, me="a") as one,
        open_stores(valkey.url, me="b") as two,
        outside(valkey.url) as wire,
    ):
        await one.stream.prepare()
        await one.write("enqueue", BODY)
        assert len(await one.stream.read(count=10, block=timedelta(seconds=1))) == 1
        taken: list[Entry] = []

        async def take_over() -> bool:
            idle = timedelta(milliseconds=50)
            taken.extend((await two.stream.take_over(idle=idle, after="", count=10)).entries)
            return bool(taken)

        await wait_until(take_over)
        await ingest(two).take(taken)
        await wire.is_told("p1", "EnQueued")
        await ingest(one).take(taken)
        # Pub/Sub keeps the order: what was published before this has been heard with it.
        end = '{"player_id":"end","result_type":"EnQueued"}'
        await wire.redis.publish("pod:x:match_result", end)
        await wire.is_told("end", "EnQueued")
        assert wire.told("p1") == ["EnQueued"], "the first one wakes up too late"


async def test_refused_requests_are_counted_under_the_name_of_their_mode(
    valkey: RealServer,
) -> None:
    bad = [
        BODY.replace(b"{}", b"[]"),
        BODY.replace(b"{}", b"NaN"),
        BODY.replace(b"Normal", b"NORMAL").replace(b'"p1"', b"7"),
        BODY.replace(b"Normal", b"nowhere"),
        b"{",
        *(BODY, BODY),
    ]
    metrics = Metrics()
    async with open_stores(valkey.url) as stores:
        entries = [await stores.on_heard(RequestKind.ENQUEUE, each) for each in bad]
        await ingest(stores, Facts(metrics.hears())).take(entries)
    found = {
        tuple(sample.labels.values()): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "matchkeeper_refused_requests_total"
    }
    assert found == {
        ("Normal", "invalid_metadata"): 1,
        ("Normal", "invalid_message_format"): 2,
        ("Normal", "already_in_queue"): 1,
        ("", "invalid_game_mode"): 1,
        ("", "invalid_message_format"): 1,
    }


async def test_senders_make_no_stream(valkey: RealServer) -> None:
    async with open_stores(valkey.url) as stores:
        assert await stores.write("enqueue", BODY) == ""
        await stores.stream.prepare()
        assert await stores.write("enqueue", BODY)


async def test_a_mixed_batch_takes_few_script_calls_and_keeps_each_players_order(
    valkey: RealServer,
) -> None:
    wishes = [("a", "enqueue"), ("b", "enqueue"), ("a", "dequeue"), ("c", "enqueue")]
    wishes += [("b", "dequeue"), ("a", "enqueue"), ("d", "enqueue")]
    async with open_stores(valkey.url) as stores:
        entries = [
            await stores.on_heard(RequestKind(kind), BODY.replace(b"p1", player.encode()))
            for player, kind in wishes
        ]
        await ingest(stores).take(entries)
        scripts = [name for name, _ in stores.seen.operations if name in ("enqueue", "dequeue")]
        assert scripts == ["enqueue", "dequeue", "enqueue"]
        # Repetitions need no call of their own.
        body = BODY.replace(b"p1", b"e")
        await ingest(stores).take(
            [await stores.on_heard(RequestKind.ENQUEUE, body) for _ in "12345"]
        )
        assert [name for name, _ in stores.seen.operations].count("enqueue") == 3
        page = await stores.tickets.read(NORMAL, start=0, count=10)
    assert [ticket.ticket_id for ticket in page.tickets] == ["c", "a", "d", "e"]


@pytest.mark.parametrize("damage", ["x", "", "1-0 s t n f \n\n", "\x00\xff"])
async def test_a_record_that_cannot_be_read_counts_as_unknown(
    any_server: RealServer, redis: Redis, damage: str
) -> None:
    async with open_stores(any_server.url) as stores, outside(any_server.url) as wire:
        names = [f"v{number}" for number in range(10)]
        await redis.set(keys.latest("v1"), damage)
        bodies = [BODY.replace(b"p1", name.encode()) for name in names]
        entries = [await stores.on_heard(RequestKind.ENQUEUE, body) for body in bodies]
        assert await ingest(stores).take(entries) == 0
        for name in names:
            await wire.is_told(name, "EnQueued")


async def test_what_fails_by_itself_harms_itself_and_is_set_aside(
    any_server: RealServer, redis: Redis
) -> None:
    """A key of a wrong type under one request's memory; the script ends there with an error."""
    async with open_stores(any_server.url) as stores, outside(any_server.url) as wire:
        taker = ingest(stores)
        await redis.set("queue:{ranked}", "not ours")
        ranked = BODY.replace(b"Normal", b"Ranked").replace(b"p1", b"bad")
        entries = [
            await stores.on_heard(RequestKind.ENQUEUE, body)
            for body in (BODY, ranked, BODY.replace(b"p1", b"p2"))
        ]
        assert await taker.take(entries) == 1
        for name in ("p1", "p2"):
            await wire.is_told(name, "EnQueued")
        for _ in range(3):
            assert await taker.take(await stores.hearing.waiting(after="", count=9)) == 1
        assert wire.told("bad") == []
        assert await taker.take(await stores.hearing.waiting(after="", count=9)) == 0
        await wire.is_told("bad", "Error internal_error")
        assert await stores.hearing.waiting(after="", count=9) == []
        (letter,) = await stores.dead_letters.list(RANKED.queue, count=9)
        assert (letter.player_id, letter.request) == ("bad", "enqueue")
        assert "WRONGTYPE" in letter.reason
        # Mended and put back, it is done by stream.
        await redis.delete("queue:{ranked}")
        await stores.stream.prepare()
        await stores.dead_letters.requeue(RANKED.queue, letter.entry_id, metadata="", token=token())
        again = await stores.stream.read(count=9, block=timedelta(seconds=1))
        assert await taker.take(again) == 0
        await wire.is_told("bad", "EnQueued")


async def test_a_batch_that_the_script_cannot_end_stays_in_its_stream(
    any_server: RealServer, redis: Redis
) -> None:
    """Decided first, acknowledged last: Lua does not take back what it has done."""
    async with open_stores(any_server.url) as stores:
        entries = [await stores.on_heard(RequestKind.ENQUEUE, BODY)]
        await redis.execute_command("ACL", "SETUSER", "default", "-zadd")
        try:
            with pytest.raises(StoreError):
                await stores.tickets.enqueue(
                    NORMAL.queue, [heard(enqueue_request("p1"), entry=entries[0])]
                )
        finally:
            await redis.execute_command("ACL", "SETUSER", "default", "+@all")
        assert await stores.hearing.waiting(after="", count=9) == entries
        assert await ingest(stores).take(entries) == 0
        assert await redis.zrange("queue:{normal}", 0, -1) == ["p1"]


async def test_requests_behind_many_that_are_not_ours_are_found_all_the_same(
    any_server: RealServer, redis: Redis
) -> None:
    """A page without any is not the end: of deleted ones, or of those that somebody works on."""
    async with open_stores(any_server.url, me="a") as one, open_stores(any_server.url) as two:
        await one.stream.prepare()
        for _ in range(60):
            await one.write("enqueue", BODY)
        read = [await one.stream.read(count=60, block=timedelta(seconds=1))]
        await redis.xdel(keys.requests(), *(entry.entry_id for entry in read[0][:50]))
        found: list[Entry] = []
        after = ""
        while (part := await one.stream.reread(after=after, count=5)).after:
            found, after = [*found, *part.entries], part.after
        assert [each.entry_id for each in found] == [each.entry_id for each in read[0][50:]]
        # Idle ones stand behind as many that are not as Redis looks at in one call.
        last = read[0][-1].entry_id
        for _ in range(60):
            await one.write("enqueue", BODY)
        await redis.execute_command(
            *("XCLAIM", keys.requests(), keys.GROUP, "a", 0, last, "IDLE", 10**9, "JUSTID")
        )
        claimed: list[Entry] = []
        after = ""
        while True:
            part = await two.stream.take_over(idle=timedelta(seconds=60), after=after, count=1)
            claimed, after = [*claimed, *part.entries], part.after
            if not after:
                break
        assert [each.entry_id for each in claimed] == [last]


async def test_what_cannot_be_set_aside_stays_and_is_done_when_it_can_be(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores, outside(any_server.url) as wire:
        taker = ingest(stores)
        for key in ("queue:{ranked}", "dead:{ranked}"):
            await redis.set(key, "not ours")
        ranked = BODY.replace(b"Normal", b"Ranked")
        bodies = [ranked.replace(b"p1", name) for name in (b"bad1", b"bad2")]
        entries = [await stores.on_heard(RequestKind.ENQUEUE, body) for body in bodies]
        for _ in range(7):
            assert await taker.take(entries) == 2
        await redis.delete("queue:{ranked}", "dead:{ranked}")
        assert await taker.take(entries) == 0
        for name in ("bad1", "bad2"):
            await wire.is_told(name, "EnQueued")
        assert not taker._failing, "what was done is not remembered"


async def test_a_defect_of_ours_harms_what_it_met_alone(
    any_server: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_stores(any_server.url) as stores, outside(any_server.url) as wire:
        taker, enqueue = ingest(stores), stores.tickets.enqueue

        async def defective(queue: QueueName, batch: Sequence[Heard]) -> tuple[int, list[Outcome]]:
            if any(each.request.player_id == "bad" for each in batch):
                raise ValueError("a defect")
            return await enqueue(queue, batch)

        monkeypatch.setattr(stores.tickets, "enqueue", defective)
        for player in (b"p1", b"bad", b"p2"):
            await stores.on_heard(RequestKind.ENQUEUE, BODY.replace(b"p1", player))
        for _ in range(5):
            await taker.take(await stores.hearing.waiting(after="", count=9))
        for name, word in (("p1", "EnQueued"), ("p2", "EnQueued"), ("bad", "Error internal_error")):
            await wire.is_told(name, word)
        assert await stores.hearing.waiting(after="", count=9) == []
