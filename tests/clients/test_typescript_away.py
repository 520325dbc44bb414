"""The client in TypeScript: Redis goes away, or it loses its connection, or it starts again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from pathlib import Path

from redis.asyncio import Redis

from tests.conftest import RealServer, wait_until
from tests.support.harness import PATIENT, Server, free_port, outside, serving
from tests.support.proxy import proxy_to
from tests.support.typescript import NEEDS_NODE, is_told, playing

pytestmark = NEEDS_NODE


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
