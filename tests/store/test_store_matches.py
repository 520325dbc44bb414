"""Commit, claim, confirm, give back: each atomic, each safe to repeat. Against real servers."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from matchkeeper.domain.match import MatchState
from matchkeeper.store.asked import Reply
from matchkeeper.store.given_back import When
from matchkeeper.store.matches import NewMatch
from matchkeeper.store.pending import PendingMatch
from matchkeeper.wire.handed import HandoffReply
from tests.conftest import wait_until
from tests.support.stores import (
    CHANNEL,
    CLAIMED,
    NORMAL,
    RANKED,
    SETTINGS,
    Stores,
    token,
)


@pytest.fixture
async def heard(redis: Redis) -> AsyncIterator[PubSub]:
    """Somebody who listens to everything that is published to pods."""
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        await pubsub.psubscribe("pod:*")
        for _ in range(2):
            await pubsub.get_message(timeout=1)
        yield pubsub


async def messages(pubsub: PubSub, count: int) -> list[tuple[str, dict[str, object]]]:
    """The next messages as (channel, decoded payload)."""
    found: list[tuple[str, dict[str, object]]] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
            if message is not None:
                found.append((message["channel"], msgspec.json.decode(message["data"])))
    return found


async def claimed_match(
    stores: Stores, *, offer_timeout: float = 5.0, lease: float = 10.0
) -> NewMatch:
    """A committed match of p1 and p2 in claim handoff."""
    mode = dataclasses.replace(CLAIMED, claim_lease=timedelta(seconds=lease))
    await stores.enqueue("p1", CLAIMED, pod="pod-a")
    await stores.enqueue("p2", CLAIMED, pod="pod-b")
    match = await stores.new_match(CLAIMED)
    assert await stores.commit(mode, match, offer_timeout=offer_timeout) == ["committed"]
    return match


async def claim(
    stores: Stores, match: NewMatch, *, as_token: str, epoch: int = 1, pod: str = "pod-x"
) -> HandoffReply:
    return await stores.hand("claim", match.match_id, epoch=epoch, token=as_token, pod_id=pod)


async def confirm(
    stores: Stores, match: NewMatch, *, as_token: str, epoch: int = 1
) -> HandoffReply:
    return await stores.hand("confirm", match.match_id, epoch=epoch, token=as_token)


async def test_publish_handoff_delivers_and_tells_both_pods(
    stores: Stores, heard: PubSub, redis: Redis
) -> None:
    await stores.enqueue("p1", metadata='{"mmr":1}', pod="pod-a")
    await stores.enqueue("p2", pod="pod-b")
    match = await stores.new_match()
    assert await stores.commit(NORMAL, match) == ["committed"]
    offer, *found = await messages(heard, 3)
    assert offer[0] == CHANNEL
    assert offer[1]["player1"] == {
        "player_id": "p1",
        "score": int(match.tickets[0].enqueued_at),
        "pod_id": "pod-a",
        "metadata": {"mmr": 1, "pod_id": "pod-a"},
    }
    assert {channel for channel, _ in found} == {"pod:pod-a:match_result", "pod:pod-b:match_result"}
    for _, answer in found:
        result = answer["result_type"]
        assert isinstance(result, dict)
        assert result["MatchFound"]["match_id"] == match.match_id
    assert await redis.exists("queue:{normal}", "metadata:{normal}", "matched:{normal}") == 0


async def test_a_commit_sent_again_publishes_once(stores: Stores, heard: PubSub) -> None:
    await stores.enqueue("p1")
    await stores.enqueue("p2")
    match = await stores.new_match()
    for _ in range(3):
        assert await stores.commit(NORMAL, match) == ["committed"]
    await messages(heard, 3)
    assert await heard.get_message(ignore_subscribe_messages=True, timeout=0.1) is None


async def test_nothing_leaves_the_queue_when_nobody_listens(stores: Stores, redis: Redis) -> None:
    for mode in (NORMAL, CLAIMED):
        for player in ("p1", "p2", "p3", "p4"):
            await stores.enqueue(f"{mode.queue.mode}-{player}", mode)
        match = await stores.new_match(mode)
        before = await redis.zrange(f"queue:{{{mode.queue.mode}}}", 0, -1, withscores=True)
        assert await stores.commit(mode, match) == ["no_server"]
        assert await redis.zrange(f"queue:{{{mode.queue.mode}}}", 0, -1, withscores=True) == before
        assert await redis.keys("match:{*") == []
        assert await redis.keys("pending:*") == []


async def test_a_player_who_left_or_came_back_spoils_the_proposal(
    stores: Stores, heard: PubSub, redis: Redis
) -> None:
    await stores.enqueue("p1")
    await stores.enqueue("p2")
    match = await stores.new_match()
    await stores.dequeue("p1")
    assert await stores.commit(NORMAL, match) == ["stale"]
    await stores.enqueue("p1")
    assert await stores.commit(NORMAL, match) == ["stale"], "it has another place now"
    assert await redis.zcard("queue:{normal}") == 2


async def test_of_two_matches_with_one_player_the_first_wins(
    stores: Stores, heard: PubSub, redis: Redis
) -> None:
    await stores.enqueue("p1")
    await stores.enqueue("p2")
    one, two = await stores.new_match(), await stores.new_match()
    assert await stores.commit(NORMAL, one, two) == ["committed", "stale"]


async def test_a_player_put_by_hand_into_two_queues_gets_one_match(
    stores: Stores, heard: PubSub, redis: Redis
) -> None:
    for tag in ("squad", "ranked"):
        await redis.zadd(f"queue:{{{tag}}}", {"p1": 1, "p2": 2})
    for player in ("p1", "p2"):
        await redis.set(f"metadata:{player}", '{"pod_id":"a"}')
    first = await stores.new_match(CLAIMED)
    second = await stores.new_match(RANKED)
    assert await stores.commit(CLAIMED, first) == ["committed"]
    assert await stores.commit(RANKED, second) == ["stale"]
    assert await redis.zcard("queue:{ranked}") == 0
    assert await redis.exists("metadata:p1", "metadata:p2") == 0


async def test_claim_then_confirm_starts_once_and_tells_the_players(
    stores: Stores, heard: PubSub, redis: Redis
) -> None:
    match = await claimed_match(stores)
    await messages(heard, 1)
    assert (await stores.enqueue("p1", NORMAL)).reply is Reply.MATCH_PENDING
    assert await claim(stores, match, as_token="one") is HandoffReply.CLAIMED
    assert await claim(stores, match, as_token="one") is HandoffReply.CLAIMED
    assert await claim(stores, match, as_token="two", pod="y") is HandoffReply.ALREADY_CLAIMED
    other = await stores.hand("confirm", match.match_id, pod_id="y", token="two")
    assert other is HandoffReply.ALREADY_CLAIMED
    for _ in range(2):
        assert await confirm(stores, match, as_token="three") is HandoffReply.STARTED
    assert await confirm(stores, match, as_token="four") is HandoffReply.OTHER_TOKEN
    assert await claim(stores, match, as_token="two", pod="y") is HandoffReply.ALREADY_CLAIMED
    refused = [each.what for each in await stores.history.of_player("p1", limit=9)]
    assert "claim_refused" not in refused, "another was faster: that is no fault of anybody"
    found = await messages(heard, 2)
    for _, answer in found:
        result = answer["result_type"]
        assert isinstance(result, dict)
        assert result["MatchFound"]["claimed_by"] == "pod-x"
    assert await heard.get_message(ignore_subscribe_messages=True, timeout=0.1) is None
    assert await redis.exists("pending:{squad}", "matched:{squad}") == 0
    assert await redis.ttl(f"match:{{squad}}:{match.match_id}") > 0
    assert (await stores.enqueue("p1", NORMAL)).reply is Reply.QUEUED


async def test_a_confirm_without_a_claim_is_refused(stores: Stores, heard: PubSub) -> None:
    match = await claimed_match(stores)
    assert await confirm(stores, match, as_token="one") is HandoffReply.NOT_CLAIMED


async def overdue(stores: Stores, match: NewMatch) -> PendingMatch:
    """Waits for the deadline of a match."""

    async def due() -> bool:
        return match.match_id in (await stores.matches.overdue(CLAIMED.queue, count=10)).match_ids

    await wait_until(due)
    pending = await stores.matches.read(CLAIMED, match.match_id)
    assert isinstance(pending, PendingMatch)
    return pending


async def test_an_offer_that_ran_out_is_made_again_under_the_next_epoch(
    stores: Stores, heard: PubSub
) -> None:
    match = await claimed_match(stores, offer_timeout=0.02)
    pending = await overdue(stores, match)
    assert (pending.state, pending.epoch, pending.offers) == (MatchState.OFFERED, 1, 1)
    assert await claim(stores, match, as_token="one") is HandoffReply.TOO_LATE
    same = token()
    for _ in range(2):
        heard_by = await stores.matches.redeliver(
            CLAIMED, pending, token=same, channel=CHANNEL, offer="{}",
            offer_timeout=timedelta(seconds=5),
        )  # fmt: skip
        assert heard_by == 1
    other = await stores.matches.redeliver(
        CLAIMED, pending, token=token(), channel=CHANNEL, offer="{}",
        offer_timeout=timedelta(seconds=5),
    )  # fmt: skip
    assert other is None, "another server was faster"
    assert await claim(stores, match, as_token="one", epoch=1) is HandoffReply.OLD_EPOCH
    assert await claim(stores, match, as_token="one", epoch=2) is HandoffReply.CLAIMED
    assert await confirm(stores, match, as_token="one", epoch=1) is HandoffReply.OLD_EPOCH
    assert await confirm(stores, match, as_token="one", epoch=2) is HandoffReply.STARTED


async def test_neither_offered_again_nor_given_back_before_it_is_due_or_for_an_earlier_hand_out(
    stores: Stores, heard: PubSub
) -> None:
    match = await claimed_match(stores)
    pending = await stores.matches.read(CLAIMED, match.match_id)
    assert isinstance(pending, PendingMatch)
    assert await stores.matches.redeliver(
        CLAIMED, pending, token=token(), channel=CHANNEL, offer="{}",
        offer_timeout=timedelta(seconds=5),
    ) is None, "not due"  # fmt: skip
    assert await stores.matches.give_back(
        CLAIMED.queue, match.match_id, SETTINGS,
        epoch=2, cause="unclaimed", token=token(), when=When.NOW,
    ) is None, "of another epoch"  # fmt: skip
    assert await claim(stores, match, as_token="one", epoch=1) is HandoffReply.CLAIMED


async def test_given_back_with_the_place_and_the_metadata_they_had(
    stores: Stores, heard: PubSub, redis: Redis
) -> None:
    await stores.enqueue("early", CLAIMED)
    match = await claimed_match(stores, offer_timeout=0.02)
    before = [(ticket.ticket_id, ticket.enqueued_at) for ticket in match.tickets]
    await stores.enqueue("late", CLAIMED)
    await overdue(stores, match)
    same = token()
    for _ in range(2):
        back = await stores.matches.give_back(
            CLAIMED.queue, match.match_id, SETTINGS, epoch=1, cause="unclaimed", token=same
        )
        assert back is not None
        assert (back.put_back, back.left) == (2, ())
    assert await stores.matches.give_back(
        CLAIMED.queue, match.match_id, SETTINGS, epoch=1, cause="unclaimed", token=token()
    ) is None  # fmt: skip
    page = await stores.tickets.read(CLAIMED, start=0, count=10)
    waiting = [(ticket.ticket_id, ticket.enqueued_at) for ticket in page.tickets]
    assert waiting[:2] == before
    assert [player for player, _ in waiting] == ["early", "p1", "p2", "late"]
    assert page.unreadable == ()
    assert await redis.exists("matched:{squad}", "pending:{squad}") == 0
    assert await claim(stores, match, as_token="one") is HandoffReply.TOO_LATE


async def test_a_lease_that_ran_out_refuses_the_confirm(stores: Stores, heard: PubSub) -> None:
    match = await claimed_match(stores, lease=0.02)
    assert await claim(stores, match, as_token="one") is HandoffReply.CLAIMED
    await overdue(stores, match)
    assert await confirm(stores, match, as_token="one") is HandoffReply.TOO_LATE


@pytest.mark.parametrize("stored", ["inf", "nan", "1e9", "-1", "", "ten"])
async def test_no_lease_is_without_end(
    stores: Stores, heard: PubSub, redis: Redis, stored: str
) -> None:
    match = await claimed_match(stores)
    await redis.hset(f"match:{{squad}}:{match.match_id}", "lease", stored)
    assert await claim(stores, match, as_token="one") is HandoffReply.CLAIMED
    now, deadline = (await redis.time())[0], await redis.zscore("pending:{squad}", match.match_id)
    assert deadline is not None
    assert now - 1 < deadline < now + 3600


async def test_a_declined_match_is_due_at_once(stores: Stores, heard: PubSub) -> None:
    match = await claimed_match(stores)
    await claim(stores, match, as_token="one")
    refused = await stores.hand("decline", match.match_id, pod_id="pod-y", token="two")
    assert refused is HandoffReply.ALREADY_CLAIMED
    for _ in range(2):
        reply = await stores.hand("decline", match.match_id, token="three")
        assert reply is HandoffReply.DECLINED
    pending = await overdue(stores, match)
    assert (pending.state, pending.declined_by) == (MatchState.OFFERED, "pod-x")
    assert await confirm(stores, match, as_token="one") is HandoffReply.NOT_CLAIMED


async def test_who_leaves_a_pending_match_does_not_go_back(
    stores: Stores, heard: PubSub, redis: Redis
) -> None:
    match = await claimed_match(stores, offer_timeout=0.02)
    assert (await stores.dequeue("p1", CLAIMED)).reply is Reply.MATCH_PENDING
    await overdue(stores, match)
    back = await stores.matches.give_back(
        CLAIMED.queue, match.match_id, SETTINGS, epoch=1, cause="unclaimed", token=token()
    )
    assert back is not None
    assert [each.ticket_id for each in back.left] == ["p1"]
    assert await redis.zrange("queue:{squad}", 0, -1) == ["p2"]
    assert await redis.exists("leaving:{squad}", "matched:{squad}") == 0


async def test_every_key_ends_or_is_a_bounded_kind(
    stores: Stores, heard: PubSub, redis: Redis
) -> None:
    match = await claimed_match(stores)
    await claim(stores, match, as_token="one")
    await confirm(stores, match, as_token="one")
    await stores.enqueue("p9")
    await stores.dequeue("p9")
    await stores.coordination.may_send("x", timedelta(seconds=9))
    await stores.coordination.may_resolve("x")
    for key in set(await redis.keys("*")) - {"clock"}:  # one small hash
        assert await redis.ttl(key) > 0, f"{key!r} stays for ever"


@pytest.mark.parametrize("when", [When.NOW, When.LEAVE])
async def test_a_match_that_is_ended_before_its_deadline(
    stores: Stores, heard: PubSub, redis: Redis, when: When
) -> None:
    match = await claimed_match(stores)
    before = {ticket.ticket_id: ticket.enqueued_at for ticket in match.tickets}
    assert await claim(stores, match, as_token="one") is HandoffReply.CLAIMED
    same, cause = token(), "operator"
    assert await stores.matches.give_back(
        CLAIMED.queue, match.match_id, SETTINGS, epoch=1, cause=cause, token=token()
    ) is None, "not due"  # fmt: skip
    for _ in range(2):
        back = await stores.matches.give_back(
            CLAIMED.queue, match.match_id, SETTINGS, epoch=1, cause=cause, token=same, when=when
        )
        assert back is not None
        put_back = back.put_back
        left = [member.pod_id for each in back.left for member in each.members]
    page = await stores.tickets.read(CLAIMED, start=0, count=9)
    stays = {ticket.ticket_id: ticket.enqueued_at for ticket in page.tickets}
    if when is When.NOW:
        assert (put_back, stays, left) == (2, before, [])
    else:
        assert (put_back, stays) == (0, {})
        assert left == ["pod-a", "pod-b"]
    assert await redis.exists("matched:{squad}", "pending:{squad}", "leaving:{squad}") == 0
    assert await confirm(stores, match, as_token="one") is HandoffReply.TOO_LATE
