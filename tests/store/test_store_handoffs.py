"""Messages about matches, as the script does them: many at once, each with its reply."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from matchkeeper.domain.realm import QueueName
from matchkeeper.store import keys
from matchkeeper.store.durability import Durability
from matchkeeper.store.handoffs import Came, Handed, Handoffs
from matchkeeper.store.stream import Entry
from matchkeeper.wire.handed import HandoffReply
from tests.conftest import RealServer
from tests.support.intakes import handoff_requests
from tests.support.stores import CHANNEL, CLAIMED, Stores, handed, open_stores, token

R = HandoffReply
ANSWERS = "pod:pod-x:match_result"


@pytest.fixture(autouse=True)
async def heard(redis: Redis) -> AsyncIterator[PubSub]:
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL, ANSWERS)
        for _ in range(2):
            await pubsub.get_message(timeout=1)
        yield pubsub


async def offered(stores: Stores, count: int = 1, *, offer_timeout: float = 5) -> list[str]:
    """The ids of new matches."""
    found = []
    for _ in range(count):
        for _ in range(2):
            await stores.enqueue(token(), CLAIMED)
        match = await stores.new_match(CLAIMED)
        assert await stores.commit(CLAIMED, match, offer_timeout=offer_timeout) == ["committed"]
        found.append(match.match_id)
    return found


async def do(stores: Stores, *batch: Handed) -> Sequence[HandoffReply]:
    handoffs = Handoffs(stores.connection, channel=ANSWERS.split("pod-x"))
    came: Came = await handoffs.do(CLAIMED.queue, batch)
    assert came.durable
    return came.replies


async def answers(heard: PubSub) -> list[tuple[str, str, str]]:
    """(match id, token, reply) of what the pod hears."""
    found = []
    while message := await heard.get_message(ignore_subscribe_messages=True, timeout=0.2):
        if message["channel"] == ANSWERS:
            answer = json.loads(message["data"])
            came = answer["result_type"]["Handoff"]
            found.append((answer["match_id"], came["token"], came["reply"]))
    return found


async def test_a_batch_is_done_in_its_order_and_answered(
    stores: Stores, heard: PubSub, redis: Redis
) -> None:
    one, two, three = await offered(stores, 3)
    batch = [
        handed("claim", one, token="a"),
        handed("claim", one, token="b", pod_id="pod-y"),
        handed("confirm", one, token="c"),
        handed("start", two, token="d"),
        handed("claim", three, token="e"),
        handed("decline", three, token="f"),
        handed("claim", three, token="g"),
        handed("claim", "none", token="h"),
    ]
    replies = [
        R.CLAIMED, R.ALREADY_CLAIMED, R.STARTED, R.STARTED, R.CLAIMED, R.DECLINED, R.TOO_LATE,
        R.UNKNOWN_MATCH,
    ]  # fmt: skip
    assert await do(stores, *batch) == replies
    told = [
        (each.request.match_id, each.request.token, reply.value)
        for each, reply in zip(batch, replies, strict=True)
        if each.request.pod_id == "pod-x"
    ]
    assert await answers(heard) == told
    assert await redis.zrange("pending:{squad}", 0, -1, withscores=True) == [(three, 0.0)]
    assert set(await redis.hvals("matched:{squad}")) == {three}
    assert await redis.hget(f"match:{{squad}}:{two}", "claimed_by") == "pod-x"


async def test_whatever_stands_in_a_message_its_answer_can_be_read(
    any_server: RealServer, stores: Stores, heard: PubSub
) -> None:
    names = [
        '"',
        "\\",
        "/",
        "\u00e4\u2028",
        "{}",
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    ]
    channel = ANSWERS.split("pod-x")
    handoffs = Handoffs(stores.connection, channel=channel)
    await handoffs.do(CLAIMED.queue, [handed("claim", each, token=each) for each in names])
    assert await answers(heard) == [(each, each, "unknown_match") for each in names]


async def test_the_same_message_gets_the_same_reply(stores: Stores, heard: PubSub) -> None:
    one, two = await offered(stores, 2)
    for _ in range(2):
        assert await do(stores, handed("claim", one, token="a")) == [R.CLAIMED]
    for _ in range(2):
        assert await do(stores, handed("confirm", one, token="b")) == [R.STARTED]
        assert await do(stores, handed("start", two, token="c")) == [R.STARTED]
    assert await do(stores, handed("claim", one, token="a")) == [R.CLAIMED]
    assert await do(stores, handed("start", two, token="d")) == [R.OTHER_TOKEN], "another process"
    assert await do(stores, handed("decline", two, token="e")) == [R.STARTED]


async def test_what_a_server_with_other_settings_left_confirmed_is_told_once_it_has_started(
    any_server: RealServer, stores: Stores, heard: PubSub
) -> None:
    (match_id,) = await offered(stores)
    confirm = handed("confirm", match_id, token="b")
    async with open_stores(any_server.url, durability="replicas:1") as others:
        await others.hand("claim", match_id, token="a")
        await others.handoffs.do(CLAIMED.queue, [confirm], durability=Durability())
    assert await do(stores, confirm) == [R.CONFIRMED]
    assert await answers(heard) == []
    handoffs = Handoffs(stores.connection, channel=ANSWERS.split("pod-x"))
    assert await handoffs.settle(CLAIMED.queue, [confirm]) == [R.STARTED]
    assert await answers(heard) == [(match_id, "b", "started")]


async def test_what_cannot_be_undone_since_it_has_started_is_told_so(
    any_server: RealServer, stores: Stores, heard: PubSub
) -> None:
    """Another server found the same confirm to be durable."""

    class Overtaken(Handoffs):
        async def do(
            self,
            queue: QueueName,
            batch: Sequence[Handed],
            *,
            durability: Durability | None = None,
            hand: str = "",
        ) -> Came:
            came = await super().do(queue, batch, durability=durability, hand=hand)
            await self.settle(queue, batch)
            return came

    (match_id,) = await offered(stores)
    await stores.hand("claim", match_id, token="a")
    async with open_stores(any_server.url, durability="replicas:1") as durable:
        durable.handoffs = Overtaken(durable.connection)
        confirm = handed("confirm", match_id, token="b")
        await handoff_requests(durable).do(CLAIMED, [confirm])
    assert await answers(heard) == [(match_id, "b", "started")]


async def test_a_start_that_came_again_is_not_taken_back_by_who_had_it_first(
    any_server: RealServer, stores: Stores, heard: PubSub
) -> None:
    """Whoever had the copy in hand may have told of the start, before a failover that lost it."""

    class CameAgain(Handoffs):
        async def undo(
            self, queue: QueueName, batch: Sequence[Handed], *, hand: str
        ) -> list[HandoffReply]:
            await super().do(queue, batch, durability=Durability(), hand="another")
            assert await super().undo(queue, batch, hand="another") == [R.CONFIRMED]
            return await super().undo(queue, batch, hand=hand)

    (match_id,) = await offered(stores)
    await stores.hand("claim", match_id, token="a")
    async with open_stores(any_server.url, durability="replicas:1") as durable:
        durable.handoffs = CameAgain(durable.connection)
        confirm = handed("confirm", match_id, token="b")
        await handoff_requests(durable).do(CLAIMED, [confirm])
        assert await answers(heard) == [], "who has it in hand answers"
        held = await durable.handoffs.settle(CLAIMED.queue, [confirm])
        assert held == [R.STARTED], "it was not taken back"


async def test_a_claim_that_was_not_durable_is_not_taken_back_once_it_was_confirmed(
    any_server: RealServer, stores: Stores
) -> None:
    """Another server has told the pod of the same claim, which was durable there."""
    (match_id,) = await offered(stores)
    async with open_stores(any_server.url, durability="replicas:1") as durable:
        claim = handed("claim", match_id, token="a")
        for each in (claim, handed("confirm", match_id, token="b")):
            await durable.handoffs.do(
                CLAIMED.queue, [each], durability=Durability(), hand=each.request.token
            )
        assert await durable.handoffs.undo(CLAIMED.queue, [claim], hand="a") == [R.CONFIRMED]
        confirm = handed("confirm", match_id, token="b")
        assert await durable.handoffs.undo(CLAIMED.queue, [confirm], hand="b") == [R.DECLINED]
        assert await durable.handoffs.undo(CLAIMED.queue, [confirm], hand="b") == [R.DECLINED]
        assert await durable.handoffs.undo(CLAIMED.queue, [claim], hand="a") == [R.NOT_CLAIMED]


@pytest.mark.parametrize("kind", ["confirm", "decline"])
async def test_what_came_too_early_is_refused_for_good(
    stores: Stores, heard: PubSub, kind: str
) -> None:
    """Its sender has given up; a copy of it is not granted because somebody claimed meanwhile."""
    (match_id,) = await offered(stores)
    assert await do(stores, handed(kind, match_id, token="early")) == [R.NOT_CLAIMED]
    assert await do(stores, handed("claim", match_id, token="a")) == [R.CLAIMED]
    assert await do(stores, handed(kind, match_id, token="early")) == [R.NOT_CLAIMED]
    assert await do(stores, handed(kind, match_id, token="late")) != [R.NOT_CLAIMED]


async def test_a_claim_that_was_refused_stays_refused(
    stores: Stores, heard: PubSub, redis: Redis
) -> None:
    now = (await redis.time())[0]
    (match_id,) = await offered(stores)
    await redis.hset("claimers:{squad}", "pod-x", f"3 {now - 1}.0 {now + 3600}.0")
    assert await do(stores, handed("claim", match_id, token="a")) == [R.REFUSED]
    await redis.delete("claimers:{squad}")
    assert await do(stores, handed("claim", match_id, token="a")) == [R.REFUSED]
    assert await do(stores, handed("claim", match_id, token="b")) == [R.CLAIMED]


async def test_what_is_kept_of_refusals_is_bounded(
    stores: Stores, heard: PubSub, redis: Redis
) -> None:
    (match_id,) = await offered(stores)
    for number in range(200):
        early = handed("confirm", match_id, token=f"{number}-" + "x" * 100)
        assert await do(stores, early) == [R.NOT_CLAIMED]
    assert len(str(await redis.hget(f"match:{{squad}}:{match_id}", "said"))) <= 2048


@pytest.mark.parametrize(("epoch", "reply"), [(1, R.OLD_EPOCH), (3, R.UNKNOWN_EPOCH)])
async def test_the_reply_says_which_epoch_is_wrong(
    stores: Stores, heard: PubSub, redis: Redis, epoch: int, reply: HandoffReply
) -> None:
    (match_id,) = await offered(stores)
    await redis.hset(f"match:{{squad}}:{match_id}", "epoch", 2)
    for kind in ("claim", "confirm", "start", "decline"):
        assert await do(stores, handed(kind, match_id, epoch=epoch)) == [reply]


async def test_of_another_pods_match_nothing_is_granted(stores: Stores, heard: PubSub) -> None:
    (match_id,) = await offered(stores)
    assert await do(stores, handed("claim", match_id)) == [R.CLAIMED]
    for kind in ("claim", "confirm", "start", "decline"):
        message = handed(kind, match_id, pod_id="pod-y", token=kind)
        assert await do(stores, message) == [R.ALREADY_CLAIMED]


async def test_messages_leave_their_stream_in_the_same_step(
    stores: Stores, heard: PubSub, redis: Redis
) -> None:
    (match_id,) = await offered(stores)
    await stores.stream.prepare()
    ids = [await stores.write("handoff") for _ in range(2)]
    assert len(await redis.xreadgroup(keys.GROUP, "server-1", {keys.requests(): ">"})) == 1
    entries = [
        Entry(stream=keys.requests(), entry_id=each, kind="handoff", body=b"{}", group=keys.GROUP)
        for each in ids
    ]
    await do(
        stores,
        handed("claim", match_id, token="a", entry=entries[0]),
        handed("confirm", match_id, token="b", entry=entries[1]),
    )
    assert await redis.xlen(keys.requests()) == 0
    assert (await redis.xpending(keys.requests(), keys.GROUP))["pending"] == 0


@pytest.mark.parametrize(
    ("field", "text"), [("ids", "\xff"), ("notices", "x"), ("notices", ""), ("epoch", "x")]
)
async def test_a_match_that_cannot_be_read_is_unknown_and_harms_no_other(
    stores: Stores, heard: PubSub, redis: Redis, field: str, text: str
) -> None:
    bad, good = await offered(stores, 2)
    await do(stores, handed("claim", bad), handed("claim", good))
    await redis.hset(f"match:{{squad}}:{bad}", field, text)
    replies = await do(stores, handed("confirm", bad), handed("confirm", good))
    assert replies == [R.UNKNOWN_MATCH, R.STARTED]
    assert await redis.zrange("pending:{squad}", 0, -1) == [bad]


async def test_a_key_that_is_no_match_is_unknown(
    stores: Stores, heard: PubSub, redis: Redis
) -> None:
    await redis.set("match:{squad}:x", "a text")
    (good,) = await offered(stores)
    assert await do(stores, handed("start", "x"), handed("start", good)) == [
        R.UNKNOWN_MATCH,
        R.STARTED,
    ]


async def test_many_messages_take_one_call(stores: Stores, heard: PubSub) -> None:
    ids = await offered(stores, 20)
    before = len(stores.seen.operations)
    replies = await do(stores, *(handed("start", each, token=each) for each in ids))
    assert set(replies) == {R.STARTED}
    assert len(stores.seen.operations) == before + 1
