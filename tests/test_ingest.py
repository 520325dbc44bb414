"""What happens to requests that Redis does not take, against a real server behind a proxy."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

import pytest

from matchkeeper.domain.ticket import Ticket
from matchkeeper.errors import StoreError
from matchkeeper.loops.ingest import Ingest, IngestRules, Message
from matchkeeper.loops.traces import Untraced
from matchkeeper.observe.events import Throttle
from matchkeeper.observe.metrics import Metrics
from matchkeeper.protocol.requests import RequestKind
from matchkeeper.store.streams import Entry, Submitted
from tests.conftest import RealServer, wait_until
from tests.harness import outside
from tests.proxy import proxy_to
from tests.stores import CLAIMED, NORMAL, RANKED, Stores, open_stores, token

BODY = b'{"player_id":"p1","game_mode":"Normal","metadata":{},"pod_id":"pod-a"}'


class _NoLoop:
    def arrived(self, queue_length: int, tickets: Sequence[Ticket]) -> None:
        pass

    def left(self, players: Sequence[str]) -> None:
        pass


def ingest(stores: Stores, metrics: Metrics | None = None) -> Ingest:
    return Ingest(
        [NORMAL, RANKED, CLAIMED],
        tickets=stores.tickets,
        streams=stores.streams,
        coordination=stores.coordination,
        connection=stores.connection,
        rules=IngestRules(
            max_bytes=65536,
            memory=timedelta(seconds=5),
            result_channel=lambda pod: f"pod:{pod}:match_result",
        ),
        queues=defaultdict(_NoLoop),
        traces=Untraced(),
        metrics=metrics or Metrics(),
        throttle=Throttle(interval=timedelta(seconds=10), clock=time.monotonic),
        new_token=token,
        stop=stores.stop,
    )


@pytest.mark.parametrize(
    ("stopping", "code"), [(False, "internal_error"), (True, "server_shutting_down")]
)
async def test_who_could_not_be_queued_is_told(
    stopping: bool, code: str, valkey: RealServer
) -> None:
    async with (
        proxy_to(valkey.port) as proxy,
        open_stores(proxy.url, failures=100) as stores,
        outside(valkey.url) as wire,
    ):
        if stopping:
            stores.stop.set()
        proxy.lose_replies_to = b"EVALSHA"
        proxy.lose_at_most = 100
        await ingest(stores).take([Message(kind=RequestKind.ENQUEUE, payload=BODY)])
        await wire.is_told("p1", f"Error {code}")


async def test_a_request_whose_reply_was_lost_is_done_and_out_of_the_stream(
    valkey: RealServer,
) -> None:
    async with proxy_to(valkey.port) as proxy, open_stores(proxy.url, failures=100) as stores:
        await stores.streams.prepare()
        assert await stores.streams.submit("normal", "enqueue", BODY, limit=10) == Submitted.ADDED
        (entry,) = await stores.streams.read(count=10, block=timedelta(seconds=1))
        await stores.enqueue("warm")
        proxy.lose_replies_to = b"EVALSHA"
        proxy.lose_at_most = 3
        message = Message(kind=RequestKind.ENQUEUE, payload=entry.body, entry=entry)
        with pytest.raises(StoreError):
            await ingest(stores).take([message])
        assert await stores.streams.reread(count=10) == []
        assert (await stores.tickets.where("p1"))[0][0] == "normal"


async def test_a_server_that_died_leaves_its_requests_to_another(valkey: RealServer) -> None:
    async with (
        open_stores(valkey.url, me="a") as one,
        open_stores(valkey.url, me="b") as two,
        outside(valkey.url) as wire,
    ):
        await one.streams.prepare()
        await one.streams.submit("normal", "enqueue", BODY, limit=10)
        assert len(await one.streams.read(count=10, block=timedelta(seconds=1))) == 1
        taken: list[Entry] = []

        async def take_over() -> bool:
            taken.extend(await two.streams.take_over(idle=timedelta(milliseconds=50), count=10))
            return bool(taken)

        await wait_until(take_over)
        late = [Message(kind=RequestKind.ENQUEUE, payload=each.body, entry=each) for each in taken]
        await ingest(two).take(late)
        await wire.is_told("p1", "EnQueued")
        await ingest(one).take(late)
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
    ]
    async with proxy_to(valkey.port) as proxy, open_stores(proxy.url, failures=100) as stores:
        metrics = Metrics()
        taking = ingest(stores, metrics)
        await taking.take([Message(kind=RequestKind.ENQUEUE, payload=each) for each in bad])
        proxy.lose_replies_to = b"EVALSHA"
        proxy.lose_at_most = 100
        await taking.take([Message(kind=RequestKind.ENQUEUE, payload=BODY)])
    found = {
        tuple(sample.labels.values()): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "matchkeeper_refused_requests_total"
    }
    assert found == {
        ("Normal", "invalid_metadata"): 1,
        ("Normal", "invalid_message_format"): 2,
        ("Normal", "internal_error"): 1,
        ("", "invalid_game_mode"): 1,
        ("", "invalid_message_format"): 1,
    }


async def test_the_stream_has_a_bound(valkey: RealServer) -> None:
    async with open_stores(valkey.url) as stores:
        first = await stores.streams.submit("normal", "enqueue", BODY, limit=2)
        assert first == Submitted.NO_STREAM
        await stores.streams.prepare()
        replies = [await stores.streams.submit("normal", "enqueue", BODY, limit=2) for _ in "abc"]
        assert replies == [Submitted.ADDED, Submitted.ADDED, Submitted.FULL]


async def test_a_mixed_batch_takes_few_script_calls_and_keeps_each_players_order(
    valkey: RealServer,
) -> None:
    wishes = [("a", "enqueue"), ("b", "enqueue"), ("a", "dequeue"), ("c", "enqueue")]
    wishes += [("b", "dequeue"), ("a", "enqueue"), ("d", "enqueue")]
    async with open_stores(valkey.url) as stores:
        messages = [
            Message(kind=RequestKind(kind), payload=BODY.replace(b"p1", player.encode()) + b" " * n)
            for n, (player, kind) in enumerate(wishes)
        ]
        await ingest(stores).take(messages)
        scripts = [name for name, _ in stores.seen.operations if name in ("enqueue", "dequeue")]
        assert scripts == ["enqueue", "dequeue", "enqueue"]
        # Repetitions need no call of their own.
        payload = BODY.replace(b"p1", b"e")
        await ingest(stores).take([Message(kind=RequestKind.ENQUEUE, payload=payload)] * 5)
        assert [name for name, _ in stores.seen.operations].count("enqueue") == 3
        page = await stores.tickets.read(NORMAL, start=0, count=10)
    assert [ticket.player_id for ticket in page.tickets] == ["c", "a", "d", "e"]
