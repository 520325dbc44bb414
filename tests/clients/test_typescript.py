"""The client in TypeScript, on real servers."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
from redis.asyncio import Redis

from matchkeeper import reference
from matchkeeper.store import keys
from matchkeeper.store.embedded import executable
from tests.conftest import RealServer, wait_until
from tests.support.acl import guarded
from tests.support.harness import PATIENT, outside, serving
from tests.support.proxy import proxy_to
from tests.support.typescript import CLIENT, NEEDS_NODE, is_told, playing

pytestmark = NEEDS_NODE


async def entries_of(redis: Redis, stream: str) -> list[dict[str, str]]:
    found: Any = await redis.xrange(stream)
    return [entry for _, entry in found]


async def in_history(redis: Redis, event: str) -> int:
    """To how many matches of the mode Squad something happened."""
    entries = await entries_of(redis, "history:{squad}")
    return sum(len(each["match"].split("\n")) for each in entries if each["what"] == event)


def test_its_own_tests_pass(client: Path) -> None:
    done = subprocess.run(
        ["node", "--test", "dist/test/"],
        cwd=client, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "# pass" in done.stdout


def test_the_package_has_what_is_imported_and_the_version_of_the_project(client: Path) -> None:
    done = subprocess.run(
        ["npm", "pack", "--dry-run", "--json", "--ignore-scripts"],
        cwd=client, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout)
    (package,) = told.values() if isinstance(told, dict) else told
    files = {each["path"] for each in package["files"]}
    modules = [file.stem for file in (CLIENT / "src").glob("*.ts")]
    for module in modules:
        assert {f"dist/src/{module}.js", f"dist/src/{module}.d.ts"} <= files
    assert not any(name.startswith(("dist/test", "test", "node_modules")) for name in files)
    project = tomllib.loads((CLIENT.parents[1] / "pyproject.toml").read_text("utf-8"))
    assert package["version"] == project["project"]["version"]


def test_it_is_small() -> None:
    """All but the types of the wire, which are made; blank lines do not count."""
    sources = [file for file in (CLIENT / "src").glob("*.ts") if file.name != "wire.ts"]
    lines = [line for file in sources for line in file.read_text("utf-8").splitlines()]
    assert sum(bool(line.strip()) for line in lines) < 600
    example = (CLIENT / "examples/game-server.ts").read_text("utf-8")
    assert len(example.splitlines()) <= 40


async def test_an_evening(client: Path, valkey: RealServer, tmp_path: Path) -> None:
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        async with (
            Redis.from_url(valkey.url, decode_responses=True) as redis,
            playing(client, valkey.url) as pod,
        ):
            players = [f"p{number}" for number in range(6)]
            for player in players:
                pod.wants(player, metadata={"mmr": 1500})
            for player in players:
                await is_told(pod, player, "EnQueued", "MatchFound")
            await wait_until(lambda: len(pod.started) == 3, what="three matches")
            pod.wants("late")
            await is_told(pod, "late", "EnQueued")
            pod.wants("late")
            await is_told(pod, "late", "EnQueued", "already_in_queue")
            pod.wants("late", "dequeue")
            await is_told(pod, "late", "EnQueued", "already_in_queue", "DeQueued")
            pod.wants("late", "dequeue")
            pod.wants("lost", mode="Chess")
            await is_told(pod, "lost", "invalid_game_mode")
            await wait_until(lambda: pod.was_told("late")[-1] == "not_in_queue")
            assert await redis.zscore(keys.pods(), "pod-a")
            assert await in_history(redis, "started") == len(set(pod.started)) == 3
            assert await pod.ended() == 0
            await wait_until(lambda: _has_left(redis), what="its bye")


async def _has_left(redis: Redis) -> bool:
    return await redis.zscore(keys.pods(), "pod-a") is None


_FRIENDS = """
import { GameServer } from "./dist/src/index.js";
const pod = await GameServer.connect(process.env.REDIS_URL, { podId: "pod-a" });
const code = (asked) => asked.then(() => "done", (error) => error.code);
const crew = [{ player_id: "20" }, { player_id: "3", metadata: { mmr: 1500 } }];
const said = { queued: await code(pod.enqueueParty("crew", crew, "Squad")) };
const offer = (await pod.offers().next()).value;
said.order = offer.players.map((each) => each.player_id);
const others = [{ player_id: "p1" }, { player_id: "3" }];
said.second = await code(pod.enqueueParty("other", others, "Squad"));
said.started = await offer.start({ secrets: { 3: "s3" } });
said.news = [];
for await (const { player_id, party_id, result_type } of pod.results()) {
  const found = result_type.MatchFound;
  if (found) said.news.push([player_id, party_id, found.secret ?? null]);
  if (said.news.length === 2) break;
}
said.nobody = await code(pod.enqueueParty("none", [], "Squad"));
said.noName = await code(pod.enqueueParty("", [{ player_id: "p1" }], "Squad"));
await pod.close();
console.log(JSON.stringify(said));
"""


async def test_friends_play_together(client: Path, valkey: RealServer, tmp_path: Path) -> None:
    program = client / "friends.mjs"
    program.write_text(_FRIENDS, "utf-8")
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        process = await asyncio.create_subprocess_exec(
            "node", program, env={**os.environ, "REDIS_URL": valkey.url}, stdout=subprocess.PIPE
        )
        async with asyncio.timeout(60):
            output, _ = await process.communicate()
    assert json.loads(output) == {
        "queued": "done",
        "order": ["20", "3"],
        "second": "in_party",
        "started": True,
        "news": [["20", "crew", None], ["3", "crew", "s3"]],
        "nobody": "invalid_party",
        "noName": "invalid_party",
    }


async def test_two_pods_start_each_match_once(
    client: Path, valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        async with (
            playing(client, valkey.url, "pod-a") as one,
            playing(client, valkey.url, "pod-b") as other,
        ):
            for number in range(20):
                (one, other)[number % 2].wants(f"p{number}")
            for number in range(20):
                await is_told((one, other)[number % 2], f"p{number}", "EnQueued", "MatchFound")
            await wait_until(lambda: len(one.started + other.started) >= 10, what="ten matches")
            assert len(set(one.started + other.started)) == len(one.started + other.started) == 10


async def test_lost_replies_change_nothing(
    client: Path, valkey: RealServer, tmp_path: Path
) -> None:
    """Each kind of message is written, and the connection lost before the reply to it."""
    with serving(valkey.url, tmp_path, **PATIENT) as server:
        await server.ready()
        async with (
            Redis.from_url(valkey.url, decode_responses=True) as redis,
            proxy_to(valkey.port) as proxy,
            playing(client, proxy.url) as pod,
        ):
            proxy.lose_replies_to, proxy.lost = b"\r\nenqueue\r\n", 0
            pod.wants("p1")
            await is_told(pod, "p1", "EnQueued")
            assert proxy.lost == 1
            proxy.lose_replies_to, proxy.lost = b'"kind":"claim"', 0
            pod.wants("p2")
            await is_told(pod, "p2", "EnQueued", "MatchFound")
            await is_told(pod, "p1", "EnQueued", "MatchFound")
            assert proxy.lost == 1
            proxy.lose_replies_to, proxy.lost = b'"kind":"confirm"', 0
            pod.wants("p3")
            pod.wants("p4")
            await wait_until(lambda: len(pod.started) == 2, what="two matches", seconds=30)
            assert proxy.lost == 1
            assert await in_history(redis, "started") == len(set(pod.started)) == 2


async def test_no_server_for_a_while(client: Path, valkey: RealServer, tmp_path: Path) -> None:
    async with playing(client, valkey.url) as pod:
        pod.wants("early")
        await is_told(pod, "early", "no_server")
        with serving(valkey.url, tmp_path) as server:
            await server.ready()
            pod.wants("p1")
            await is_told(pod, "p1", "EnQueued")
        pod.wants("p2")
        async with Redis.from_url(valkey.url, decode_responses=True) as redis:
            await wait_until(lambda: _requests(redis, 2), what="a request again, with no server")
        assert pod.was_told("p2") == []
        with serving(valkey.url, tmp_path) as server:
            await server.ready()
            await is_told(pod, "p2", "EnQueued", "MatchFound")
            assert pod.was_told("p1") == ["EnQueued", "MatchFound"]


IN_REALM = """
import { GameServer } from "matchkeeper-client";
const pod = await GameServer.connect(process.env.REDIS_URL, { podId: "pod-a", realm: "eu" });
for (const player of ["p1", "p2"]) await pod.enqueue(player, "Squad");
const told = { assignment: { host: "10.0.0.7", port: 7777 }, secrets: { p1: "s1", p2: "s2" } };
for await (const offer of pod.offers()) if (await offer.start(told)) break;
let count = 0;
for await (const { player_id, result_type } of pod.results()) {
  console.log(JSON.stringify({ player_id, ...result_type.MatchFound }));
  if ((count += 1) === 2) break;
}
await pod.close();
"""


async def test_it_plays_in_a_realm_and_says_where(
    client: Path, valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path, matchmaking__realm="eu") as server:
        await server.ready()
        done = await asyncio.to_thread(
            subprocess.run,
            ["node", "--input-type=module", "--eval", IN_REALM],
            cwd=client, env={**os.environ, "REDIS_URL": valkey.url},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        async with Redis.from_url(valkey.url, decode_responses=True) as redis:
            found = [json.loads(line) for line in done.stdout.splitlines()]
            assert {each["player_id"]: each["secret"] for each in found} == {"p1": "s1", "p2": "s2"}
            assert all(each["assignment"] == {"host": "10.0.0.7", "port": 7777} for each in found)
            match_id = found[0]["match_id"]
            assert await redis.hget(f"match:{{eu}}:squad:{match_id}", "state") == "started"


async def test_it_needs_no_right_but_those_of_a_game_server(client: Path, tmp_path: Path) -> None:
    with guarded(str(executable()), tmp_path) as guard:
        with serving(guard.url("matchkeeper"), tmp_path) as server:
            await server.ready()
            async with playing(client, guard.url("gameserver")) as pod:
                pod.wants("p1")
                await is_told(pod, "p1", "EnQueued")
                pod.wants("p2")
                await is_told(pod, "p2", "EnQueued", "MatchFound")
                await wait_until(lambda: len(pod.started) == 1, what="the match")
                assert await pod.ended() == 0
        assert guard.denials() == []


async def test_what_it_writes_fits_the_schemas(client: Path, valkey: RealServer) -> None:
    """Every message of it, as it stands in the stream; here is no server to take it."""
    async with Redis.from_url(valkey.url, decode_responses=True) as redis:
        await redis.xgroup_create(keys.requests(), keys.GROUP, mkstream=True)
        async with outside(valkey.url) as wire, playing(client, valkey.url) as pod:
            pod.wants("p1", metadata={"mmr": 1}, request_id="r1")
            pod.wants("p2", "dequeue")
            await wait_until(lambda: _requests(redis, 3), what="a request again, too")
            offer = {"match_id": "m", "game_mode": "Squad", "epoch": 1, "teams": []}
            await wire.redis.publish("battle:request", json.dumps(offer))
            await wait_until(lambda: _has_kind(redis, "handoff"), what="a claim")
            for entry in await entries_of(redis, keys.requests()):
                name = f"{entry['kind']}_request"
                body = json.loads(entry["body"])
                jsonschema.validate(body, reference.schemas()[name])
                assert body["pod_id"] == "pod-a"
                if body.get("player_id") == "p1":
                    assert body["request_id"] == "r1"


async def _requests(redis: Redis, count: int) -> bool:
    return int(await redis.xlen(keys.requests())) >= count


async def _has_kind(redis: Redis, kind: str) -> bool:
    return any(entry["kind"] == kind for entry in await entries_of(redis, keys.requests()))
