"""Leaving while a match is pending: what was asked holds for the queues it was asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis.asyncio import Redis

from matchkeeper.domain.mode import GameMode
from matchkeeper.store.asked import Reply
from matchkeeper.store.given_back import When
from matchkeeper.store.matches import NewMatch
from matchkeeper.store.pending import PendingMatch
from tests.conftest import RealServer
from tests.support.stores import CHANNEL, CLAIMED, RANKED, SETTINGS, Stores, open_stores, token


async def _pending(stores: Stores) -> NewMatch:
    match = await stores.new_match(CLAIMED)
    assert await stores.commit(CLAIMED, match) == ["committed"]
    return match


async def _give_back(stores: Stores, match: NewMatch) -> list[str]:
    """The players who left, in the order in which they are told."""
    back = await stores.matches.give_back(
        CLAIMED.queue,
        match.match_id,
        SETTINGS,
        epoch=1,
        cause="unclaimed",
        token=token(),
        when=When.NOW,
    )
    assert back is not None
    return [each.ticket_id for each in back.left]


@pytest.mark.usefixtures("listener")
async def test_the_text_of_an_earlier_dequeue_is_a_new_wish_in_a_pending_match(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores:
        await stores.enqueue("p1", CLAIMED)
        assert (await stores.dequeue("p1", CLAIMED)).reply is Reply.DEQUEUED
        for player in ("p1", "p2"):
            await stores.enqueue(player, CLAIMED)
        match = await _pending(stores)
        asked = await stores.dequeue("p1", CLAIMED)
        assert (asked.reply, asked.detail) == (Reply.MATCH_PENDING, match.match_id)
        assert await _give_back(stores, match) == ["p1"]
    assert await redis.zrange("queue:{squad}", 0, -1) == ["p2"]


@pytest.mark.usefixtures("listener")
async def test_the_same_dequeue_counts_for_the_next_pending_match_as_well(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores:
        for player in ("p1", "p2"):
            await stores.enqueue(player, CLAIMED)
        first = await _pending(stores)
        await stores.dequeue("p1", CLAIMED)
        assert await _give_back(stores, first) == ["p1"]
        await stores.enqueue("p1", CLAIMED)
        second = await _pending(stores)
        asked = await stores.dequeue("p1", CLAIMED)
        assert (asked.reply, asked.detail) == (Reply.MATCH_PENDING, second.match_id)
        assert await _give_back(stores, second) == ["p1"]
        assert (await stores.dequeue("p1", CLAIMED)).reply is Reply.NOT_IN_QUEUE
    assert await redis.zrange("queue:{squad}", 0, -1) == ["p2"]


@pytest.mark.usefixtures("listener")
@pytest.mark.parametrize(
    ("asked_for", "remaining"),
    [
        ([CLAIMED], {"ranked": ["p1"], "squad": ["p2"]}),
        ([RANKED], {"ranked": [], "squad": ["p1", "p2"]}),
        ([CLAIMED, RANKED, CLAIMED], {"ranked": [], "squad": ["p2"]}),
    ],
)
async def test_in_several_queues_leaving_counts_for_the_queue_it_was_asked_for(
    any_server: RealServer,
    redis: Redis,
    asked_for: list[GameMode],
    remaining: dict[str, list[str]],
) -> None:
    async with open_stores(any_server.url, several_queues=True) as stores:
        for mode in (CLAIMED, RANKED):
            await stores.enqueue("p1", mode)
        await stores.enqueue("p2", CLAIMED)
        match = await _pending(stores)
        for mode in asked_for:
            asked = await stores.dequeue("p1", mode)
            assert (asked.reply, asked.detail) == (Reply.MATCH_PENDING, match.match_id)
        assert await _give_back(stores, match) == ["p1"] * len(set(asked_for))
    for tag, players in remaining.items():
        assert await redis.zrange(f"queue:{{{tag}}}", 0, -1) == players
    assert await redis.exists("leaving:{squad}", "matched:{squad}") == 0


async def test_a_wrong_type_in_another_mode_does_not_stop_leaving(
    any_server: RealServer, redis: Redis
) -> None:
    await redis.set("matched:{squad}", "not ours")
    async with open_stores(any_server.url, several_queues=True) as stores:
        await stores.enqueue("p1", RANKED)
        assert (await stores.dequeue("p1", RANKED)).reply is Reply.DEQUEUED


@pytest.mark.usefixtures("listener")
async def test_a_decline_is_forgotten_with_the_next_offer(any_server: RealServer) -> None:
    async with open_stores(any_server.url) as stores:
        for player in ("p1", "p2"):
            await stores.enqueue(player, CLAIMED)
        match = await _pending(stores)
        matches = stores.matches
        for kind in ("claim", "decline"):
            await stores.hand(kind, match.match_id)
        declined = await matches.read(CLAIMED, match.match_id)
        assert isinstance(declined, PendingMatch)
        assert declined.declined_by == "pod-x"
        heard = await matches.redeliver(
            CLAIMED,
            declined,
            token=token(),
            channel=CHANNEL,
            offer="{}",
            offer_timeout=timedelta(seconds=5),
        )
        assert heard == 1
        offered = await matches.read(CLAIMED, match.match_id)
    assert isinstance(offered, PendingMatch)
    assert offered.declined_by is None
