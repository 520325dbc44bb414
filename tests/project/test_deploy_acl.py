"""The users of `deploy/valkey/users.acl` can do all that they must, and nothing else."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
from redis.exceptions import AuthenticationError, NoPermissionError

from matchkeeper.client import GameServer, Offer, RefusedError
from matchkeeper.config import load
from matchkeeper.conformance.program import Program
from matchkeeper.domain.realm import NO_REALM, QueueName
from matchkeeper.store import keys, rights
from matchkeeper.store.durability import Durability
from matchkeeper.store.embedded import executable
from tests.conftest import wait_until
from tests.operate.test_cli import matchkeeper
from tests.support.acl import ACL, GuardedServer, guarded, users
from tests.support.collector import Collector, collecting
from tests.support.harness import MODES, PATIENT, Outside, Server, free_port, outside, serving

ROOT = Path(__file__).parents[2]

ALL_MODES = [*MODES, {"game_mode": "Brief", "max_wait_seconds": 1}]
SETTINGS: dict[str, object] = {
    **PATIENT,
    "matchmaking__game_modes": ALL_MODES,
    "matchmaking__offer_timeout_seconds": 2,
    "matchmaking__max_offers": 2,
    "matchmaking__metadata_grace_seconds": 0,
    "alerts__game_server_failure_threshold": 1,
}

ADDED_BY_HAND = {
    # Each connection.
    "client|setname", "client|setinfo",
    # The look at Redis before the start, and the doctor.
    "info", "config|get", "scan", "type",
    # RequestStream.discard; the trial of rights begins with one of them and ends with another.
    "multi", "exec", "discard",
    # Sent by durability; which one depends on the setting.
    "waitaof", "wait",
}  # fmt: skip
"""What a server sends beside its scripts and what `store/rights.py` tries."""


@pytest.fixture
def guarded_server(server_program: str, tmp_path: Path) -> Iterator[GuardedServer]:
    with guarded(server_program, tmp_path) as server:
        yield server


async def test_a_whole_day_with_these_users(guarded_server: GuardedServer, tmp_path: Path) -> None:
    guard = guarded_server
    durability = "none" if guard.is_redis_7_0 else "fsync"
    url = guard.url("matchkeeper")
    with (
        collecting() as collector,
        serving(
            url, tmp_path, **SETTINGS, **_traced(collector), redis__durability=durability
        ) as server,
    ):
        await server.ready()
        async with outside(guard.url("operator"), pods=False) as wire:
            await _nobody_listens(guard, wire, server)
        async with outside(guard.url("operator")) as wire:
            await _plain_wire(guard, wire, server)
            async with GameServer(guard.url("gameserver"), pod_id="pod-a") as pod:
                await claims(pod, server)
                await leaves(pod)
            await _set_aside(guard, wire, tmp_path)
        for path in ("queues", "players/p1", "pods", "breaker"):
            assert (await server.get(f"/api/v1/{path}")).status_code == 200
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0
        assert collector.named("match")
    _doctor_is_content(url, durability)
    assert guard.denials() == []


def _traced(collector: Collector) -> dict[str, object]:
    return {"tracing__enabled": True, "tracing__endpoint": collector.url}


async def test_a_game_server_with_nothing_but_redis_cli(
    guarded_server: GuardedServer, tmp_path: Path
) -> None:
    cli = executable().with_name("valkey-cli")
    with serving(guarded_server.url("matchkeeper"), tmp_path) as server:
        await server.ready()
        said: list[dict[str, Any]] = []
        program = Program(
            ["bash", str(ROOT / "examples/game_server.sh")],
            {"REDIS_URL": guarded_server.url("gameserver"), "REDIS_CLI": str(cli)},
            on_line=said.append,
        )
        await program.start()
        try:
            for player in ("alice", "bob"):
                await program.say({"enqueue": json.loads(_request(player, "Squad"))})
            await wait_until(
                lambda: any("started" in line for line in said),
                seconds=30,
                what=f"a start; it wrote {program.last_lines}",
            )
        finally:
            await program.kill()
    assert guarded_server.denials() == []


async def _nobody_listens(guard: GuardedServer, wire: Outside, server: Server) -> None:
    with guard.client("gameserver") as plain:
        for player in ("first", "second"):
            plain.publish("match:enqueue:request", _request(player, "Normal"))
    await wire.is_told("second", "EnQueued")
    await server.logged("Game Server unavailable")
    with guard.client("operator") as operator:
        await wait_until(
            lambda: bool(operator.keys("alert:{*}:open")), seconds=30, what="an alert is open"
        )


async def _plain_wire(guard: GuardedServer, wire: Outside, server: Server) -> None:
    await wire.is_told("first", "MatchFound")
    await server.logged("Game Server recovered")
    with guard.client("gameserver") as plain:
        heard = plain.pubsub()
        heard.subscribe("battle:request", "pod:pod-a:match_result")
        for player, mode in (("waits", "Brief"), ("lost", "Chess"), ("leaves", "Ranked")):
            plain.publish("match:enqueue:request", _request(player, mode))
        await wire.is_told("waits", "Expired")
        await wire.is_told("lost", "Error invalid_game_mode")
        await wire.is_told("leaves", "EnQueued")
        plain.publish("match:dequeue:request", _request("leaves", "Ranked"))
        await wire.is_told("leaves", "DeQueued")
        plain.xadd("match:requests", {"kind": "enqueue", "body": _request("s", "Normal")})
        await wire.is_told("s", "EnQueued")
        plain.xadd("match:requests", {"kind": "nonsense", "body": "{}"})
        await wait_until(lambda: _stream_is_empty(wire), seconds=30, what="set aside")
        heard.unsubscribe()
        heard.close()


async def _stream_is_empty(wire: Outside) -> bool:
    found: Any = await wire.redis.xlen("match:requests")
    return bool(found == 0)


async def claims(pod: GameServer, server: Server) -> None:
    """Players of `Squad`: declined, let go by, and started."""
    for player in ("c1", "c2"):
        await pod.enqueue(player, "Squad", {"mmr": 1})
    offer = await _claimed(pod)
    assert await offer.decline()
    again = await _next_offer(pod)
    assert again.request.epoch == offer.request.epoch + 1
    await server.logged('"cause": "unclaimed"')
    late = await _claimed(pod)
    assert await late.started()


async def leaves(pod: GameServer) -> None:
    """A player comes and goes; one who is not there cannot go."""
    await pod.enqueue("d1", "Squad")
    await pod.dequeue("d1", "Squad")
    with pytest.raises(RefusedError, match="not_in_queue"):
        await pod.dequeue("nobody", "Squad")


async def _set_aside(guard: GuardedServer, wire: Outside, folder: Path) -> None:
    url, modes = guard.url("matchkeeper"), json.dumps(ALL_MODES)

    async def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = await asyncio.to_thread(
            matchkeeper, *arguments, url=url, cwd=folder, MATCHKEEPER_MATCHMAKING__GAME_MODES=modes
        )
        assert done.returncode == 0, done.stderr
        return done

    await wire.redis.set("metadata:bad", "{oops")
    await wire.redis.set("metadata:worse", "{oops")
    await wire.redis.zadd("queue:{ranked}", {"bad": 1, "worse": 2})
    await wait_until(lambda: _dead(wire, 2), seconds=30, what="two dead letters")
    letters = json.loads((await command("dead-letters", "list", "--json")).stdout)
    ids = {each["player_id"]: each["id"] for each in letters}
    mended = '{"pod_id":"pod-a","mmr":9}'
    await command("dead-letters", "show", "Ranked", ids["bad"])
    await command("dead-letters", "requeue", "Ranked", ids["bad"], "--metadata", mended)
    await command("dead-letters", "drop", "Ranked", ids["worse"], "--yes")
    await command("queue", "list")
    await command("queue", "show", "Ranked")
    await command("queue", "remove", "Ranked", "bad")
    await wire.is_told("bad", "DeQueued")


async def _dead(wire: Outside, count: int) -> bool:
    found: Any = await wire.redis.xlen("dead:{ranked}")
    return bool(found == count)


async def _claimed(pod: GameServer) -> Offer:
    """An offer that this game server has; on a busy machine some are over before it claims them."""
    while not await (offer := await _next_offer(pod)).claim():
        pass
    return offer


async def _next_offer(pod: GameServer) -> Offer:
    async with asyncio.timeout(30):
        async for offer in pod.battle_requests():
            if offer.request.game_mode == "Squad":
                return offer
    raise AssertionError("battle requests never end")


def _request(player_id: str, mode: str) -> str:
    return json.dumps(
        {"player_id": player_id, "game_mode": mode, "metadata": {}, "pod_id": "pod-a"}
    )


def _doctor_is_content(url: str, durability: str) -> None:
    done = matchkeeper(
        "doctor",
        "--json",
        url=url,
        MATCHKEEPER_REDIS__DURABILITY=durability,
        MATCHKEEPER_TRACING__ENABLED="true",
        MATCHKEEPER_MATCHMAKING__GAME_MODES=json.dumps(ALL_MODES),
    )
    found = {each["check"]: each["verdict"] for each in json.loads(done.stdout)}
    # No channel for alerts and no game server by now; an old Redis has known holes; modes publish.
    not_good = {check for check, verdict in found.items() if verdict != "good"}
    assert not_good <= {"alerts", "game servers", "known holes", "handoff"}, done.stdout
    assert {"rights", "scripts", "durability", "key types", "unknown queues"} <= found.keys()
    assert "wrong" not in found.values()


FOREIGN = (
    "GET other", "SET other x", "DEL other", "GET queue:normal", "SET sessions:{normal} x",
    "KEYS *", "FLUSHALL", "FLUSHDB", "CONFIG SET maxmemory 1", "ACL LIST", "ACL WHOAMI",
    "SHUTDOWN NOSAVE", "REPLICAOF localhost 1", "MODULE LIST", "CLIENT LIST", "CLIENT KILL x:1",
    "DEBUG SLEEP 0", "MONITOR", "SCRIPT FLUSH", "FUNCTION LIST", "RENAME pods queue:{normal}",
    "SUBSCRIBE other", "PSUBSCRIBE *", "PUBLISH other x", "PUBLISH match:requests x",
)  # fmt: skip
NOT_THE_GAME_SERVERS = (
    "CONFIG GET *", "SCAN 0", "ZADD queue:{normal} 1 p", "ZRANGE queue:{normal} 0 -1",
    "HSET metadata:{normal} p {}", "SET metadata:p {}", "XRANGE match:requests - +",
    "XTRIM match:requests MAXLEN 0", "DEL match:{squad}:m", "HSET matched:{squad} p m",
    "HGET leaving:{squad} p", "XADD dead:{normal} * a b", "SET seen:{normal}:x y",
    "PUBLISH battle:request {}", "SUBSCRIBE match:enqueue:request", "XRANGE history:{normal} - +",
    "HSET pods x y", "ZRANGE pods 0 -1", "EVAL return_1 1 queue:{normal}", "EVAL return_1 0",
    "EVALSHA 0 0", "SCRIPT LOAD return", "FCALL f 0", "WAIT 0 1", "TIME", "XLEN match:requests",
    "XDEL match:requests 1-1", "XREAD STREAMS match:requests 0", "DEL match:requests",
    "XADD heard * kind handoff body {}", "XADD other * a b", "HGET clock belief",
    "ZADD pods 1 p", "PUBLISH pod:a:match_result {}", "PUBLISH match:marks x",
)  # fmt: skip


@pytest.mark.parametrize(
    ("user", "commands"),
    [
        ("matchkeeper", (*FOREIGN, "EVAL return_1 0")),
        ("gameserver", (*FOREIGN, *NOT_THE_GAME_SERVERS)),
        ("probe", (*FOREIGN, *NOT_THE_GAME_SERVERS, "TIME", "GET pods")),
    ],
)
def test_they_may_do_nothing_else(
    guarded_server: GuardedServer, user: str, commands: tuple[str, ...]
) -> None:
    for command in commands:
        with guarded_server.client(user) as client, pytest.raises(NoPermissionError):
            client.execute_command(*command.split())
    with guarded_server.client(user) as client:
        assert client.ping()
    assert guarded_server.denials(), "a log that stays empty would show nothing above"


def test_a_script_reaches_no_further(guarded_server: GuardedServer) -> None:
    with guarded_server.client("matchkeeper") as client:
        for text in (
            "return redis.call('SET', 'other', 'x')",
            "return redis.call('PUBLISH', 'other', 'x')",
            "return redis.call('FLUSHALL')",
        ):
            sha = client.script_load(text)
            with pytest.raises(redis_py.ResponseError, match=r"executing the script|ACL failure"):
                client.evalsha(str(sha), 0)
    with guarded_server.client("operator") as operator:
        assert operator.keys("*") == []


def test_nobody_comes_in_without_a_name(guarded_server: GuardedServer) -> None:
    nameless = guarded_server.url("x").replace("x:x@", "")
    with (
        redis_py.Redis.from_url(nameless, protocol=2) as client,
        pytest.raises(AuthenticationError),
    ):
        client.ping()


def test_a_server_does_not_start_before_the_passwords_are_set(
    server_program: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [server_program, "--port", str(free_port()), "--aclfile", str(ACL), "--dir", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode != 0
    assert "ACL errors" in done.stdout + done.stderr


def _granted(user: str) -> set[str]:
    return set(re.findall(r"[( ]\+(\S+?)(?=[) ]|$)", f" {users()[user]}"))


_CALLED = r"redis\.p?call\('(\w+)'(?:, '(STREAM|CREATE)')?"


def _in_lua(*names: str) -> set[str]:
    folder = files("matchkeeper.store") / "lua"
    texts = [
        each.read_text("utf-8")
        for part in (folder, folder / "lib")
        for each in part.iterdir()
        if each.name.endswith(".lua") and (not names or each.name in names)
    ]
    called = [call for text in texts for call in re.findall(_CALLED, text)]
    return {"|".join(filter(None, call)).lower() for call in called}


def test_the_server_may_do_what_it_does_and_no_more() -> None:
    matchmaking = load(environ={}).matchmaking
    channels = rights.Channels(
        heard=matchmaking.requests, told=(matchmaking.offers, matchmaking.result_channel("*"))
    )
    tried = rights.trials(
        NO_REALM, [QueueName.of("normal")], channels, Durability.parse("fsync").command, traced=True
    )
    needed = {trial.name.lower().replace(" ", "|") for trial in tried}
    assert _granted("matchkeeper") == needed | _in_lua() | ADDED_BY_HAND
    rules = users()["matchkeeper"].split()
    assert {rule[1:] for rule in rules if rule[0] == "~"} == set(keys.patterns())
    named = {*channels.heard, *channels.told, keys.marks()}
    assert {rule[1:] for rule in rules if rule[0] == "&"} == named


def test_game_servers_may_publish_subscribe_and_add_to_the_stream() -> None:
    around = {"client|setname", "client|setinfo", "ping", "info", "unsubscribe"}
    assert _granted("gameserver") == around | {"publish", "subscribe", "xadd"}
    assert re.findall(r"%?\w*~\S+", users()["gameserver"]) == ["%W~match:requests)"]
