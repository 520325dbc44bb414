"""Parties with a real server: from the request to the start, and back again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from matchkeeper.client import GameServer, RefusedError
from tests.conftest import RealServer, wait_until
from tests.support.harness import Outside, outside, serving

MODES = [{"game_mode": "Duos", "required_players": 4, "teams": 2, "handoff": "claim"}]
SETTINGS: dict[str, object] = {
    "matchmaking__game_modes": MODES,
    "matchmaking__offer_timeout_seconds": 1.5,
    "matchmaking__max_offers": 1,
}


async def ask(wire: Outside, party_id: str, *players: str, **more: object) -> None:
    """Each player has a pod of the same name."""
    members = [{"player_id": each, "pod_id": each, "metadata": {"of": each}} for each in players]
    body = {"party_id": party_id, "players": members, "game_mode": "Duos", **more}
    await wire.redis.publish("match:enqueue:request", json.dumps(body))


def news(wire: Outside, player: str) -> list[tuple[str, Any]]:
    """(pod, answer) of a player, in order."""
    return [(pod, answer) for pod, answer in wire.answers if answer["player_id"] == player]


async def test_a_party_plays_on_one_team(any_server: RealServer, tmp_path: Path) -> None:
    with serving(any_server.url, tmp_path, **SETTINGS) as server:
        await server.ready()
        async with (
            outside(any_server.url) as wire,
            GameServer(any_server.url, pod_id="arena") as arena,
        ):
            await wire.enqueue("c", "Duos")
            await wire.is_told("c", "EnQueued")
            await ask(wire, "P", "a", "b")
            await wire.is_told("a", "EnQueued")
            await wire.enqueue("d", "Duos")
            async with asyncio.timeout(20):
                offer = await anext(aiter(arena.battle_requests()))
            teams = [
                {(each.player_id, each.party_id) for each in team}
                for team in offer.request.teams or ()
            ]
            assert {("a", "P"), ("b", "P")} in teams
            metadata = {
                each.player_id: json.loads(bytes(each.metadata)) for each in offer.request.players
            }
            assert (metadata["a"], metadata["b"]) == ({"of": "a"}, {"of": "b"})
            assert await offer.claim()
            assert await offer.started()
            for player in "abcd":
                await wire.is_told(player, "MatchFound")
            (_, (pod, answer)) = news(wire, "b")
            found = answer["result_type"]["MatchFound"]
            assert ("b" in pod.split(":"), answer["party_id"]) == (True, "P")
            assert found["parties"] == {"P": ["a", "b"]}
            assert set(found["teams"][found["team"]]) == {"a", "b"}
            assert found["claimed_by"] == "arena"
            assert "party_id" not in news(wire, "c")[-1][1]
            async with Redis.from_url(any_server.url) as redis:
                assert await redis.exists("parties") == 0
            # All of them are free again, in whatever company.
            await ask(wire, "P", "b", "c")
            await wait_until(lambda: wire.told("c").count("EnQueued") == 2)


async def test_who_leaves_while_the_match_is_pending_takes_the_party_along(
    valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path, **SETTINGS) as server:
        await server.ready()
        async with outside(valkey.url) as wire, Redis.from_url(valkey.url) as redis:
            await ask(wire, "P", "a", "b")
            await ask(wire, "Q", "c", "d")
            await wait_until(lambda: bool(wire.offers), seconds=20)
            await wire.dequeue("b", "Duos")
            await wire.is_told("a", "DeQueued")
            await wire.is_told("b", "DeQueued")
            assert news(wire, "a")[-1][1]["left_by"] == "b"
            assert "left_by" not in news(wire, "b")[-1][1]
            assert await redis.zrange("queue:{duos}", 0, -1) == [b"Q"]
            assert wire.told("c") == ["EnQueued"]


async def test_a_party_that_fills_the_match_plays_against_itself(
    valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path, **SETTINGS) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            await ask(wire, "P", "a", "b", "c", "d")
            await wait_until(lambda: bool(wire.offers), seconds=20)
            teams = [[each["player_id"] for each in team] for team in wire.offers[0]["teams"]]
            assert teams == [["a", "b"], ["c", "d"]]
            assert [each["metadata"] for each in wire.offers[0]["teams"][1]] == [
                {"of": "c"},
                {"of": "d"},
            ]


async def test_parties_made_by_hand_are_matched_and_one_that_is_there_twice_is_not(
    valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path, **SETTINGS) as server:
        await server.ready()
        async with outside(valkey.url) as wire, Redis.from_url(valkey.url) as redis:
            for party, players in (("P", "ab"), ("Q", "bc"), ("R", "de")):
                members = [{"player_id": each, "pod_id": each} for each in players]
                await redis.set(f"metadata:{party}", json.dumps({"players": members}))
                await redis.zadd("queue:{duos}", {party: 1_700_000_000 + len(await redis.keys())})
            await wait_until(lambda: bool(wire.offers), seconds=20)
            parties = {each["party_id"] for team in wire.offers[0]["teams"] for each in team}
            assert parties == {"P", "R"}
            await wire.is_told("c", "Error invalid_metadata")
            text = news(wire, "c")[-1][1]["result_type"]["Error"]["message"]
            assert text == "Set aside: player b is in party P of duos, too"


async def test_the_client_asks_for_a_party(valkey: RealServer, tmp_path: Path) -> None:
    with serving(valkey.url, tmp_path, **SETTINGS) as server:
        await server.ready()
        async with GameServer(valkey.url, pod_id="arena") as pod:
            await pod.enqueue_party("P", {"a": {"mmr": 1}, "b": None}, "Duos")
            with pytest.raises(RefusedError, match="party_refused"):
                await pod.enqueue_party("Q", {"b": None, "c": None}, "Duos")
            await pod.dequeue("b", "Duos")
            async with asyncio.timeout(10):
                left = await anext(aiter(pod.results()))
            assert (left.player_id, left.kind, left.left_by) == ("a", "DeQueued", "b")
            await pod.enqueue_party("Q", {"b": None, "c": None}, "Duos")
