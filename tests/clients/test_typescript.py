"""The client in TypeScript, on real servers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from redis.asyncio import Redis

from matchkeeper import reference
from matchkeeper.store import keys
from matchkeeper.store.embedded import executable
from tests.conftest import RealServer, wait_until
from tests.support.acl import guarded
from tests.support.harness import PATIENT, Server, free_port, outside, serving
from tests.support.proxy import proxy_to
from tests.support.typescript import CLIENT, Pod, compiled, missing, playing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "-")


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("typescript"))


async def is_told(pod: Pod, player_id: str, *news: str, seconds: float = 30) -> None:
    await wait_until(
        lambda: pod.was_told(player_id) == list(news),
        seconds=seconds,
        what=f"{player_id} told {news}; was told {pod.told}; {pod.started}",
    )


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


async def test_redis_away_and_back(client: Path, valkey: RealServer, tmp_path: Path) -> None:
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        async with playing(client, valkey.url) as pod:
            pod.wants("p1")
            await is_told(pod, "p1", "EnQueued")
            valkey.kill()
            pod.wants("p2")
            await asyncio.sleep(1)
            valkey.start()
            await is_told(pod, "p2", "EnQueued", "MatchFound")
            await wait_until(lambda: len(pod.started) == 1, what="the match")


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


async def test_what_it_missed_it_asks_for(client: Path, valkey: RealServer, tmp_path: Path) -> None:
    """While the pod's connection is away one player waits on, one is matched and one taken out; it
    asks for them once it is back, and tells each what was missed, once.
    """
    with serving(valkey.url, tmp_path, **PATIENT) as server:
        await server.ready()
        async with (
            Redis.from_url(valkey.url, decode_responses=True) as redis,
            proxy_to(valkey.port) as proxy,
            playing(client, proxy.url) as pod,
            playing(client, valkey.url, "pod-b") as other,
        ):
            pod.wants("waits", mode="Ranked")
            pod.wants("leaves", mode="Normal")
            pod.wants("plays")
            for player in ("waits", "leaves", "plays"):
                await is_told(pod, player, "EnQueued")
            proxy.leads_to = free_port()
            await _cut(valkey, "pod-pod-a")
            out = {"player_id": "leaves", "game_mode": "Normal"}
            await redis.publish("match:dequeue:request", json.dumps(out))
            other.wants("plays too")
            await is_told(other, "plays too", "EnQueued", "MatchFound")
            await wait_until(lambda: _is_out(redis), what="it is out")
            proxy.leads_to = valkey.port
            await is_told(pod, "plays", "EnQueued", "MatchFound")
            await is_told(pod, "leaves", "EnQueued", "DeQueued")
            await _asked_again(server)
            await _cut(valkey, "pod-pod-a")
            await _asked_again(server, times=4)
            assert pod.was_told("plays") == ["EnQueued", "MatchFound"]
            assert pod.was_told("leaves") == ["EnQueued", "DeQueued"]
            assert pod.was_told("waits") == ["EnQueued"], "that one still waits is no news"


async def _is_out(redis: Redis) -> bool:
    return int(await redis.zcard("queue:{normal}")) == 0


async def _cut(valkey: RealServer, name: str) -> None:
    async with Redis.from_url(valkey.url, decode_responses=True) as redis:
        for each in await redis.client_list():
            if each["name"] == name:
                await redis.client_kill(each["addr"])


async def _asked_again(server: Server, *, times: int = 3) -> None:
    async def check() -> bool:
        return await server.metric("matchkeeper_status_told_total") >= times

    await wait_until(check, seconds=30, what=f"{times} questions")


STATUS = """
import { GameServer } from "matchkeeper-client";
const pod = await GameServer.connect(process.env.REDIS_URL, { podId: "pod-a" });
const none = (error) => ({ result_type: { Status: { refused: error.code } } });
for (const player of process.argv.slice(1)) {
  const { result_type } = await pod.status(player).catch(none);
  console.log(JSON.stringify(result_type.Status));
}
const told = new Set();
for await (const { player_id, result_type } of pod.results()) {
  console.log(JSON.stringify({ player_id, ...result_type.MatchFound }));
  if (told.add(player_id).size === 2) break;
}
await pod.close();
"""


async def test_it_says_where_players_are_after_a_restart(
    client: Path, valkey: RealServer, tmp_path: Path
) -> None:
    """And is told the news of those who wait from then on."""
    with serving(valkey.url, tmp_path, **PATIENT) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            await wire.enqueue("gone", "Ranked")
            await wire.is_told("gone", "EnQueued")
            await wire.dequeue("gone", "Ranked")
            await wire.is_told("gone", "DeQueued")
            for player, mode in (("p1", "Squad"), ("p2", "Ranked")):
                await wire.enqueue(player, mode)
                await wire.is_told(player, "EnQueued")
            process = await asyncio.create_subprocess_exec(
                *("node", "--input-type=module", "--eval", STATUS),
                *("p1", "p2", "gone", "nobody", ""),
                cwd=client, env={**os.environ, "REDIS_URL": valkey.url}, stdout=subprocess.PIPE,
            )  # fmt: skip
            assert process.stdout is not None
            async with asyncio.timeout(60):
                found = [json.loads(await process.stdout.readline()) for _ in range(5)]
                assert [each.get("state") for each in found] == [
                    *("waiting", "waiting", "gone", "unknown", None)
                ]
                assert found[0]["queues"][0]["game_mode"] == "Squad"
                assert found[2]["news"] == "DeQueued"
                assert found[4]["refused"] == "invalid_player_id"
                for player, mode in (("p3", "Squad"), ("p4", "Ranked")):
                    await wire.enqueue(player, mode, pod="pod-b")
                await wait_until(lambda: bool(wire.offers), seconds=30, what="an offer")
                offer = next(each for each in wire.offers if each["game_mode"] == "Squad")
                await wire.hand("start", offer)
                told = [json.loads(await process.stdout.readline()) for _ in range(2)]
                assert {each["player_id"] for each in told} == {"p1", "p2"}
                assert await process.wait() == 0


FROZEN = """
import { GameServer } from "matchkeeper-client";
const pod = await GameServer.connect(process.env.REDIS_URL, {
  podId: "pod-a", timeoutMs: 500,
  onConnection: (isHeard, why) => console.log(isHeard, why?.message),
});
process.stdin.resume().once("end", () => pod.close());
"""


async def test_a_frozen_redis_counts_as_away(client: Path, valkey: RealServer) -> None:
    process = await asyncio.create_subprocess_exec(
        *("node", "--input-type=module", "--eval", FROZEN),
        cwd=client, env={**os.environ, "REDIS_URL": valkey.url},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"true undefined\n"
        valkey.signal(signal.SIGSTOP)
        assert b"false Socket timeout" in await process.stdout.readline()
        await asyncio.sleep(1)  # the next attempts find it frozen, too
        valkey.signal(signal.SIGCONT)
        assert await process.stdout.readline() == b"true undefined\n"
        process.stdin.close()
        assert await process.wait() == 0


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


async def test_a_redis_that_is_not_there_is_named(client: Path) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        ["node", "--input-type=module", "--eval", FROZEN],
        cwd=client, env={**os.environ, "REDIS_URL": f"redis://127.0.0.1:{free_port()}"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "UnansweredError: Redis was not heard within 500 ms (connect ECONNREFUSED" in done.stderr


async def test_it_is_killed_and_comes_back(
    client: Path, valkey: RealServer, tmp_path: Path
) -> None:
    """Under the same name it asks again for players who are still there, and is offered matches. It
    queues nobody whose match runs.
    """
    with serving(valkey.url, tmp_path, **PATIENT) as server:
        await server.ready()
        async with playing(client, valkey.url) as pod:
            pod.wants("p1", request_id="r1")
            await is_told(pod, "p1", "EnQueued")
            pod.process.kill()
        async with playing(client, valkey.url) as again:
            again.wants("p1", request_id="r1")
            await is_told(again, "p1", "EnQueued")
            again.wants("p2")
            await is_told(again, "p2", "EnQueued", "MatchFound")
            await is_told(again, "p1", "EnQueued", "MatchFound")
            assert len(again.started) == 1
        async with playing(client, valkey.url) as third:
            third.wants("p1", request_id="r1")
            await wait_until(
                lambda: set(third.was_told("p1")) == {"EnQueued", "MatchFound"}, seconds=30
            )
            async with Redis.from_url(valkey.url, decode_responses=True) as redis:
                assert await redis.zcard("queue:{squad}") == 0


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
