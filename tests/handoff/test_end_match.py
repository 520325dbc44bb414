"""An operator ends a match that was not started: by the API, the command line and the page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from tests.conftest import RealServer, wait_until
from tests.operate.test_cli import matchkeeper
from tests.server.test_api import TOKEN
from tests.support.harness import Outside, Server, outside, serving

SLOW: dict[str, object] = {
    "matchmaking__offer_timeout_seconds": 60,
    "matchmaking__try_match_tick_interval_seconds": 60,
}


@pytest.fixture
async def server(any_server: RealServer, tmp_path: Path) -> AsyncIterator[Server]:
    with serving(any_server.url, tmp_path, **SLOW) as running:
        await running.ready()
        yield running


@pytest.fixture
async def wire(any_server: RealServer, server: Server) -> AsyncIterator[Outside]:
    async with outside(any_server.url) as seen:
        yield seen


async def offered(wire: Outside) -> str:
    """A match of two players that nobody claims; returns its id."""
    await wire.enqueue("p1", "Squad")
    await wire.is_told("p1", "EnQueued")
    await wire.enqueue("p2", "Squad")
    await wire.is_told("p2", "EnQueued")
    await wait_until(lambda: bool(wire.offers), what="an offer")
    match_id: str = wire.offers[-1]["match_id"]
    return match_id


async def test_by_the_api_its_players_leave_and_are_told(
    server: Server, wire: Outside, redis: Redis
) -> None:
    match_id = await offered(wire)
    path = f"/api/v1/matches/squad/{match_id}"
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http:
        assert (await http.delete(path)).status_code == 401
        (listed,) = (await http.get("/api/v1/matches/squad")).json()
        assert (listed["match_id"], listed["problem"]) == (match_id, None)
        key = f"match:{{squad}}:{match_id}"
        await redis.hset(key, mapping={"state": "confirmed", "claimed_by": "pod-a"})
        kept = await http.delete(path, headers=TOKEN)
        assert (kept.status_code, "confirmed by pod-a" in kept.text) == (404, True)
        await redis.hset(key, "state", "claimed")
        done = await http.delete(f"{path}?leave=true", headers=TOKEN)
        assert done.status_code == 200
        assert "2 out of the queue" in done.json()["done"]
        assert (await http.delete(path, headers=TOKEN)).status_code == 404
    for player in ("p1", "p2"):
        await wire.is_told(player, "DeQueued")
    assert await redis.exists("queue:{squad}", "pending:{squad}", "matched:{squad}") == 0
    await server.logged('"cause": "operator"')


async def test_by_hand_its_players_go_back_with_their_place(
    any_server: RealServer, server: Server, wire: Outside, redis: Redis
) -> None:
    match_id = await offered(wire)
    await redis.set("match:{squad}:other", "not ours")
    await redis.zadd("pending:{squad}", {"other": 99_999_999_999})
    config = server.log.parent / "squad.toml"
    config.write_text('[[matchmaking.game_modes]]\ngame_mode = "Squad"\nhandoff = "claim"\n')

    def run(verb: str, *arguments: str) -> str:
        done = matchkeeper("match", verb, *arguments, "--config", str(config), url=any_server.url)
        assert done.returncode == 0, done.stderr
        return done.stdout

    listed = run("list")
    assert match_id in listed
    assert "p1, p2" in listed
    found = {each["match_id"]: each for each in json.loads(run("list", "Squad", "--json"))}
    assert found["other"]["problem"] == "it is no hash"
    assert json.loads(run("show", "squad", match_id))["teams"] == [["p1"], ["p2"]]
    assert "2 player(s) are back with their place" in run("end", "Squad", match_id, "--yes")
    place = await redis.zscore("queue:{squad}", "p1")
    assert place is not None
    assert int(place) == wire.offers[-1]["player1"]["score"]
    assert "0 player(s) are back" in run("end", "Squad", "other", "--yes")
    assert await redis.zscore("pending:{squad}", "other") is None
    gone = matchkeeper(
        "match", "end", "Squad", match_id, "--yes", "-c", str(config), url=any_server.url
    )
    assert gone.returncode == 4
