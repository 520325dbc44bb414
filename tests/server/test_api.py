"""The HTTP API of the real server process."""

from __future__ import annotations

import asyncio
import html
import json
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema
import pytest
from redis.asyncio import Redis

from tests.conftest import RealServer, wait_until
from tests.operate.test_cli import matchkeeper
from tests.support.harness import Server, outside, serving

TOKEN = {"Authorization": "Bearer test-token"}
ODD_IDS = (
    "clan/p1", "/", "a//b/", "..", "a/../b", "who?", "a&player_id=b", "#1", "100%", "%2F", "a+b",
    " p 1 ", "\"quoted\" 'twice'", "<b>", "back\\slash",
    "игрок", "プレイヤー", "e\u0301", "🎮" * 128,
)  # fmt: skip
SLOW: dict[str, object] = {"matchmaking__try_match_tick_interval_seconds": 60}


@pytest.fixture
async def server(valkey: RealServer, tmp_path: Path) -> AsyncIterator[Server]:
    with serving(valkey.url, tmp_path, **SLOW) as running:
        await running.ready()
        yield running


@pytest.fixture
async def http(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
        yield client


@pytest.fixture
async def redis(valkey: RealServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(valkey.url, decode_responses=True) as client:
        yield client


async def test_queues_tickets_and_players(http: httpx.AsyncClient, redis: Redis) -> None:
    await redis.zadd("queue:{normal}", {"p1": 1_700_000_000, "bad": 1_700_000_001})
    await redis.hset("metadata:{normal}", mapping={"p1": '{"pod_id":"a","x":1}', "bad": "{"})
    queues = (await http.get("/api/v1/queues")).json()
    assert [queue["mode"] for queue in queues] == ["Normal", "Ranked", "Squad"]
    assert (queues[0]["length"], queues[0]["key"]) == (2, "queue:{normal}")
    page = (await http.get("/api/v1/queues/normal")).json()
    (ticket,) = page["tickets"]
    assert (ticket["player_id"], ticket["metadata"]) == ("p1", {"pod_id": "a", "x": 1})
    assert page["unreadable"] == ["bad"]
    player = (await http.get("/api/v1/players/p1")).json()
    assert player["queues"] == {"Normal": 1_700_000_000.0}


async def test_any_player_id_can_be_looked_up_and_taken_out(
    http: httpx.AsyncClient, valkey: RealServer
) -> None:
    async with outside(valkey.url, pods=False) as wire:
        for player in ODD_IDS:
            await wire.enqueue(player)
            await wire.is_told(player, "EnQueued")
            asked = {"player_id": player}
            found = (await http.get("/api/v1/players", params=asked)).json()
            assert (found["player_id"], list(found["queues"])) == (player, ["Normal"])
            assert [each["event"] for each in found["history"]] == ["queued"]
            tickets = "/api/v1/queues/Normal/tickets"
            assert (await http.delete(tickets, params=asked)).status_code == 401
            done = await http.delete(tickets, params=asked, headers=TOKEN)
            assert done.json() == {"done": f"{player} is out of Normal"}
            await wire.is_told(player, "DeQueued")
            found = (await http.get("/api/v1/players", params=asked)).json()
            assert (found["player_id"], found["queues"]) == (player, {})


async def test_a_path_holds_the_ids_without_slashes(http: httpx.AsyncClient, redis: Redis) -> None:
    plain = [player for player in ODD_IDS if "/" not in player and player != ".."]
    await redis.zadd("queue:{normal}", dict.fromkeys(plain, 1_700_000_000))
    for player in plain:
        found = (await http.get(f"/api/v1/players/{quote(player)}")).json()
        assert found["player_id"] == player
        assert found["queues"] == {"Normal": 1_700_000_000.0}


async def test_changing_calls_need_the_token(http: httpx.AsyncClient, redis: Redis) -> None:
    await redis.zadd("queue:{normal}", {"p1": 1_700_000_000})
    await redis.hset("metadata:{normal}", "p1", '{"pod_id":"a"}')
    path = "/api/v1/queues/Normal/tickets/p1"
    refused = await http.delete(path)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    wrong = await http.delete(path, headers={"Authorization": "Bearer wrong"})
    assert wrong.status_code == 401
    assert await redis.zcard("queue:{normal}") == 1
    done = await http.delete(path, headers=TOKEN)
    assert (done.status_code, done.json()) == (200, {"done": "p1 is out of Normal"})
    assert await redis.zcard("queue:{normal}") == 0
    again = await http.delete(path, headers=TOKEN)
    assert again.status_code == 404
    assert again.json()["error"]["code"] == "not_found"


async def test_without_a_token_in_the_settings_they_are_off(
    valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path, server__api_token=None) as running:
        await running.ready()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
            answer = await client.post("/api/v1/breaker/force-open", headers=TOKEN)
    assert answer.status_code == 403
    assert "server.api_token" in answer.json()["error"]["message"]


async def test_dead_letters_requeue_and_drop(http: httpx.AsyncClient, redis: Redis) -> None:
    entries: list[Any] = [
        await redis.xadd(
            "dead:{normal}",
            {
                "player_id": f"p{number}", "metadata": "{", "reason": "Invalid JSON: x",
                "enqueued_at": "1700000000.5", "time": "1700000001",
            },
        )
        for number in range(2)
    ]  # fmt: skip
    listed = (await http.get("/api/v1/dead-letters/Normal")).json()
    assert [letter["player_id"] for letter in listed] == ["p1", "p0"]
    path = f"/api/v1/dead-letters/Normal/{entries[0]}"
    still_bad = await http.post(f"{path}/requeue", headers=TOKEN)
    assert still_bad.status_code == 400
    assert "set aside again" in still_bad.json()["error"]["message"]
    mended = {"metadata": {"pod_id": "a"}}
    done = await http.post(f"{path}/requeue", headers=TOKEN, json=mended)
    assert done.json() == {"done": "p0 is back in Normal"}
    assert await redis.zscore("queue:{normal}", "p0") == 1_700_000_000.5
    assert (await http.delete(path, headers=TOKEN)).status_code == 404
    other = f"/api/v1/dead-letters/Normal/{entries[1]}"
    assert (await http.delete(other, headers=TOKEN)).status_code == 200
    assert await redis.xlen("dead:{normal}") == 0
    nonsense = await http.delete("/api/v1/dead-letters/Normal/abc", headers=TOKEN)
    assert nonsense.status_code == 400


async def test_pending_matches(http: httpx.AsyncClient, valkey: RealServer) -> None:
    async with outside(valkey.url) as wire:
        await wire.enqueue("p1", "Squad")
        await wire.enqueue("p2", "Squad")
        await wait_until(lambda: bool(wire.offers))
        (match,) = (await http.get("/api/v1/matches/Squad")).json()
        assert (match["state"], match["teams"]) == ("offered", [["p1"], ["p2"]])
        one = await http.get(f"/api/v1/matches/Squad/{match['match_id']}")
        assert one.json()["epoch"] == 1
        where = (await http.get("/api/v1/players/p1")).json()
        assert where["pending_match"] == {"mode": "Squad", "match_id": match["match_id"]}
        assert (await http.get("/api/v1/matches/Squad/none")).status_code == 404


async def test_an_operator_holds_the_breaker_open(http: httpx.AsyncClient, server: Server) -> None:
    opened = await http.post("/api/v1/breaker/force-open", headers=TOKEN)
    assert opened.json()["state"] == "forced_open"
    ready = await http.get("/health/ready")
    assert ready.status_code == 503
    assert "circuit breaker is forced_open" in ready.json()["reasons"][0]
    refused = await http.get("/api/v1/queues")
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "redis_unavailable"
    await http.post("/api/v1/breaker/release", headers=TOKEN)
    await server.ready()
    assert (await http.get("/api/v1/breaker")).json()["state"] == "closed"


async def test_bad_questions_get_a_sentence(http: httpx.AsyncClient) -> None:
    for path, status, part in (
        ("/api/v1/queues/Norml", 404, "Norml"),
        ("/api/v1/queues/Normal?count=5000", 400, "count"),
        ("/api/v1/queues/Normal?start=-1", 400, "start"),
        ("/api/v1/players/%00", 400, "control characters"),
        ("/api/v1/players?player_id=%00", 400, "control characters"),
        ("/api/v1/players?player_id=", 400, "player_id is empty"),
        ("/api/v1/players", 400, "player_id"),
        ("/nowhere", 404, ""),
    ):
        answer = await http.get(path)
        assert answer.status_code == status, path
        error = answer.json()["error"]
        assert part in error["message"]
        assert "Traceback" not in answer.text


async def test_openapi_names_every_route_and_the_token(http: httpx.AsyncClient) -> None:
    spec = (await http.get("/api/v1/openapi.json")).json()
    assert "/api/v1/queues/{mode}" in spec["paths"]
    assert "/health/ready" in spec["paths"]
    drop = spec["paths"]["/api/v1/dead-letters/{mode}/{entry_id}"]["delete"]
    assert drop["security"] == [{"token": []}]
    for methods in spec["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
    assert {"200", "400", "401", "403", "404", "503"} <= set(drop["responses"])


async def test_the_document_can_be_read_by_people(http: httpx.AsyncClient) -> None:
    spec = (await http.get("/api/v1/openapi.json")).json()
    page = await http.get("/api/v1/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}<" in page.text
            assert html.escape(operation["summary"].rstrip("."), quote=False) in page.text
    for shape in spec["components"]["schemas"]:
        assert f"<h3>{shape}</h3>" in page.text
    assert "at most 1000, default 100" in page.text
    assert "Answers: 200 with Done; 400, 401, 403, 404, 503 with FailureAnswer" in page.text


async def test_errors_are_what_the_document_says(http: httpx.AsyncClient) -> None:
    spec = (await http.get("/api/v1/openapi.json")).json()
    operation = spec["paths"]["/api/v1/queues/{mode}"]["get"]
    for path in ("/api/v1/queues/none", "/api/v1/queues/Normal?count=0"):
        answer = await http.get(path)
        content = operation["responses"][str(answer.status_code)]["content"]["application/json"]
        jsonschema.validate(answer.json(), {**content["schema"], "components": spec["components"]})
    metrics = await http.get("/metrics")
    assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_health_and_headers(
    server: Server, http: httpx.AsyncClient, valkey: RealServer
) -> None:
    assert (await http.get("/health/live")).json() == {"alive": True}
    ready = await http.get("/health/ready")
    assert ready.json() == {"ready": True, "reasons": [], "warnings": []}
    assert ready.headers["X-Content-Type-Options"] == "nosniff"
    assert (await http.get("/metrics")).headers["content-type"].startswith("text/plain")
    assert await server.metric("matchkeeper_ready") == 1
    valkey.signal(signal.SIGSTOP)

    async def unready() -> bool:
        return (await http.get("/health/ready", timeout=5)).status_code == 503

    await wait_until(unready)
    assert await server.metric("matchkeeper_ready") == 0
    assert (await http.get("/health/live")).status_code == 200
    valkey.signal(signal.SIGCONT)


async def test_not_ready_before_its_streams_are_there(valkey: RealServer, tmp_path: Path) -> None:
    async with Redis.from_url(valkey.url) as redis:
        await redis.execute_command("ACL", "SETUSER", "default", "-xgroup")
        with serving(valkey.url, tmp_path) as server:

            async def waits_for_streams() -> bool:
                with suppress(httpx.HTTPError):
                    answer = (await server.get("/health/ready")).json()
                    return bool(answer["reasons"] == ["Requests by stream are not read."])
                return False

            await wait_until(waits_for_streams, seconds=90)  # a start may take long, as above
            await redis.execute_command("ACL", "SETUSER", "default", "+xgroup")
            await server.ready()


async def test_pods_are_listed(http: httpx.AsyncClient, redis: Redis) -> None:
    now = (await redis.time())[0]
    await redis.zadd("pods", {"old": now - 100, "new": now})

    async def seen() -> bool:
        pods = {pod["pod_id"]: pod["silent"] for pod in (await http.get("/api/v1/pods")).json()}
        return pods == {"old": True, "new": False}

    await wait_until(seen)


async def test_where_a_party_is_is_found_by_any_of_its_players(
    http: httpx.AsyncClient, redis: Redis, valkey: RealServer
) -> None:
    body = {
        "party_id": "crew",
        "players": [{"player_id": each, "pod_id": f"pod-{each}"} for each in ("a", "b")],
        "game_mode": "Normal",
    }
    await redis.publish("match:enqueue:request", json.dumps(body))

    async def waits() -> bool:
        return bool(await redis.zcard("queue:{normal}"))

    await wait_until(waits, seconds=30)
    (ticket,) = (await http.get("/api/v1/queues/normal")).json()["tickets"]
    assert (ticket["player_id"], ticket["players"]) == ("crew", ["a", "b"])
    found = (await http.get("/api/v1/players/b")).json()
    assert found["party"] == {"mode": "Normal", "party_id": "crew", "players": ["a", "b"]}
    crew = (await http.get("/api/v1/players/crew")).json()
    assert (crew["player_id"], crew["party"]) == ("crew", found["party"])
    assert (crew["queues"], crew["history"]) == (found["queues"], found["history"])
    assert found["queues"] == {"Normal": ticket["enqueued_at"]}
    assert [(each["event"], each["party_id"]) for each in found["history"]] == [("queued", "crew")]
    shown = matchkeeper("queue", "show", "Normal", url=valkey.url).stdout
    assert "crew: a, b" in shown
    assert "pod-a, pod-b" in shown
    async with redis.pubsub() as pubsub:
        await pubsub.psubscribe("pod:*")
        await pubsub.get_message(timeout=1)
        gone = await http.delete("/api/v1/queues/Normal/tickets/b", headers=TOKEN)
        assert gone.status_code == 200
        told: dict[str, Any] = {}
        async with asyncio.timeout(10):
            while len(told) < 2:
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
                if message is not None:
                    told[message["channel"]] = json.loads(message["data"])
    plain = {"result_type": "DeQueued", "party_id": "crew"}
    assert told == {
        "pod:pod-a:match_result": {"player_id": "a", **plain, "left_by": "b"},
        "pod:pod-b:match_result": {"player_id": "b", **plain},
    }
    assert (await http.get("/api/v1/players/a")).json()["party"] is None
    crew = (await http.get("/api/v1/players/crew")).json()
    assert (crew["party"], crew["queues"]) == (None, {})
    assert {each["event"] for each in crew["history"]} == {"dequeued", "queued"}
