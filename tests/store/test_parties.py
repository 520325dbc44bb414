"""Parties in the store: nobody of them is anywhere else; what ends the ticket frees them all."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Poison, PoisonedTicket
from matchkeeper.store.asked import Reply, party_in
from matchkeeper.store.given_back import GivenBack, When
from matchkeeper.store.matches import NewMatch
from matchkeeper.store.pending import UnreadableMatch
from matchkeeper.wire.handed import HandoffReply
from tests.conftest import RealServer
from tests.support.parties import index_of, pending_duos, to_match, two_parties
from tests.support.stores import (
    CHANNEL,
    DUOS,
    NORMAL,
    RANKED,
    SETTINGS,
    Stores,
    dequeue_request,
    enqueue_request,
    heard,
    open_stores,
    party_request,
    token,
)


async def test_a_party_is_one_ticket_and_its_players_are_in_the_index(
    stores: Stores, redis: Redis
) -> None:
    done = await stores.enqueue_party("P", "a", "b")
    assert done.reply is Reply.QUEUED
    assert await redis.zrange("queue:{duos}", 0, -1) == ["P"]
    assert await index_of(redis) == {"a": "duos P", "b": "duos P"}
    (ticket,), poisoned = await to_match(stores)
    assert [(each.player_id, each.pod_id) for each in ticket.members] == [("a", "a"), ("b", "b")]
    assert (ticket.is_party, ticket.party_id, poisoned) == (True, "P", [])


async def test_who_is_in_a_party_is_nowhere_else(stores: Stores, redis: Redis) -> None:
    await stores.enqueue_party("P", "a", "b")
    alone = await stores.enqueue("a", DUOS)
    assert (alone.reply, alone.detail) == (Reply.IN_PARTY, "duos P")
    elsewhere = await stores.enqueue("b", NORMAL)
    assert (elsewhere.reply, elsewhere.detail) == (Reply.IN_PARTY, "duos P")
    second = await stores.enqueue_party("Q", "c", "b", mode=NORMAL)
    assert (second.reply, second.detail) == (Reply.IN_PARTY, "b\nduos P")
    again = await stores.enqueue_party("P", "a", "b")
    assert again.reply is Reply.ALREADY_IN_QUEUE
    assert await redis.keys("queue:*") == ["queue:{duos}"]
    assert await index_of(redis) == {"a": "duos P", "b": "duos P"}, "nobody of Q was entered"


@pytest.mark.parametrize("where", [DUOS, NORMAL], ids=["here", "in another mode"])
async def test_a_party_is_refused_whole_where_one_of_it_waits_alone(
    stores: Stores, redis: Redis, where: GameMode
) -> None:
    await stores.enqueue("b", where)
    done = await stores.enqueue_party("P", "a", "b")
    here = where is DUOS
    assert done.reply is (Reply.ALREADY_IN_QUEUE if here else Reply.IN_OTHER_QUEUE)
    assert done.detail == ("b\n" if here else "b\nnormal")
    assert await index_of(redis) == {}
    assert (await stores.enqueue("a", DUOS)).reply is Reply.QUEUED


async def test_players_and_parties_share_their_ids(stores: Stores) -> None:
    await stores.enqueue_party("P", "a", "b")
    await stores.enqueue("lone", DUOS)
    assert (await stores.enqueue("P", DUOS)).reply is Reply.ID_IN_USE
    assert (await stores.enqueue_party("lone", "c", "d")).reply is Reply.ID_IN_USE
    assert (await stores.enqueue_party("a", "c", "d")).reply is Reply.ID_IN_USE
    assert (await stores.enqueue_party("P", "a", "c")).reply is Reply.ID_IN_USE
    assert (await stores.enqueue_party("Q", "P", "d")).detail == "P\n", "a party is no player"


@pytest.mark.parametrize("several", [False, True], ids=["one queue", "several queues"])
async def test_a_player_has_no_id_of_a_party_that_waits_in_another_queue(
    any_server: RealServer, redis: Redis, several: bool
) -> None:
    async with open_stores(any_server.url, several_queues=several) as stores:
        await stores.enqueue_party("P", "a", "b")
        assert (await stores.enqueue("P", NORMAL)).reply is Reply.ID_IN_USE
        assert (await stores.enqueue("x", NORMAL)).reply is Reply.QUEUED
        elsewhere = await stores.enqueue("x", RANKED)
        assert elsewhere.reply is (Reply.QUEUED if several else Reply.IN_OTHER_QUEUE)
    assert await redis.zrange("queue:{normal}", 0, -1) == ["x"]


async def test_of_one_batch_the_first_of_two_parties_has_the_player(
    stores: Stores, redis: Redis
) -> None:
    asked = [
        party_request("P", "a", "b"),
        party_request("Q", "b", "c"),
        enqueue_request("a", DUOS),
        enqueue_request("c", DUOS),
        party_request("R", "c", "d"),
    ]
    _, outcomes = await stores.tickets.enqueue(DUOS.queue, list(map(heard, asked)))
    assert [each.reply for each in outcomes] == [
        Reply.QUEUED, Reply.IN_PARTY, Reply.IN_PARTY, Reply.QUEUED, Reply.ALREADY_IN_QUEUE,
    ]  # fmt: skip
    assert await redis.zrange("queue:{duos}", 0, -1) == ["P", "c"]


@pytest.mark.parametrize("by", ["a", "P"], ids=["by a player", "by the party"])
async def test_who_leaves_takes_the_ticket_out(stores: Stores, redis: Redis, by: str) -> None:
    await two_parties(stores)
    same = heard(dequeue_request(by, DUOS))
    for reply in (Reply.DEQUEUED, Reply.DEQUEUED):  # the reply to the first call was lost
        (outcome,) = await stores.tickets.dequeue(DUOS.queue, [same])
        assert outcome.reply is reply
        party = party_in(outcome.detail)
        assert party is not None
        assert (party[0], [tuple(each.__reduce__()[1]) for each in party[1]]) == (
            "P", [("a", "a"), ("b", "b")],
        )  # fmt: skip
        assert (outcome.ticket_id, outcome.players) == ("P", 2)
    assert await redis.zrange("queue:{duos}", 0, -1) == ["Q"]
    assert await redis.hkeys("metadata:{duos}") == ["Q"]
    assert await index_of(redis) == {"c": "duos Q", "d": "duos Q"}
    assert (await stores.dequeue("b", DUOS)).reply is Reply.NOT_IN_QUEUE
    assert (await stores.enqueue("b", DUOS)).reply is Reply.QUEUED


async def test_a_party_of_another_mode_is_not_in_this_queue(stores: Stores, redis: Redis) -> None:
    await stores.enqueue_party("P", "a", "b")
    assert (await stores.dequeue("a", NORMAL)).reply is Reply.NOT_IN_QUEUE
    assert await redis.zcard("queue:{duos}") == 1


async def test_what_expires_or_is_set_aside_frees_all_players(stores: Stores, redis: Redis) -> None:
    await two_parties(stores)
    expired, bad = (await to_match(stores))[0]
    gone = await stores.tickets.expire(
        DUOS.queue, [expired], token=token(), max_wait=timedelta(seconds=0)
    )
    assert gone == {"P"}
    assert await index_of(redis) == {"c": "duos Q", "d": "duos Q"}
    poisoned = PoisonedTicket(
        ticket_id="Q",
        enqueued_at=bad.enqueued_at,
        raw_metadata="{}",
        reason="no good",
        kind=Poison.INVALID_PARTY,
        members=bad.members,
    )
    assert await stores.tickets.set_aside(
        DUOS.queue, [poisoned], token=token(), kept=10, raw_limit=100
    ) == {"Q"}
    assert await index_of(redis) == {}
    happened = await stores.history.of_player("d", limit=10)
    assert [each.what for each in happened] == ["set_aside", "queued"]
    assert [each.what for each in await stores.history.of_player("a", limit=10)] == [
        "expired", "queued",
    ]  # fmt: skip


async def _give_back(stores: Stores, match: NewMatch, when: When = When.NOW) -> GivenBack:
    back = await stores.matches.give_back(
        DUOS.queue, match.match_id, SETTINGS, epoch=1, cause="x", token=token(), when=when
    )
    assert back is not None
    return back


@pytest.mark.usefixtures("listener")
async def test_a_party_goes_back_with_its_place_and_stays_in_the_index(
    stores: Stores, redis: Redis
) -> None:
    await stores.enqueue_party("P", "a", "b")
    for player in ("c", "d"):
        await stores.enqueue(player, DUOS)
    before = await redis.zrange("queue:{duos}", 0, -1, withscores=True)
    match = await pending_duos(stores)
    assert (await stores.enqueue("a", NORMAL)).detail == "duos P", "while the match is pending"
    assert (await stores.enqueue_party("P", "a", "b")).reply is Reply.MATCH_PENDING
    assert (await _give_back(stores, match)).put_back == 4
    assert await redis.zrange("queue:{duos}", 0, -1, withscores=True) == before
    assert await index_of(redis) == {"a": "duos P", "b": "duos P"}
    assert await stores.commit(DUOS, await stores.new_match(DUOS)) == ["committed"]


@pytest.mark.usefixtures("listener")
async def test_who_is_in_a_match_is_read_from_its_tickets_when_it_is_given_back(
    stores: Stores, redis: Redis
) -> None:
    await two_parties(stores)
    match = await pending_duos(stores)
    await redis.hset(f"match:{{duos}}:{match.match_id}", "ids", "damaged")
    assert (await stores.dequeue("b", DUOS)).reply is Reply.MATCH_PENDING
    back = await _give_back(stores, match)
    assert (back.put_back, [each.by for each in back.left]) == (2, ["b"])
    assert await redis.zrange("queue:{duos}", 0, -1) == ["Q"]


@pytest.mark.usefixtures("listener")
@pytest.mark.parametrize("by", ["b", "P"], ids=["by a player", "by the party"])
async def test_who_leaves_while_a_match_is_pending_takes_the_whole_party_along(
    stores: Stores, redis: Redis, by: str
) -> None:
    await two_parties(stores)
    match = await pending_duos(stores)
    left = await stores.dequeue(by, DUOS)
    assert (left.reply, left.detail) == (Reply.MATCH_PENDING, match.match_id)
    back = await _give_back(stores, match)
    (gone,) = back.left
    assert (gone.ticket_id, gone.party_id, gone.by) == ("P", "P", "b" if by == "b" else None)
    assert [each.player_id for each in gone.members] == ["a", "b"]
    assert await redis.zrange("queue:{duos}", 0, -1) == ["Q"]
    assert await index_of(redis) == {"c": "duos Q", "d": "duos Q"}
    assert await redis.exists("leaving:{duos}", "matched:{duos}") == 0


@pytest.mark.usefixtures("listener")
async def test_a_started_match_frees_its_players_and_forgets_who_wanted_to_leave(
    stores: Stores, redis: Redis
) -> None:
    await two_parties(stores)
    match = await pending_duos(stores)
    assert (await stores.dequeue("c", DUOS)).reply is Reply.MATCH_PENDING
    started = await stores.hand("start", match.match_id, mode=DUOS)
    assert started is HandoffReply.STARTED
    assert await redis.exists("leaving:{duos}", "matched:{duos}") == 0
    assert (await stores.enqueue("a", NORMAL)).reply is Reply.QUEUED
    assert (await stores.enqueue_party("P", "b", "c")).reply is Reply.QUEUED


@pytest.mark.usefixtures("listener")
async def test_a_start_takes_nobody_out_of_the_index_who_is_in_another_party_by_now(
    stores: Stores, redis: Redis
) -> None:
    await two_parties(stores)
    match = await pending_duos(stores)
    await redis.delete("parties")
    assert (await stores.enqueue_party("R", "b", "e")).reply is Reply.QUEUED
    await stores.hand("start", match.match_id, mode=DUOS)
    assert await index_of(redis) == {"b": "duos R", "e": "duos R"}


async def test_who_is_queued_is_told_so_in_the_same_step(
    any_server: RealServer, redis: Redis
) -> None:
    came = []
    async with (
        open_stores(any_server.url, channel=("pod:", ":match_result")) as stores,
        redis.pubsub() as pods,
    ):
        await pods.psubscribe("pod:*")
        await pods.get_message(timeout=1)
        done = [await stores.enqueue("ä/1", DUOS), await stores.enqueue_party("P", "a", "b")]
        refused = await stores.enqueue("a", DUOS)
        while message := await pods.get_message(timeout=0.5):
            came.append((message["channel"], json.loads(message["data"])))
    assert [each.answered for each in (*done, refused)] == [True, True, False]
    assert came == [
        ("pod:pod-a:match_result", {"player_id": "ä/1", "result_type": "EnQueued"}),
        ("pod:a:match_result", {"player_id": "a", "result_type": "EnQueued", "party_id": "P"}),
        ("pod:b:match_result", {"player_id": "b", "result_type": "EnQueued", "party_id": "P"}),
    ]


@pytest.mark.usefixtures("listener")
async def test_an_announced_match_frees_its_players_at_once(stores: Stores, redis: Redis) -> None:
    await stores.enqueue_party("P", "a", "b", mode=NORMAL)
    assert await stores.commit(NORMAL, await stores.new_match(NORMAL)) == ["committed"]
    assert await index_of(redis) == {}


async def test_an_offer_has_what_each_player_of_a_party_has(stores: Stores, redis: Redis) -> None:
    await stores.enqueue_party("P", "a", "b")
    for player in ("c", "d"):
        await stores.enqueue(player, DUOS, metadata='{"x":1}')
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        await pubsub.get_message(timeout=1)
        await pending_duos(stores)
        message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=2)
    assert message is not None
    seats = [one for team in json.loads(message["data"])["teams"] for one in team]
    assert [(one["player_id"], one["pod_id"], one.get("party_id")) for one in seats] == [
        ("a", "a", "P"), ("b", "b", "P"), ("c", "pod-a", None), ("d", "pod-a", None),
    ]  # fmt: skip
    assert [one["metadata"] for one in seats] == [
        {"of": "a"}, {"of": "b"}, *[{"x": 1, "pod_id": "pod-a"}] * 2,
    ]  # fmt: skip


@pytest.mark.usefixtures("listener")
async def test_a_party_that_is_not_wholly_in_the_index_is_in_no_match(
    stores: Stores, redis: Redis
) -> None:
    await two_parties(stores)
    match = await stores.new_match(DUOS)
    await redis.hdel("parties", "b")
    assert await stores.commit(DUOS, match) == ["stale"]
    await to_match(stores)
    assert await index_of(redis) == dict.fromkeys("ab", "duos P") | dict.fromkeys("cd", "duos Q")
    assert await stores.commit(DUOS, match) == ["committed"]


@pytest.mark.usefixtures("listener")
async def test_a_match_that_cannot_be_read_forgets_which_player_of_a_party_wanted_to_leave(
    stores: Stores, redis: Redis
) -> None:
    await two_parties(stores)
    match = await pending_duos(stores)
    assert (await stores.dequeue("b", DUOS)).reply is Reply.MATCH_PENDING
    await redis.hdel(f"match:{{duos}}:{match.match_id}", "tickets")
    found = await stores.matches.read(DUOS, match.match_id)
    assert isinstance(found, UnreadableMatch)
    done = await stores.matches.set_aside(DUOS.queue, [found], token=token(), kept=9)
    assert done == ([match.match_id], ["P", "Q"])
    assert await redis.exists("leaving:{duos}", "matched:{duos}") == 0
    assert (await stores.enqueue("b", NORMAL)).reply is Reply.QUEUED


async def test_a_party_that_is_read_and_is_in_the_index_is_not_written_again(
    stores: Stores, redis: Redis
) -> None:
    await stores.enqueue_party("P", "a", "b")
    await redis.config_resetstat()
    assert len((await to_match(stores))[0]) == 1
    assert "cmdstat_hset" not in await redis.info("commandstats")
    await redis.delete("parties")
    await to_match(stores)
    assert await index_of(redis) == {"a": "duos P", "b": "duos P"}


async def test_a_dead_letter_of_a_party_goes_back_only_if_all_are_free(
    stores: Stores, redis: Redis
) -> None:
    await stores.enqueue_party("P", "a", "b")
    (ticket,), _ = await to_match(stores)
    text = str(await redis.hget("metadata:{duos}", "P"))
    poisoned = PoisonedTicket(
        ticket_id="P",
        enqueued_at=ticket.enqueued_at,
        raw_metadata=text,
        reason="x",
        kind=Poison.IN_TWO_PLACES,
        members=ticket.members,
    )
    await stores.tickets.set_aside(DUOS.queue, [poisoned], token=token(), kept=10, raw_limit=4)
    (letter,) = await stores.dead_letters.list(DUOS.queue, count=1)
    assert letter.metadata == text, "whole, although much of it"
    await stores.enqueue("b", NORMAL)
    with pytest.raises(Exception, match="in normal by now"):
        await stores.dead_letters.requeue(DUOS.queue, letter.entry_id, metadata="", token=token())
    await stores.dequeue("b", NORMAL)
    await stores.dead_letters.requeue(DUOS.queue, letter.entry_id, metadata="", token=token())
    assert await redis.zscore("queue:{duos}", "P") == ticket.enqueued_at
    assert await index_of(redis) == {"a": "duos P", "b": "duos P"}
    newest = (await stores.history.of_player("a", limit=1))[0]
    assert (newest.what, newest.party_id) == ("requeued", "P")
