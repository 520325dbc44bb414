"""Where players are: told as it is now, from what stands in Redis."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.domain.ticket import Poison, PoisonedTicket, Ticket
from matchkeeper.handoff.offers import new_match
from matchkeeper.store.claimers import Refusals
from matchkeeper.store.given_back import When
from matchkeeper.store.handoffs import Handed
from matchkeeper.store.statuses import Sought
from matchkeeper.wire.answers import MOST_NAMED
from matchkeeper.wire.handoffs import HandoffRequest, assigned_in
from matchkeeper.wire.status import State, Status
from tests.conftest import RealServer
from tests.support.stores import (
    CLAIMED,
    DUOS,
    NORMAL,
    RANKED,
    SETTINGS,
    Stores,
    open_stores,
    token,
)

POD = "pod:asker:match_result"


@pytest.fixture
async def asker(redis: Redis) -> AsyncIterator[PubSub]:
    """See `_listening`."""
    async with _listening(redis) as pubsub:
        yield pubsub


@asynccontextmanager
async def _listening(redis: Redis) -> AsyncIterator[PubSub]:
    """Hears what the pod `asker` is told, and is there for offers."""
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe("battle:request", POD, "pod:pod-a:match_result")
        for _ in range(3):
            await pubsub.get_message(timeout=1)
        yield pubsub


async def _heard(pubsub: PubSub, channel: str = POD) -> list[dict[str, Any]]:
    found = []
    while message := await pubsub.get_message(ignore_subscribe_messages=True, timeout=0.1):
        if message["channel"] == channel:
            found.append(json.loads(message["data"]))
    return found


async def status(
    stores: Stores, pubsub: PubSub, *players: str, pod: str = "asker"
) -> list[dict[str, Any]]:
    """What the pod is told of these players."""
    channel = f"pod:{pod}:match_result"
    await _heard(pubsub)
    found = await stores.statuses.tell([Sought(player_id=each, pod_id=pod) for each in players])
    answers = await _heard(pubsub, channel)
    assert [each["player_id"] for each in answers] == list(players)
    for each, one in zip(answers, found, strict=True):
        told = msgspec.convert(each["result_type"]["Status"], Status)
        assert told.state == one.state
        assert State(told.state).meaning
    return answers


async def one(stores: Stores, pubsub: PubSub, player: str = "p1", **more: str) -> dict[str, Any]:
    """The status of one player, without the player."""
    (answer,) = await status(stores, pubsub, player, **more)
    return dict(answer["result_type"]["Status"])


async def started(
    stores: Stores, *players: str, mode: GameMode = CLAIMED, assigned: str = ""
) -> str:
    """A match of these that a game server has started."""
    for player in players:
        await stores.enqueue(player, mode)
    match = await stores.new_match(mode)
    assert await stores.commit(mode, match) == ["committed"]
    await confirmed(stores, match.match_id, mode, assigned)
    return match.match_id


async def confirmed(
    stores: Stores, match_id: str, mode: GameMode = CLAIMED, assigned: str = ""
) -> None:
    said: dict[str, Any] = {
        "kind": "start", "pod_id": "pod-x", "game_mode": mode.name, "match_id": match_id,
        "epoch": 1, "token": token(), **json.loads(assigned or "{}"),
    }  # fmt: skip
    request = msgspec.json.decode(json.dumps(said), type=HandoffRequest)
    handed = Handed(request=request, assigned=assigned_in(request))
    assert (await stores.handoffs.do(mode.queue, [handed])).replies == ["started"]


async def test_nobody_knows_a_player_who_never_came(stores: Stores, asker: PubSub) -> None:
    assert await one(stores, asker) == {"state": "unknown"}


async def test_a_player_waits(stores: Stores, asker: PubSub) -> None:
    queued = await stores.enqueue("p1", RANKED)
    queues = [{"game_mode": "Ranked", "since": float(queued.detail)}]
    assert await one(stores, asker) == {"state": "waiting", "queues": queues}
    # A new look, a new token: the same.
    await stores.statuses.tell([Sought(player_id="p1", pod_id="asker", token="t")])
    (again,) = await _heard(asker)
    assert again["result_type"]["Status"]["token"] == "t"


async def test_a_player_waits_in_several_queues(
    any_server: RealServer, redis: Redis, asker: PubSub
) -> None:
    async with open_stores(any_server.url, several_queues=True) as stores:
        for mode in (NORMAL, RANKED):
            await stores.enqueue("p1", mode)
        told = await one(stores, asker)
        assert [each["game_mode"] for each in told["queues"]] == ["Normal", "Ranked"]
        await stores.dequeue("p1", NORMAL)
        assert [each["game_mode"] for each in (await one(stores, asker))["queues"]] == ["Ranked"]


async def test_a_match_is_pending_until_it_starts(stores: Stores, asker: PubSub) -> None:
    for player in ("p1", "p2"):
        await stores.enqueue(player, CLAIMED)
    match = await stores.new_match(CLAIMED)
    await stores.commit(CLAIMED, match)
    pending = {"state": "pending", "game_mode": "Squad", "match_id": match.match_id}
    assert await one(stores, asker) == pending
    await stores.hand("claim", match.match_id)
    assert await one(stores, asker) == pending
    await stores.hand("confirm", match.match_id)
    assert (await one(stores, asker))["state"] == "started"


async def test_a_start_that_is_not_durable_yet_is_not_told(valkey: RealServer) -> None:
    async with (
        Redis.from_url(valkey.url, decode_responses=True) as redis,
        _listening(redis) as asker,
        open_stores(valkey.url, durability="fsync") as lasting,
    ):
        for player in ("p1", "p2"):
            await lasting.enqueue(player, CLAIMED)
        match = await lasting.new_match(CLAIMED)
        await lasting.commit(CLAIMED, match)
        await lasting.hand("claim", match.match_id)
        assert await lasting.hand("confirm", match.match_id) == "confirmed"
        (found,) = await lasting.statuses.tell([Sought(player_id="p1", pod_id="asker")])
        assert (found.state, found.channel) == ("pending", POD)
        assert await _heard(asker) == [], "the caller tells, once what it read is durable"
        assert json.loads(found.payload)["result_type"]["Status"]["match_id"] == match.match_id


async def test_of_a_started_match_the_same_is_told_as_at_its_start(
    stores: Stores, asker: PubSub
) -> None:
    assigned = '{"assignment":{"host":"10.0.0.7"},"secrets":{"p1":"for p1/\\\\","p2":"for p2"}}'
    match_id = await started(stores, "p1", "p2", assigned=assigned)
    told = {each["player_id"]: each for each in await _heard(asker, "pod:pod-a:match_result")}
    for player in ("p1", "p2"):
        found = await one(stores, asker, player, pod="pod-a")
        assert found == {"state": "started", "news": told[player]["result_type"]}
        assert found["news"]["MatchFound"]["match_id"] == match_id
        assert found["news"]["MatchFound"]["secret"] == {"p1": "for p1/\\", "p2": "for p2"}[player]
    other = (await one(stores, asker))["news"]["MatchFound"]
    assert other["assignment"] == {"host": "10.0.0.7"}
    assert "secret" not in other, "another pod asked"


async def test_a_match_of_publish_handoff_is_known_as_long(
    stores: Stores, asker: PubSub, redis: Redis
) -> None:
    for player in ("p1", "p2"):
        await stores.enqueue(player)
    await stores.commit(NORMAL, await stores.new_match())
    (told,) = [
        each["result_type"]
        for each in await _heard(asker, "pod:pod-a:match_result")
        if each["player_id"] == "p1"
    ]
    assert await one(stores, asker) == {"state": "started", "news": told}
    for key in await redis.keys("news*"):
        assert 0 < await redis.pttl(key) <= 240_000


async def test_of_a_party_each_player_is_told(stores: Stores, asker: PubSub) -> None:
    await stores.enqueue_party("crew", "a", "b")
    (first, second) = await status(stores, asker, "a", "b")
    assert first["party_id"] == second["party_id"] == "crew"
    assert first["result_type"] == second["result_type"]
    assert first["result_type"]["Status"]["queues"][0]["game_mode"] == "Duos"
    for player in ("c", "d"):
        await stores.enqueue(player, DUOS)
    match = await stores.new_match(DUOS)
    match = new_match(
        Proposal(teams=(match.tickets[:1], match.tickets[1:])),
        DUOS,
        match_id=match.match_id,
        claim_within_seconds=5,
        result_channel=lambda pod: f"pod:{pod}:match_result",
        texts=await stores.matches.texts(DUOS.queue, match.tickets[:1]),
    )
    assert await stores.commit(DUOS, match) == ["committed"]
    (pending,) = await status(stores, asker, "b")
    assert pending["party_id"] == "crew"
    assert pending["result_type"]["Status"]["match_id"] == match.match_id
    await confirmed(stores, match.match_id, DUOS)
    told = await status(stores, asker, "a", "b", "c", "d")
    assert [each.get("party_id") for each in told] == ["crew", "crew", None, None]
    for each, team in zip(told, (0, 0, 1, 1), strict=True):
        found = each["result_type"]["Status"]["news"]["MatchFound"]
        assert found["team"] == team
        assert found["teams"] == [["a", "b"], ["c", "d"]]
        assert found["parties"] == {"crew": ["a", "b"]}


async def test_a_party_that_fills_the_match_is_divided(stores: Stores, asker: PubSub) -> None:
    await stores.enqueue_party("crew", "a", "b", "c", "d")
    match = await stores.new_match(DUOS)
    match = new_match(
        Proposal(teams=(match.tickets, ())),
        DUOS,
        match_id=match.match_id,
        claim_within_seconds=5,
        result_channel=lambda pod: f"pod:{pod}:match_result",
        texts=await stores.matches.texts(DUOS.queue, match.tickets),
    )
    assert await stores.commit(DUOS, match) == ["committed"]
    await confirmed(stores, match.match_id, DUOS)
    found = (await one(stores, asker, "c"))["news"]["MatchFound"]
    assert (found["team"], found["teams"]) == (1, [["a", "b"], ["c", "d"]])


async def test_of_a_large_match_a_status_names_everybody(
    any_server: RealServer, redis: Redis, asker: PubSub
) -> None:
    large = GameMode(name="Duos", required_players=MOST_NAMED + 2, handoff=Handoff.CLAIM)
    names = [f"p{n}" for n in range(MOST_NAMED + 2)]
    async with open_stores(any_server.url) as stores:
        for player in names:
            await stores.enqueue(player, large)
        tickets = (await stores.tickets.read(large, start=0, count=50)).tickets
        half = len(tickets) // 2
        match = new_match(
            Proposal(teams=(tuple(tickets[:half]), tuple(tickets[half:]))),
            large,
            match_id="m",
            claim_within_seconds=5,
            result_channel=lambda pod: f"pod:{pod}:match_result",
            texts={},
        )
        assert await stores.commit(large, match) == ["committed"]
        await confirmed(stores, "m", large)
        found = (await one(stores, asker, "p0"))["news"]["MatchFound"]
        assert [player for team in found["teams"] for player in team] == names
        again = Sought(player_id="p0", pod_id="asker")
        await stores.statuses.tell_again([again], queue=large.queue)
        (news,) = await _heard(asker)
        assert "teams" not in news["result_type"]["MatchFound"], "as it was told"


async def test_who_left_is_told_so(stores: Stores, asker: PubSub) -> None:
    await stores.enqueue("p1")
    await stores.dequeue("p1")
    assert await one(stores, asker) == {"state": "gone", "game_mode": "Normal", "news": "DeQueued"}
    await stores.enqueue_party("crew", "a", "b")
    await stores.dequeue("b", DUOS)
    others, leaver = await status(stores, asker, "a", "b")
    assert (others["party_id"], others["left_by"]) == ("crew", "b")
    assert leaver["party_id"] == "crew"
    assert "left_by" not in leaver


async def test_who_expired_or_was_set_aside_is_told_so(stores: Stores, asker: PubSub) -> None:
    await stores.enqueue("p1")
    tickets: list[Ticket] = list((await stores.tickets.read(NORMAL, start=0, count=1)).tickets)
    gone = await stores.tickets.expire(NORMAL.queue, tickets, token=token(), max_wait=timedelta(0))
    assert gone == {"p1"}
    assert (await one(stores, asker))["news"] == "Expired"
    queued = await stores.enqueue("p2")
    poisoned = PoisonedTicket(
        ticket_id="p2", members=(), enqueued_at=float(queued.detail), raw_metadata="x",
        reason='no "object"', kind=Poison.METADATA_TOO_LARGE,
    )  # fmt: skip
    await stores.tickets.set_aside(NORMAL.queue, [poisoned], token=token(), kept=9, raw_limit=9)
    error = {"code": "invalid_metadata", "message": 'Set aside: no "object"'}
    assert (await one(stores, asker, "p2"))["news"] == {"Error": error}


async def test_who_leaves_a_match_that_falls_through_is_told_so(
    stores: Stores, asker: PubSub
) -> None:
    for player in ("p1", "p2"):
        await stores.enqueue(player, CLAIMED)
    match = await stores.new_match(CLAIMED)
    await stores.commit(CLAIMED, match)
    await stores.dequeue("p1", CLAIMED)
    assert (await one(stores, asker))["state"] == "pending"
    await stores.matches.give_back(
        CLAIMED.queue, match.match_id, _refusals(), epoch=1, cause="c", token=token(),
        when=When.NOW,
    )  # fmt: skip
    assert (await one(stores, asker))["news"] == "DeQueued"
    assert (await one(stores, asker, "p2"))["state"] == "waiting"


def _refusals() -> Refusals:
    return SETTINGS


@pytest.mark.parametrize("by_hand", [False, True])
async def test_an_old_match_is_not_told_of_somebody_who_was_queued_since(
    stores: Stores, asker: PubSub, redis: Redis, by_hand: bool
) -> None:
    await started(stores, "p1", "p2")
    await stores.enqueue("p1")
    assert (await one(stores, asker))["state"] == "waiting"
    if by_hand:
        await redis.zrem("queue:{normal}", "p1")
        assert await one(stores, asker) == {"state": "unknown"}
    else:
        await stores.dequeue("p1")
        assert (await one(stores, asker))["news"] == "DeQueued"
    assert (await one(stores, asker, "p2"))["state"] == "started"


async def test_a_request_that_was_refused_makes_no_news_old(stores: Stores, asker: PubSub) -> None:
    """Only who was queued since is somewhere else now."""
    await started(stores, "p1", "p2")
    await stores.dequeue("p1")
    assert (await one(stores, asker))["state"] == "started"


async def test_news_is_kept_in_turns_and_then_forgotten(
    any_server: RealServer, redis: Redis, asker: PubSub
) -> None:
    async with open_stores(any_server.url) as stores:
        await stores.enqueue("p1")
        await stores.dequeue("p1")
        for turn in range(5):
            assert (await one(stores, asker))["news"] == "DeQueued", turn
            await redis.hset("news", "till", "1.0")  # the turn is over
            await stores.enqueue("p2")
            await stores.dequeue("p2")
        assert (await one(stores, asker))["state"] == "unknown"
        assert len(await redis.keys("news:*")) == 5


async def test_damage_costs_the_news_alone(stores: Stores, asker: PubSub, redis: Redis) -> None:
    for key in ("news", "news:0", "matched:{ranked}"):
        await redis.set(key, "damaged")
    match_id = await started(stores, "p1", "p2")
    assert await redis.hget(f"match:{{squad}}:{match_id}", "state") == "started"
    assert (await one(stores, asker))["state"] == "unknown"
    await stores.enqueue("p1")
    assert (await one(stores, asker))["state"] == "waiting"


async def test_a_match_that_is_gone_is_unknown(stores: Stores, asker: PubSub, redis: Redis) -> None:
    match_id = await started(stores, "p1", "p2")
    key = f"match:{{squad}}:{match_id}"
    ids = await redis.execute_command("HGET", key, "ids", NEVER_DECODE=True)
    await redis.hset(key, "ids", "x")
    assert await one(stores, asker) == {"state": "unknown"}
    await redis.hset(key, "ids", ids)
    assert (await one(stores, asker))["state"] == "started"
    await redis.delete(key)
    assert await one(stores, asker) == {"state": "unknown"}


@pytest.mark.parametrize("seating", ["{", "[]", '{"teams":[[["p1"]],[7]],"names":[]}', '"x"'])
async def test_a_match_whose_seats_are_damaged_is_unknown(
    stores: Stores, asker: PubSub, redis: Redis, seating: str
) -> None:
    match_id = await started(stores, "p1", "p2")
    await redis.hset(f"match:{{squad}}:{match_id}", "seating", seating)
    assert await one(stores, asker) == {"state": "unknown"}
