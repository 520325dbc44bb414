"""A mode with rules on a real server: refused at the door, matched by its rules, offered again."""

from __future__ import annotations

import asyncio
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.conftest import RealServer, wait_until
from tests.support.harness import Outside, outside, serving
from tests.support.ruled import EXAMPLES

RANKED = tomllib.loads((EXAMPLES / "ranked-5v5.toml").read_text("utf-8"))
SETTINGS: dict[str, object] = {
    "matchmaking__game_modes": RANKED["matchmaking"]["game_modes"],
    "matchmaking__offer_timeout_seconds": 1.0,
    "matchmaking__max_offers": 2,
    "matchmaking__try_match_tick_interval_seconds": 0.3,
}
GOOD: dict[str, Any] = {"build": "7", "latencies": {"eu": 30, "us": 120}}


async def crew(wire: Outside, party_id: str, **players: dict[str, Any]) -> None:
    members = [{"player_id": each, "metadata": {**GOOD, **its}} for each, its in players.items()]
    body = {"party_id": party_id, "players": members, "game_mode": "Ranked5v5", "pod_id": "pod-a"}
    await wire.redis.publish("match:enqueue:request", json.dumps(body))


def failure(wire: Outside, player: str) -> dict[str, Any]:
    found = [each["result_type"] for _, each in wire.answers if each["player_id"] == player]
    return dict(found[-1]["Error"])


async def ten(wire: Outside) -> None:
    await crew(wire, "P", a1={"roles": ["healer"]}, a2={"rating": 1520})
    await crew(wire, "Q", b1={"roles": ["healer"]}, b2={"rating": 1510})
    for name in ("t1", "t2"):
        await wire.enqueue(name, "Ranked5v5", **GOOD, roles=["tank"])
    for number in range(4):
        await wire.enqueue(f"d{number}", "Ranked5v5", **GOOD, rating=1490 + 10 * number)


def seats(offer: dict[str, Any]) -> list[dict[str, tuple[Any, Any]]]:
    return [
        {each["player_id"]: (each.get("role"), each.get("party_id")) for each in team}
        for team in offer["teams"]
    ]


async def test_region_role_and_party_are_told_in_each_offer_and_at_the_start(
    any_server: RealServer, tmp_path: Path
) -> None:
    with serving(any_server.url, tmp_path, **SETTINGS) as server:
        await server.ready()
        async with outside(any_server.url) as wire, Redis.from_url(any_server.url) as redis:
            await ten(wire)
            await wait_until(lambda: len(wire.offers) == 2, seconds=30, what="a second offer")
            first, again = wire.offers
            assert (first["epoch"], again["epoch"]) == (1, 2)
            assert first["team_names"] == ["red", "blue"]
            assert first["region"] == "eu"
            assert {key: again[key] for key in ("teams", "team_names", "region")} == {
                key: first[key] for key in ("teams", "team_names", "region")
            }, "made anew out of what Redis has of the match"
            red, blue = seats(first)
            for team in (red, blue):
                assert sorted(role for role, _ in team.values()) == [
                    "damage", "damage", "damage", "healer", "tank",
                ]  # fmt: skip
            assert (red | blue)["a1"] == ("healer", "P")
            assert {"a1", "a2"} <= red.keys() or {"a1", "a2"} <= blue.keys()
            of = {each["player_id"]: each["metadata"] for team in first["teams"] for each in team}
            assert (of["a2"]["rating"], of["d3"]["rating"]) == (1520, 1520)
            await wire.hand("start", again)
            await wire.is_told("t1", "MatchFound")
            answers = [each for _, each in wire.answers if each["player_id"] == "t1"]
            found = answers[-1]["result_type"]["MatchFound"]
            assert (found["role"], found["region"], found["team_names"]) == (
                "tank", "eu", ["red", "blue"],
            )  # fmt: skip
            assert found["roles"]["a1"] == "healer"
            # Who asks later is told the same.
            await redis.publish(
                "match:handoff:request",
                json.dumps(
                    {
                        "kind": "status",
                        "pod_id": "pod-a",
                        "game_mode": "Ranked5v5",
                        "player_id": "t1",
                    }
                ),
            )
            await wire.is_told("t1", "Status")
            answers = [each for _, each in wire.answers if each["player_id"] == "t1"]
            status = answers[-1]["result_type"]["Status"]
            assert status["news"]["MatchFound"] == found


async def test_who_lacks_something_is_refused_by_name(valkey: RealServer, tmp_path: Path) -> None:
    with serving(valkey.url, tmp_path, **SETTINGS) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            await wire.enqueue("x", "Ranked5v5", latencies={"eu": 30})
            await wire.is_told("x", "Error missing_attribute")
            assert failure(wire, "x")["message"] == (
                "metadata has no build, and Ranked5v5 has no default for it; needed is a string"
            )
            await wire.enqueue("y", "Ranked5v5", **GOOD, rating="high")
            await wire.is_told("y", "Error invalid_attribute")
            assert failure(wire, "y")["message"] == "rating is a string; needed is a number"
            await wire.enqueue("z", "Ranked5v5", build="7", latencies={"eu": 161, "us": 0})
            await wire.is_told("z", "Error never_matched")
            assert "160 ms at most" in failure(wire, "z")["message"]
            await crew(wire, "P", a={}, b={"build": "8"})
            await wire.is_told("a", "Error never_matched")
            assert failure(wire, "b")["message"] == (
                "Ranked5v5: rule Build would never hold: the match has build 7, 8"
            )
            await crew(wire, "Q", c={}, d={"build": None})
            await wire.is_told("d", "Error missing_attribute")
            assert wire.told("c") == ["Error party_refused"]
            assert failure(wire, "c")["because_of"] == "d"
            await crew(wire, "R", **{f"r{n}": {} for n in range(6)})
            await wire.is_told("r0", "Error party_does_not_fit")


async def test_a_ticket_put_there_by_hand_that_lacks_something_is_a_dead_letter(
    valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path, **SETTINGS) as server:
        await server.ready()
        async with (
            outside(valkey.url) as wire,
            Redis.from_url(valkey.url, decode_responses=True) as redis,
        ):
            await redis.set("metadata:h1", json.dumps({"pod_id": "pod-a", "latencies": {"eu": 9}}))
            await redis.zadd("queue:{ranked5v5}", {"h1": 1_000_000_000})
            await ten(wire)
            await wait_until(lambda: bool(wire.offers), seconds=30)

            async def buried() -> bool:
                return await redis.xlen("dead:{ranked5v5}") == 1

            await wait_until(buried, seconds=30)
            letters: Any = await redis.xrange("dead:{ranked5v5}")
            assert [fields["reason"][:21] for _, fields in letters] == ["metadata has no build"]


async def test_a_seating_that_is_damaged_sets_the_match_aside(
    valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path, **SETTINGS) as server:
        await server.ready()
        async with outside(valkey.url) as wire, Redis.from_url(valkey.url) as redis:
            await ten(wire)
            await wait_until(lambda: bool(wire.offers), seconds=30)
            key = f"match:{{ranked5v5}}:{wire.offers[0]['match_id']}"
            await redis.hset(key, "seating", '{"teams":[[["a1","tank"]],[]]}')
            await server.logged("its seats are not its players")


@pytest.mark.slow
async def test_opponents_of_a_moment_ago_meet_again_only_after_a_wait(
    valkey: RealServer, tmp_path: Path
) -> None:
    duel = {
        "game_mode": "Ranked5v5",
        "rules": {"Rematch": {"prefer": "new_opponents", "worth_seconds": 6}},
    }
    settings = {**SETTINGS, "matchmaking__game_modes": [duel]}
    with serving(valkey.url, tmp_path, **settings) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            for name in ("a", "b"):
                await wire.enqueue(name, "Ranked5v5")
            await wait_until(lambda: len(wire.offers) == 1, seconds=30)
            # What happened is known a second later.
            await asyncio.sleep(2.5)
            for name in ("a", "b"):
                await wire.enqueue(name, "Ranked5v5")
            await wire.is_told("b", "EnQueued")
            await asyncio.sleep(1.5)
            assert len(wire.offers) == 1, "they met a moment ago"
            await wire.enqueue("c", "Ranked5v5")
            await wait_until(lambda: len(wire.offers) == 2, seconds=30)
            met = {wire.offers[1][each]["player_id"] for each in ("player1", "player2")}
            assert met == {"a", "c"}
