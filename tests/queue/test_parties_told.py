"""What the pods of a party are told: each player on the own pod, and who was the reason."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.mode import GameMode
from matchkeeper.handoff.notices import Notices
from matchkeeper.queue.departures import Departures
from matchkeeper.queue.requested import runs
from matchkeeper.wire.requests import RequestKind
from tests.conftest import RealServer
from tests.support.intakes import ingest
from tests.support.runtimes import runtime
from tests.support.stores import (
    DUOS,
    Stores,
    dequeue_request,
    enqueue_request,
    heard,
    open_stores,
    party_request,
)


@dataclass
class World:
    """A server's intake, and everybody who is told something."""

    stores: Stores
    redis: Redis
    pubsub: PubSub

    async def ask(self, kind: RequestKind = RequestKind.ENQUEUE, **body: Any) -> None:
        """A request by stream, taken in by a server."""
        body = {"game_mode": "Duos", **body}
        await self.stores.write(kind.value, json.dumps(body).encode())
        entries = await self.stores.stream.read(count=10, block=timedelta(milliseconds=100))
        assert await ingest(self.stores).take(entries) == 0

    async def party(self, party_id: str, *players: str, **body: Any) -> None:
        """Asks for a party; each player has a pod of the same name."""
        members = [{"player_id": each, "pod_id": each} for each in players]
        await self.ask(party_id=party_id, players=members, **body)

    async def leave(self, **body: Any) -> None:
        await self.ask(RequestKind.DEQUEUE, **body)

    async def told(self) -> dict[str, Any]:
        """What was told since the last call: pod -> the answer. Each pod at most once."""
        found: dict[str, Any] = {}
        await self.redis.publish("pod:end:match_result", "{}")
        async with asyncio.timeout(20):
            while True:
                message = await self.pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
                if message is None:
                    continue
                pod = message["channel"].split(":")[1]
                if pod == "end":
                    return found
                assert pod not in found, (found[pod], message["data"])
                found[pod] = json.loads(message["data"])


@asynccontextmanager
async def world(url: str, **options: Any) -> AsyncIterator[World]:
    async with (
        open_stores(url, **options) as stores,
        Redis.from_url(url, decode_responses=True) as redis,
        redis.pubsub() as pubsub,
    ):
        await pubsub.psubscribe("pod:*")
        await pubsub.get_message(timeout=1)
        await stores.stream.prepare()
        yield World(stores, redis, pubsub)


def plain(player: str, word: str, party: str, **more: str) -> dict[str, str]:
    return {"player_id": player, "result_type": word, "party_id": party, **more}


def code_of(answer: Any) -> str:
    return str(answer["result_type"]["Error"]["code"])


@pytest.mark.parametrize("durability", ["none", "fsync"])
async def test_each_player_is_told_on_the_own_pod(valkey: RealServer, durability: str) -> None:
    async with world(valkey.url, durability=durability) as w:
        await w.redis.config_set("appendonly", "yes")
        await w.redis.config_set("appendfsync", "always")
        await w.party("P", "a", "b", request_id="r")
        queued = {each: plain(each, "EnQueued", "P") for each in ("a", "b")}
        assert await w.told() == queued
        await w.party("P", "a", "b", request_id="r")
        assert await w.told() == queued, "asked again: it still holds"


async def test_when_one_leaves_the_others_hear_who_it_was(valkey: RealServer) -> None:
    async with world(valkey.url) as w:
        await w.party("P", "a", "b")
        await w.told()
        await w.leave(player_id="b", request_id="r")
        assert await w.told() == {
            "a": plain("a", "DeQueued", "P", left_by="b"),
            "b": plain("b", "DeQueued", "P"),
        }
        await w.leave(player_id="b", request_id="r")
        assert await w.told() == {"b": plain("b", "DeQueued", "P")}, "only who asks again"


async def test_a_party_that_leaves_as_one_was_left_by_nobody(valkey: RealServer) -> None:
    async with world(valkey.url) as w:
        await w.party("P", "a", "b")
        await w.told()
        await w.leave(party_id="P", pod_id="lobby", request_id="r")
        assert await w.told() == {each: plain(each, "DeQueued", "P") for each in "ab"}
        await w.leave(party_id="P", pod_id="lobby", request_id="r")
        assert await w.told() == {"lobby": plain("P", "DeQueued", "P")}
        await w.leave(party_id="Q", pod_id="lobby")
        assert code_of((await w.told())["lobby"]) == "not_in_queue"


async def test_one_who_cannot_be_queued_refuses_all_and_is_named(valkey: RealServer) -> None:
    async with world(valkey.url) as w:
        await w.party("P", "a", "b")
        await w.told()
        await w.party("Q", "c", "b")
        told = await w.told()
        assert told["b"]["result_type"]["Error"] == {
            "code": "in_party",
            "message": "The player is in party P of duos",
            "because_of": "b",
        }
        assert told["c"]["result_type"]["Error"] == {
            "code": "party_refused",
            "message": "Nobody of party Q was queued, because of player b: "
            "The player is in party P of duos",
            "because_of": "b",
        }
        await w.ask(player_id="a", pod_id="a")
        assert code_of((await w.told())["a"]) == "in_party"
        assert await w.redis.zrange("queue:{duos}", 0, -1) == ["P"]


@pytest.mark.parametrize(
    ("bad", "code", "why"),
    [
        ({"player_id": "b", "metadata": [7]}, "invalid_metadata", "player b: metadata is not"),
        ({"player_id": "b", "pod_id": "\n"}, "invalid_pod_id", "player b: pod_id has control"),
        ({"player_id": "a"}, "invalid_party", "player a is in the party twice"),
        ({"player_id": "P"}, "invalid_party", "player P has the id of the party"),
        ({"player_id": ""}, "invalid_player_id", "player 2 of the party: player_id is empty"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_one_is_said_to_all_who_can_be_told(
    valkey: RealServer, bad: dict[str, Any], code: str, why: str
) -> None:
    async with world(valkey.url) as w:
        players = [{"player_id": "a", "pod_id": "a"}, bad]
        await w.ask(party_id="P", players=players, pod_id="lobby")
        told = await w.told()
        assert why in told["a"]["result_type"]["Error"]["message"]
        named = told["a"]["result_type"]["Error"].get("because_of")
        assert code_of(told["a"]) == (code if named in (None, "a") else "party_refused")
        if named == "b" and "lobby" in told:
            assert code_of(told["lobby"]) == code
        assert await w.redis.keys("queue:*") == []


async def test_a_party_that_never_fits_is_refused_at_once(valkey: RealServer) -> None:
    async with world(valkey.url) as w:
        await w.party("P", "a", "b", "c")
        told = await w.told()
        assert {code_of(each) for each in told.values()} == {"party_does_not_fit"}
        assert sorted(told) == ["a", "b", "c"]
        message = told["a"]["result_type"]["Error"]["message"]
        assert "a party of 3 does not fit into one team of Duos" in message
        await w.party("P", "a", "b", "c", "d")
        assert sorted(await w.told()) == ["a", "b", "c", "d"], "it fills the match"
        assert await w.redis.zcard("queue:{duos}") == 1


async def test_a_party_is_asked_for_by_its_id_alone(valkey: RealServer) -> None:
    async with world(valkey.url) as w:
        await w.ask(party_id="P", player_id="a", players=[], pod_id="lobby")
        assert "$.player_id" in (await w.told())["lobby"]["result_type"]["Error"]["message"]
        await w.ask(player_id="a", party_id=None, pod_id="lobby")
        assert await w.told() == {"lobby": {"player_id": "a", "result_type": "EnQueued"}}
        await w.ask(player_id="c", metadata={"players": []}, pod_id="lobby")
        assert code_of((await w.told())["lobby"]) == "invalid_party"
        await w.ask(party_id="P", pod_id="lobby")
        told = (await w.told())["lobby"]
        assert (told["player_id"], code_of(told)) == ("P", "invalid_message_format")


async def test_a_late_party_is_told_to_those_who_wanted_nothing_else(valkey: RealServer) -> None:
    async with world(valkey.url) as w:
        for _ in range(2):
            await w.stores.write("enqueue")
        late, newer = await w.stores.stream.read(count=2, block=timedelta(milliseconds=100))
        alone = heard(enqueue_request("b", DUOS, pod="b", request_id="r"), entry=newer)
        await w.stores.tickets.enqueue(DUOS.queue, [alone])
        body = {
            "party_id": "P",
            "players": [{"player_id": each, "pod_id": each} for each in ("a", "b")],
            "game_mode": "Duos",
        }
        await ingest(w.stores).take([replace(late, body=json.dumps(body).encode())])
        told = await w.told()
        assert list(told) == ["a"]
        assert code_of(told["a"]) == "party_refused"
        assert (
            "player b: that player has asked for something else since"
            in (told["a"]["result_type"]["Error"]["message"])
        )


async def test_everybody_of_a_party_is_told_that_it_expired_or_was_set_aside(
    valkey: RealServer,
) -> None:
    async with world(valkey.url) as w:
        given = runtime()
        settings = MatchmakingSettings()
        departures = Departures(
            w.stores.tickets, Notices(w.stores.connection, settings, given.facts), settings, given
        )
        await w.party("P", "a", "b")
        text = json.dumps(
            {"players": [{"player_id": "a", "pod_id": "x"}, {"player_id": "d", "pod_id": "d"}]}
        )
        await w.redis.hset("metadata:{duos}", "Q", text)
        await w.redis.zadd("queue:{duos}", {"Q": 9e9})
        await w.told()
        scan = await w.stores.tickets.scan(DUOS.queue, start=0, count=10)
        found = await w.stores.tickets.to_match(DUOS, scan.places)
        await departures.set_aside(DUOS, found.poisoned)
        told = await w.told()
        assert sorted(told) == ["d", "x"]
        assert "Set aside: player a is in party P of duos, too" in str(told["d"])
        brief = GameMode(name="Duos", required_players=4, max_wait=timedelta(0))
        assert await departures.expire(brief, found.tickets, scan.now) == []
        assert await w.told() == {each: plain(each, "Expired", "P") for each in ("a", "b")}
        assert await w.redis.exists("parties", "queue:{duos}") == 0


def test_requests_of_one_batch_that_concern_a_party_stay_in_their_order() -> None:
    asked = [
        party_request("P", "a", "b"),
        dequeue_request("b", DUOS),
        enqueue_request("a", DUOS),
        enqueue_request("z", DUOS),
        dequeue_request("P", DUOS),
    ]
    found = [(kind, [each.request.player_id for each in some]) for kind, some in runs(
        list(map(heard, asked))
    )]  # fmt: skip
    assert found == [
        (RequestKind.ENQUEUE, ["P"]),
        (RequestKind.DEQUEUE, ["b"]),
        (RequestKind.ENQUEUE, ["a", "z"]),
        (RequestKind.DEQUEUE, ["P"]),
    ]
