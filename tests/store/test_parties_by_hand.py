"""Parties that somebody put into a queue, changed or took out by hand."""

from __future__ import annotations

import json

import pytest
from redis.asyncio import Redis

from matchkeeper.store.asked import Reply
from tests.support.parties import index_of, to_match
from tests.support.stores import (
    DUOS,
    NORMAL,
    Stores,
)


async def test_a_party_put_there_by_hand_is_entered_when_it_is_read(
    stores: Stores, redis: Redis
) -> None:
    await redis.set("metadata:H", json.dumps({"pod_id": "pod", "players": [{"player_id": "a"}]}))
    await redis.zadd("queue:{duos}", {"H": 5})
    (ticket,), poisoned = await to_match(stores)
    assert (ticket.party_id, ticket.hand_made, poisoned) == ("H", False, [])
    assert [(each.player_id, each.pod_id) for each in ticket.members] == [("a", "pod")]
    assert await index_of(redis) == {"a": "duos H"}
    assert await redis.exists("metadata:H") == 0
    assert (await stores.enqueue("a", NORMAL)).detail == "duos H"
    assert (await stores.dequeue("a", DUOS)).reply is Reply.DEQUEUED


@pytest.mark.parametrize(
    ("first", "why"),
    [
        ("alone", "player a is waiting in duos, too"),
        ("elsewhere", "player a is waiting in normal, too"),
        ("party", "player a is in party P of duos, too"),
        ("player", "H is a player in party P of duos"),
    ],
)
async def test_what_was_put_there_by_hand_and_is_there_twice_is_set_aside(
    stores: Stores, redis: Redis, first: str, why: str
) -> None:
    if first == "alone":
        await stores.enqueue("a", DUOS)
    elif first == "elsewhere":
        await stores.enqueue("a", NORMAL)
    else:
        await stores.enqueue_party("P", "a" if first == "party" else "H", "x")
    text = json.dumps({"pod_id": "pod", "players": [{"player_id": "a"}, {"player_id": "b"}]})
    await redis.set("metadata:H", text)
    await redis.zadd("queue:{duos}", {"H": 9e9})
    tickets, poisoned = await to_match(stores)
    assert ([each.ticket_id for each in tickets], poisoned) == (
        [] if first == "elsewhere" else ["a" if first == "alone" else "P"], [why],
    )  # fmt: skip
    assert "b" not in await index_of(redis)


async def test_a_lone_player_put_there_by_hand_who_is_in_a_party_is_set_aside(
    stores: Stores, redis: Redis
) -> None:
    await stores.enqueue_party("P", "a", "b")
    await redis.set("metadata:b", '{"pod_id":"pod"}')
    await redis.zadd("queue:{normal}", {"b": 9e9})
    tickets, poisoned = await to_match(stores, NORMAL)
    assert (tickets, poisoned) == ([], ["b is a player in party P of duos"])


async def test_a_party_that_was_changed_by_hand_is_entered_anew(
    stores: Stores, redis: Redis
) -> None:
    await stores.enqueue_party("P", "a", "b")
    text = json.dumps({"pod_id": "pod", "players": [{"player_id": "a"}, {"player_id": "c"}]})
    await redis.hset("metadata:{duos}", "P", text)
    await to_match(stores)
    assert (await index_of(redis))["c"] == "duos P"
    assert await stores.tickets.parties.sweep() == 1
    assert await index_of(redis) == {"a": "duos P", "c": "duos P"}


async def test_what_is_left_of_a_party_that_was_taken_out_by_hand_refuses_nobody(
    stores: Stores, redis: Redis
) -> None:
    await stores.enqueue_party("P", "a", "b")
    await redis.zrem("queue:{duos}", "P")
    assert (await stores.enqueue("a", NORMAL)).reply is Reply.QUEUED
    assert (await stores.enqueue_party("Q", "b", "c")).reply is Reply.QUEUED
    assert await stores.tickets.parties.sweep() == 1
    assert await index_of(redis) == {"b": "duos Q", "c": "duos Q"}


async def test_an_index_of_another_type_stops_nobody_who_is_alone(
    stores: Stores, redis: Redis
) -> None:
    await redis.set("parties", "somebody else's")
    assert (await stores.enqueue("a", DUOS)).reply is Reply.QUEUED
    text = json.dumps({"pod_id": "pod", "players": [{"player_id": "x"}]})
    await redis.hset("metadata:{duos}", "H", text)
    await redis.zadd("queue:{duos}", {"H": 5})
    assert [each.ticket_id for each in (await to_match(stores))[0]] == ["a"], "the party waits"
    assert (await stores.dequeue("a", DUOS)).reply is Reply.DEQUEUED
    assert await stores.tickets.parties.sweep() == 0


@pytest.mark.parametrize("players", [[], [{"player_id": 5}], {"a": 1}])
async def test_a_party_of_nobody_leaves_as_a_lone_player_does(
    stores: Stores, redis: Redis, players: object
) -> None:
    await redis.set("metadata:H", json.dumps({"pod_id": "pod", "players": players}))
    await redis.zadd("queue:{duos}", {"H": 5})
    left = await stores.dequeue("H", DUOS)
    assert (left.reply, left.detail, left.ticket_id, left.players) == (
        Reply.DEQUEUED, "pod", "H", 1,
    )  # fmt: skip
    assert await redis.zcard("queue:{duos}") == 0


async def test_metadata_of_another_type_does_not_end_the_sweep(
    stores: Stores, redis: Redis
) -> None:
    await stores.enqueue_party("P", "a", "b")
    await stores.enqueue_party("Q", "c", "d", mode=NORMAL)
    await redis.zrem("queue:{duos}", "P")
    await redis.set("metadata:{normal}", "somebody else's")
    assert await stores.tickets.parties.sweep() == 2
    assert await index_of(redis) == {"c": "normal Q", "d": "normal Q"}


@pytest.mark.usefixtures("listener")
async def test_a_match_takes_nobody_out_elsewhere_who_only_has_the_same_id(
    stores: Stores, redis: Redis
) -> None:
    await stores.enqueue_party("P", "a", "b")
    await stores.enqueue("x", NORMAL)
    await redis.hset("metadata:{normal}", "P", '{"pod_id":"pod"}')
    await redis.zadd("queue:{normal}", {"P": 9e9})
    assert await stores.commit(NORMAL, await stores.new_match(NORMAL)) == ["committed"]
    assert await redis.zcard("queue:{normal}") == 0
    assert await redis.zrange("queue:{duos}", 0, -1) == ["P"]
    assert sorted(await index_of(redis)) == ["a", "b"]
