"""A queue as one server sees it: what it knows is not read again, nor believed against Redis."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from matchkeeper.config import GameModeSettings, MatchmakingSettings
from matchkeeper.domain.mode import GameMode, RatingRules
from matchkeeper.matching.strategy import strategy_for
from matchkeeper.queue.view import QueueView
from matchkeeper.wire.metadata import metadata_sum
from tests.conftest import RealServer
from tests.support.stores import CHANNEL, NORMAL, Stores, duel, open_stores
from tests.support.tickets import lone, party

RANKED = GameModeSettings(game_mode="Ranked", use_mmr_matching=True).to_domain(
    max_metadata_bytes=65_536
)


def view_of(
    stores: Stores,
    mode: GameMode = RANKED,
    *,
    max_tickets: int = 100,
    again_every: timedelta = timedelta(hours=1),
    scan_every: timedelta = timedelta(hours=1),
) -> QueueView:
    return QueueView(
        mode,
        stores.tickets,
        MatchmakingSettings(max_tickets_per_round=max_tickets),
        rng=random.Random(1),
        again_every=again_every,
        scan_every=scan_every,
    )


def fetches(stores: Stores) -> int:
    return sum(operation == "fetch" for operation, _ in stores.seen.operations)


async def put(redis: Redis, player: str, since: float, mmr: object) -> None:
    await redis.zadd("queue:{ranked}", {player: since})
    await redis.hset("metadata:{ranked}", player, json.dumps({"pod_id": "a", "mmr": mmr}))


async def put_some(redis: Redis, count: int) -> None:
    """Players p0, p1, and so on, who all have one rating."""
    for number in range(count):
        await put(redis, f"p{number}", 1_700_000_000 + number, 1500)


def _rated(names: list[str], *, mmr: int) -> list[Any]:
    text = json.dumps({"pod_id": "a", "mmr": mmr})
    return [each for name in names for each in (name, text)]


async def test_what_was_read_once_is_not_read_again(any_server: RealServer, redis: Redis) -> None:
    await put_some(redis, 5)
    async with open_stores(any_server.url) as stores:
        view = view_of(stores)
        first = await view.read()
        read = fetches(stores)
        again = await view.read()
    assert [each.ticket_id for each in again.tickets.values()] == [f"p{n}" for n in range(5)]
    assert first.tickets == again.tickets
    assert fetches(stores) == read == 1


async def test_who_was_taken_out_by_others_is_forgotten_with_the_queue(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores:
        view = view_of(stores, scan_every=timedelta(0))
        queued = await stores.enqueue("p1", RANKED)
        known = lone("p1", since=float(queued.detail))
        view.arrived([known])
        assert await view.somebody_waits()
        await redis.delete("queue:{ranked}")
        assert await view.somebody_waits(), "as far as it knows"
        await view.read()
        assert not view.knows_somebody
        assert not await view.somebody_waits()


async def test_who_was_queued_by_this_server_is_not_read_at_all(any_server: RealServer) -> None:
    async with open_stores(any_server.url) as stores:
        view = view_of(stores)
        await view.read()  # the first read looks at everybody
        queued = await stores.enqueue("p1", RANKED, metadata='{"mmr":1700}')
        metadata = queued.heard.request.metadata
        known = lone(
            "p1",
            "pod-a",
            since=float(queued.detail),
            metadata_sum=metadata_sum(metadata.encode()),
            rating=1700.0,
        )
        view.arrived([known])
        seen = await view.read()
        assert list(seen.tickets.values()) == [known]
        assert fetches(stores) == 0
        page = await stores.tickets.read(RANKED, start=0, count=10)
    assert page.tickets == (known,), "what it took for granted is what stands there"


async def test_who_comes_back_with_another_place_is_read_anew(
    any_server: RealServer, redis: Redis
) -> None:
    await put(redis, "p1", 1_700_000_000, 1500)
    async with open_stores(any_server.url) as stores:
        view = view_of(stores)
        await view.read()
        await put(redis, "p1", 1_700_000_009, 1900)
        (ticket,) = (await view.read()).tickets.values()
    assert (ticket.enqueued_at, ticket.rating) == (1_700_000_009, 1900)


async def test_a_rating_changed_by_hand_is_seen_when_it_is_time_to_look_again(
    any_server: RealServer, redis: Redis
) -> None:
    await put(redis, "p1", 1_700_000_000, 1500)
    async with open_stores(any_server.url) as stores:
        view = view_of(stores)
        await view.read()
        await put(redis, "p1", 1_700_000_000, 1900)
        (old,) = (await view.read()).tickets.values()
        curious = view_of(stores, again_every=timedelta(0))
        (first,) = (await curious.read()).tickets.values()
        await put(redis, "p1", 1_700_000_000, 2000)
        await curious.refresh()
        (new,) = (await curious.read()).tickets.values()
    assert (old.rating, first.rating, new.rating) == (1500, 1900, 2000)


async def test_looking_again_comes_to_everybody_in_a_queue_of_many_pages(
    any_server: RealServer, redis: Redis
) -> None:
    names = [f"p{number:04}" for number in range(4500)]
    await redis.zadd("queue:{ranked}", {name: 1_700_000_000 + n for n, name in enumerate(names)})
    await redis.hset("metadata:{ranked}", items=_rated(names, mmr=1))
    async with open_stores(any_server.url) as stores:
        view = view_of(stores, max_tickets=10_000, again_every=timedelta(0))
        await view.read()
        await redis.hset("metadata:{ranked}", items=_rated(names, mmr=2))
        await view.refresh()
        once = sum(ticket.rating == 2 for ticket in (await view.read()).tickets.values())
        for _ in range(45):
            await view.refresh()
        seen = await view.read()
    assert 90 <= once <= 200, "a part each time"
    assert all(ticket.rating == 2 for ticket in seen.tickets.values())


async def test_no_match_is_made_with_metadata_that_has_changed(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores, redis.pubsub() as pod:
        await pod.subscribe(CHANNEL)
        await pod.get_message(timeout=2)
        for player in ("p1", "p2"):
            await stores.enqueue(player)
        view = view_of(stores, NORMAL)
        before = (await view.read()).tickets
        await redis.hset("metadata:{normal}", "p2", '{"pod_id":"b","new":true}')
        assert await stores.commit(NORMAL, duel(*before.values())) == ["stale"]
        assert await redis.zcard("queue:{normal}") == 2
        view.forget("p2")
        after = (await view.read()).tickets
        assert await stores.commit(NORMAL, duel(*after.values())) == ["committed"]
        message = await pod.get_message(timeout=2)
    assert message is not None
    offer = json.loads(message["data"])
    assert offer["player2"]["metadata"] == {"pod_id": "b", "new": True}
    assert offer["player2"]["pod_id"] == "b"


async def test_a_long_queue_is_read_in_parts_to_its_end(
    any_server: RealServer, redis: Redis
) -> None:
    await put_some(redis, 25)
    async with open_stores(any_server.url) as stores:
        view = view_of(stores, max_tickets=10)
        parts = [await view.read() for _ in range(3)]
    seen = [ticket.ticket_id for part in parts for ticket in part.tickets.values()]
    assert seen == [f"p{number}" for number in range(25)]
    assert all(part.bound_hit for part in parts)


@pytest.mark.parametrize("required_players", [2, 3])
async def test_those_who_match_meet_although_many_stand_between_them(
    any_server: RealServer, redis: Redis, required_players: int
) -> None:
    """Nobody else fits anybody, and they are more than can be carried over."""
    mode = GameMode(
        name="Ranked",
        required_players=required_players,
        teams=required_players,
        rating=RatingRules(start=1, growth_per_second=0, maximum=1, default_rating=1500),
    )
    friends = [1, 28, 55][:required_players]
    for number in range(60):
        rating = 5 if number in friends else 100 * number
        await put(redis, f"p{number:02}", 1_700_000_000 + number, rating)
    async with open_stores(any_server.url) as stores:
        view = view_of(stores, mode, max_tickets=20)
        for _ in range(2000):
            seen = await view.read()
            assert len(seen.tickets) <= 20, "the bound holds"
            pairing = strategy_for(mode)(list(seen.tickets.values()), seen.now)
            if pairing.proposals:
                break
            view.unmatched(pairing.unmatched)
    (proposal,) = pairing.proposals
    assert {each.ticket_id for each in proposal.tickets} == {f"p{n:02}" for n in friends}


async def test_those_who_leave_behind_the_part_that_was_read_do_not_keep_it_from_moving_on(
    any_server: RealServer, redis: Redis
) -> None:
    await put_some(redis, 12)
    async with open_stores(any_server.url) as stores:
        view = view_of(stores, max_tickets=4)
        await view.read()
        view.left(["p10", "p11", "q1", "q2"])
        assert list((await view.read()).tickets) == [b"p4", b"p5", b"p6", b"p7"]


async def test_what_it_knows_of_those_who_left_is_forgotten(any_server: RealServer) -> None:
    async with open_stores(any_server.url) as stores:
        view = view_of(stores)
        view.arrived([lone(f"p{n}") for n in range(5000)])
        await view.read()
        assert len(view._known) == 0  # its memory is what this is about


async def test_who_moved_up_when_those_in_front_were_matched_is_not_passed_over(
    any_server: RealServer, redis: Redis
) -> None:
    await put_some(redis, 10)
    async with open_stores(any_server.url) as stores:
        view = view_of(stores, max_tickets=4)
        first = await view.read()
        assert first.bound_hit
        await redis.zrem("queue:{ranked}", *first.tickets)
        view.left([each.ticket_id for each in first.tickets.values()])
        assert list((await view.read()).tickets) == [b"p4", b"p5", b"p6", b"p7"]


async def test_a_queue_that_has_become_short_is_read_from_its_front(
    any_server: RealServer, redis: Redis
) -> None:
    await put_some(redis, 10)
    async with open_stores(any_server.url) as stores:
        view = view_of(stores, max_tickets=4)
        await view.read()
        await view.read()  # reads on behind the first four
        await redis.zremrangebyrank("queue:{ranked}", 3, -1)  # by somebody else
        assert list((await view.read()).tickets) == [b"p0", b"p1", b"p2"]


def operations(stores: Stores, name: str) -> int:
    return sum(operation == name for operation, _ in stores.seen.operations)


async def test_a_queue_that_adds_up_is_followed_and_not_read_as_a_whole(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores:
        view = view_of(stores)
        await stores.enqueue("p1", RANKED)
        await view.read()
        scans = operations(stores, "scan")
        await stores.enqueue("p2", RANKED)  # by another server: this view was not told
        assert list((await view.read()).tickets) == [b"p1", b"p2"]
        await stores.dequeue("p1", RANKED)
        view.left(["p1"])
        assert list((await view.read()).tickets) == [b"p2"]
        assert operations(stores, "scan") == scans
        await put(redis, "p0", 1_700_000_000, 1500)  # by hand, before the others
        assert set((await view.read()).tickets) == {b"p0", b"p2"}
        assert operations(stores, "scan") == scans + 1


async def test_who_leaves_and_who_comes_in_front_in_one_moment_is_seen_by_the_next_scan(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores:
        for every, seen in ((timedelta(hours=1), b"p2"), (timedelta(0), b"p0")):
            await redis.delete("queue:{ranked}")
            for player in ("p1", "p2"):
                await stores.enqueue(player, RANKED)
            view = view_of(stores, scan_every=every)
            await view.read()
            await redis.zrem("queue:{ranked}", "p2")
            await put(redis, "p0", 1_700_000_000, 1500)
            assert seen in (await view.read()).tickets, "the length is as before"
            view.forget("p2")  # as when a proposal with p2 turned out to be stale
            assert set((await view.read()).tickets) == {b"p0", b"p1"}


async def test_who_can_no_longer_be_read_is_set_aside_by_the_next_round(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores:
        view = view_of(stores, again_every=timedelta(0))
        await put(redis, "p1", 1_700_000_000, 1500)
        await view.read()
        await redis.hset("metadata:{ranked}", "p1", "no JSON")
        await view.refresh()
        read = await view.read()
    assert [each.ticket_id for each in read.poisoned] == ["p1"]
    assert read.tickets == {}


FIVES = GameMode(name="Ranked", required_players=10, teams=2)


async def test_a_queue_shorter_than_a_match_may_hold_one_where_parties_wait(
    any_server: RealServer,
) -> None:
    async with open_stores(any_server.url) as stores:
        view = view_of(stores, FIVES)
        view.arrived([lone("p1")])
        assert not view.may_fill_a_match(9), "as long as it has seen no party"
        assert view.may_fill_a_match(10)
        view.arrived([party("x", 5)])
        assert not view.may_fill_a_match(2), "six players"
        assert view.may_fill_a_match(3), "who came elsewhere may be five, too"
        view.arrived([lone(f"q{number}") for number in range(4)])
        assert view.may_fill_a_match(6), "ten players in six tickets"


async def test_whether_parties_wait_is_known_for_as_long_as_they_do(
    any_server: RealServer, redis: Redis
) -> None:
    await put_some(redis, 3)
    async with open_stores(any_server.url) as stores:
        view = view_of(stores, scan_every=timedelta(0))
        assert not (await view.read()).has_parties
        view.arrived([party("p1", 4, since=1_700_000_001)])
        seen = await view.read()
        assert seen.has_parties
        assert (seen.queue_length, seen.more_players) == (3, 3)
        assert (await view.read()).has_parties
        await redis.zrem("queue:{ranked}", "p1")
        view.left(["p1"])
        gone = await view.read()
        assert not gone.has_parties
        assert (gone.queue_length, gone.more_players) == (2, 0)


WORTH = GameModeSettings(game_mode="Ranked", use_mmr_matching=True, second_is_worth=5).to_domain(
    max_metadata_bytes=65_536
)


async def test_a_ticket_keeps_the_density_of_when_it_was_first_seen(
    any_server: RealServer, redis: Redis
) -> None:
    """Whether this server queued it or read it; also when it is read again for changes by hand."""
    async with open_stores(any_server.url) as stores:
        view = view_of(stores, WORTH, again_every=timedelta(0))
        seconds, _ = await redis.time()
        view.arrived([lone(f"x{n}", since=seconds - 50 + n, rating=1490.0 + n) for n in range(50)])
        view.left([f"x{n}" for n in range(50)])
        await put(redis, "p1", seconds, 1515)
        (first,) = (await view.read()).tickets.values()
        assert first.density == pytest.approx(20 / (2 * 10 * 51), rel=0.5)
        view.arrived([lone(f"y{n}", since=seconds + 0.01 * n, rating=1515.0) for n in range(40)])
        view.left([f"y{n}" for n in range(40)])
        await put(redis, "p1", seconds, 1520)
        await view.refresh()
        (again,) = (await view.read()).tickets.values()
        assert (again.rating, again.density) == (1520, first.density)
        await put(redis, "p2", seconds + 0.5, 1515)
        newer = {each.ticket_id: each for each in (await view.read()).tickets.values()}
    assert newer["p2"].density is not None
    assert first.density is not None
    assert newer["p2"].density > 2 * first.density


async def test_a_mode_without_it_knows_no_density(any_server: RealServer, redis: Redis) -> None:
    await put_some(redis, 60)
    async with open_stores(any_server.url) as stores:
        view = await view_of(stores).read()
    assert {each.density for each in view.tickets.values()} == {None}
