"""A game server in any language: messages over the plain wire, and what comes back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from matchkeeper.client import GameServer
from matchkeeper.store import keys
from tests.conftest import RealServer, wait_until
from tests.support.harness import Outside, Server, outside, serving


@asynccontextmanager
async def _offered(url: str, folder: Path) -> AsyncIterator[tuple[Server, Outside, dict[str, Any]]]:
    """A server, and a match of `p0` and `p1` that it offers."""
    with serving(url, folder) as server:
        await server.ready()
        async with outside(url) as wire:
            await wire.enqueue("p0", "Squad")
            await wire.enqueue("p1", "Squad")
            await wait_until(lambda: bool(wire.offers), what="an offer")
            yield server, wire, wire.offers[0]


async def test_a_match_is_claimed_and_started_by_messages(
    any_server: RealServer, tmp_path: Path
) -> None:
    async with _offered(any_server.url, tmp_path) as (server, wire, offer):
        await wire.hand("claim", offer)
        await wire.is_handed("claim", "claimed")
        await wire.hand("claim", offer, pod_id="pod-b", token="rival")
        await wire.is_handed("rival", "already_claimed")
        await wire.hand("confirm", offer)
        await wire.is_handed("confirm", "started")
        await wire.is_told("p0", "MatchFound")
        assert wire.handed[0] == (
            "pod:pod-a:match_result",
            offer["match_id"],
            {"kind": "claim", "epoch": 1, "token": "claim", "reply": "claimed"},
        )
        assert [channel for channel, _, came in wire.handed if came["token"] == "rival"] == [
            "pod:pod-b:match_result"
        ]
        told = 'matchkeeper_handoff_answers_total{kind="confirm",mode="Squad",reply="started"} 1.0'
        assert told in (await server.get("/metrics")).text


@pytest.mark.parametrize("by_stream", [True, False])
async def test_start_and_decline(valkey: RealServer, tmp_path: Path, by_stream: bool) -> None:
    async with _offered(valkey.url, tmp_path) as (_, wire, offer):

        async def say(kind: str, offer: dict[str, Any]) -> None:
            if not by_stream:
                await wire.hand(kind, offer)
                return
            body = {"kind": kind, "pod_id": "pod-a", "token": kind} | {
                name: offer[name] for name in ("game_mode", "match_id", "epoch")
            }
            fields: Any = {"kind": "handoff", "body": json.dumps(body)}
            await wire.redis.xadd(keys.requests(), fields)

        await say("claim", offer)
        await say("decline", offer)
        await wire.is_handed("decline", "declined")
        await wait_until(lambda: len(wire.offers) == 2, what="another offer")
        assert (wire.offers[1]["match_id"], wire.offers[1]["epoch"]) == (offer["match_id"], 2)
        await say("start", wire.offers[1])
        await wire.is_handed("start", "started")
        await wire.is_told("p1", "MatchFound")
        assert await wire.redis.xlen(keys.requests()) == 0


async def test_what_is_wrong_with_a_message_is_told_to_its_pod(
    valkey: RealServer, tmp_path: Path
) -> None:
    async with _offered(valkey.url, tmp_path) as (_, wire, offer):
        wrong: dict[str, dict[str, object]] = {
            "unknown_match": {"match_id": "nowhere"},
            "unknown_epoch": {"epoch": 7},
            "invalid_game_mode": {"game_mode": "Chess"},
            "invalid_message_format": {"epoch": "one"},
        }
        for reply, change in wrong.items():
            await wire.hand("claim", offer, token=reply, **change)
            await wire.is_handed(reply, reply)
        await wire.redis.publish("match:handoff:request", '{"kind":"clam","pod_id":"pod-c"}')
        await wait_until(lambda: wire.handed[-1][0] == "pod:pod-c:match_result")
        assert "'clam'; write one of claim" in wire.handed[-1][2]["message"]
        await wire.redis.xadd(keys.requests(), {"kind": "claim", "body": '{"pod_id":"pod-a"}'})
        await wire.is_told("", "Error invalid_message_format")
        assert "write enqueue, dequeue or handoff" in json.dumps(wire.answers[-1])
        await wire.hand("start", offer)
        await wire.is_handed("start", "started")


async def test_heartbeats_are_messages(valkey: RealServer, tmp_path: Path) -> None:
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        async with outside(valkey.url) as wire:

            async def pods() -> list[Any]:
                return list(await wire.redis.zrange("pods", 0, -1))

            async def are(*names: str) -> bool:
                return sorted(await pods()) == sorted(names)

            for pod in ("a", "b"):
                said = json.dumps({"kind": "heartbeat", "pod_id": pod})
                await wire.redis.publish("match:handoff:request", said)
            await wait_until(lambda: are("a", "b"), what="two pods")
            said = json.dumps({"kind": "bye", "pod_id": "a"})
            await wire.redis.xadd(keys.requests(), {"kind": "handoff", "body": said})
            await wait_until(lambda: are("b"), what="one pod")


async def test_damaged_keys_stop_no_other_request(valkey: RealServer, tmp_path: Path) -> None:
    """A heartbeat and a claim meet keys that are not ours; players are queued all the same."""
    async with _offered(valkey.url, tmp_path) as (_, wire, offer):
        await wire.redis.rename("matched:{squad}", "kept")
        await wire.redis.set("matched:{squad}", "not ours")
        await wire.redis.set("pods", "not ours")
        said = json.dumps({"kind": "heartbeat", "pod_id": "a"})
        await wire.redis.publish("match:handoff:request", said)
        await wire.hand("claim", offer)
        await wire.enqueue("later", "Normal")
        await wire.is_told("later", "EnQueued")
        await wire.is_handed("claim", "internal_error")
        await wire.redis.rename("kept", "matched:{squad}")
        await wire.hand("claim", offer)
        await wire.is_handed("claim", "claimed")


async def test_one_that_leaves_its_ids_used_up_stops_nobody(
    any_server: RealServer, tmp_path: Path
) -> None:
    last = "18446744073709551615-18446744073709551615"
    with serving(any_server.url, tmp_path) as server:
        await server.ready()
        async with (
            outside(any_server.url) as wire,
            GameServer(any_server.url, pod_id="pod-a") as pod,
        ):
            await pod.enqueue("p1", "Squad")
            body = json.dumps({"player_id": "p2", "game_mode": "Squad", "pod_id": "pod-a"})
            fields: Any = {"kind": "enqueue", "body": body}
            await wire.redis.xadd(keys.requests(), fields, id=last)
            await wire.is_told("p2", "EnQueued")
            await server.logged("The ids of the request stream were used up")
            await pod.enqueue("p3", "Squad")
            assert (await wire.redis.xinfo_stream(keys.requests()))["length"] == 0
            assert wire.told("p2").count("EnQueued") == 1


async def test_a_lost_answer_is_asked_for_again(valkey: RealServer, tmp_path: Path) -> None:
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        async with outside(valkey.url) as wire, GameServer(valkey.url, pod_id="pod-z") as pod:
            await pod.enqueue("p1", "Squad")
            await pod.enqueue("p2", "Squad")
            offer = await anext(aiter(pod.battle_requests()))
            # Its connection for answers is cut just before the answer.
            claiming = offer.claim()
            await wire.redis.client_kill_filter(_type="pubsub", skipme=True)
            assert await claiming
            assert await offer.started()
            replies = [(came["kind"], came["reply"]) for _, _, came in wire.handed]
            assert set(replies) <= {("claim", "claimed"), ("confirm", "started")}


async def test_players_are_told_where_they_play_and_each_the_own_secret(
    any_server: RealServer, tmp_path: Path
) -> None:
    where = {"address": "10.0.0.1:7777", "map": "d\u00f6rf"}
    with serving(any_server.url, tmp_path) as server:
        await server.ready()
        async with outside(any_server.url) as wire, GameServer(any_server.url, pod_id="z") as pod:
            for start in (False, True):
                players = [f"{start}-1", f'{start}-"2"']
                for player in players:
                    await pod.enqueue(player, "Squad")
                offer = await anext(aiter(pod.battle_requests()))
                secrets = {players[0]: "one", players[1]: 'tw"o', "stranger": "x"}
                if start:
                    assert await offer.start(where, secrets)
                else:
                    assert await offer.claim()
                    assert await offer.started(where, secrets)
                told = {}
                for player in players:
                    await wire.is_told(player, "MatchFound")
                    found = [a for _, a in wire.answers if a["player_id"] == player][-1]
                    told[player] = found["result_type"]["MatchFound"]
                assert {name: found["secret"] for name, found in told.items()} == {
                    name: secrets[name] for name in players
                }
                assert all(found["assignment"] == where for found in told.values())
                assert all(found["claimed_by"] == "z" for found in told.values())
            match = f"match:{{squad}}:{offer.request.match_id}"
            assert json.loads(await wire.redis.hget(match, "assignment") or "") == where
            assert await wire.redis.ttl(match) > 0
        log = "\n".join(server.lines())
        assert "10.0.0.1" not in log
        assert 'tw\\"o' not in log


async def test_without_an_assignment_nothing_is_told_of_one(
    valkey: RealServer, tmp_path: Path
) -> None:
    async with _offered(valkey.url, tmp_path) as (_, wire, offer):
        await wire.hand("start", offer)
        await wire.is_told("p0", "MatchFound")
        (found,) = [a for _, a in wire.answers if "MatchFound" in a["result_type"]][:1]
        assert not {"assignment", "secret"} & found["result_type"]["MatchFound"].keys()


async def test_an_assignment_goes_with_its_claim(valkey: RealServer, tmp_path: Path) -> None:
    """One that was refused, or of a claim that was given back, is told to nobody."""
    async with _offered(valkey.url, tmp_path) as (_, wire, offer):
        await wire.hand("claim", offer)
        await wire.hand("confirm", offer, pod_id="b", token="b", assignment={"address": "b"})
        await wire.is_handed("b", "already_claimed")
        await wire.hand("confirm", offer, token="long", assignment={"address": "x" * 4096})
        await wire.is_handed("long", "invalid_assignment")
        await wire.hand("confirm", offer, assignment={"address": "a"})
        await wire.is_told("p0", "MatchFound")
        (found,) = [a for _, a in wire.answers if "MatchFound" in a["result_type"]][:1]
        assert found["result_type"]["MatchFound"]["assignment"] == {"address": "a"}
