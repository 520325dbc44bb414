"""The command, as a person types it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis as redis_py

from tests.conftest import RealServer
from tests.support.harness import free_port
from tests.support.webhooks import webhook


def matchkeeper(
    *arguments: str, url: str | None = None, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    variables = {key: value for key, value in os.environ.items() if "MATCHKEEPER" not in key}
    variables |= {"COLUMNS": "200", "NO_COLOR": "1", **environment}
    if url is not None:
        variables["MATCHKEEPER_REDIS__URL"] = url
    return subprocess.run(
        [sys.executable, "-m", "matchkeeper", *arguments],
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
    )


@pytest.fixture
def client(valkey: RealServer) -> redis_py.Redis:
    return redis_py.Redis(port=valkey.port, decode_responses=True)


COMMANDS = (
    (),
    ("serve",),
    ("demo",),
    ("break",),
    ("doctor",),
    ("swarm",),
    ("queue", "list"),
    ("queue", "show"),
    ("queue", "remove"),
    ("match", "list"),
    ("match", "show"),
    ("match", "end"),
    ("dead-letters", "list"),
    ("dead-letters", "show"),
    ("dead-letters", "requeue"),
    ("dead-letters", "drop"),
    ("config", "show"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_teaches_with_an_example(command: tuple[str, ...]) -> None:
    done = matchkeeper(*command, "--help")
    assert done.returncode == 0
    assert ("Example: " if command else "Exit codes: ") in done.stdout


def test_queue_list_show_remove(valkey: RealServer, client: redis_py.Redis) -> None:
    client.zadd("queue:{normal}", {"p1": 1_700_000_000, "p2": 1_700_000_001})
    client.hset("metadata:{normal}", mapping={"p1": '{"pod_id":"a"}', "p2": '{"pod_id":"a"}'})
    with client.pubsub() as pubsub:
        pubsub.subscribe("pod:a:match_result")
        pubsub.get_message(timeout=1)
        listed = matchkeeper("queue", "list", "--json", url=valkey.url)
        assert [row["length"] for row in json.loads(listed.stdout)] == [2, 0]
        shown = matchkeeper("queue", "show", "normal", url=valkey.url)
        assert "p1" in shown.stdout
        assert "2 of 2 shown" in shown.stdout
        removed = matchkeeper("queue", "remove", "Normal", "p1", url=valkey.url)
        assert removed.stdout.strip() == "p1 is out of Normal"
        message = pubsub.get_message(timeout=2)
        assert message is not None
        assert json.loads(message["data"]) == {"player_id": "p1", "result_type": "DeQueued"}
    missing = matchkeeper("queue", "remove", "Normal", "p1", url=valkey.url)
    assert missing.returncode == 4
    assert missing.stderr.startswith("Error: p1 does not wait in Normal\nHint: ")


def test_dead_letters(valkey: RealServer, client: redis_py.Redis) -> None:
    entry = str(
        client.xadd(
            "dead:{normal}",
            {
                "player_id": "p1", "metadata": "{", "reason": "Invalid JSON: x",
                "enqueued_at": "1700000000.5", "time": "1700000001",
            },
        )
    )  # fmt: skip
    assert "Invalid JSON: x" in matchkeeper("dead-letters", "list", url=valkey.url).stdout
    shown = matchkeeper("dead-letters", "show", "Normal", entry, url=valkey.url)
    assert json.loads(shown.stdout)["metadata"] == "{"
    refused = matchkeeper("dead-letters", "requeue", "Normal", entry, url=valkey.url)
    assert refused.returncode == 2
    assert "would be set aside again" in refused.stderr
    done = matchkeeper(
        "dead-letters", "requeue", "Normal", entry, "--metadata", '{"pod_id":"a"}', url=valkey.url
    )
    assert done.stdout.strip() == "p1 is back in Normal"
    assert client.zscore("queue:{normal}", "p1") == 1_700_000_000.5
    gone = matchkeeper("dead-letters", "drop", "Normal", entry, "--yes", url=valkey.url)
    assert gone.returncode == 4


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("queue", "list"), 3, "network error"),
        (("queue", "show", "Norml"), 4, "There is no game mode 'Norml'"),
        (("doctor",), 3, "Not fit to serve: connection"),
        (("queue", "list", "--config", "/nowhere.toml"), 2, "/nowhere.toml"),
        (("nonsense",), 2, "No such command"),
    ],
)
def test_errors_are_one_sentence_and_a_hint(
    arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    done = matchkeeper(*arguments, url=f"redis://u:hunter2@127.0.0.1:{free_port()}")
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_config_show_masks_secrets() -> None:
    done = matchkeeper(
        "config", "show", url="redis://u:hunter2@h:6379", MATCHKEEPER_SERVER__API_TOKEN="t0ken"
    )
    assert done.returncode == 0
    assert "h:6379" in done.stdout
    assert "hunter2" not in done.stdout
    assert "t0ken" not in done.stdout


def test_doctor_says_what_to_mend(valkey: RealServer, client: redis_py.Redis) -> None:
    client.set("queue:{normal}", "not a queue")
    client.zadd("queue:{retired}", {"p": 1})
    client.config_set("maxmemory", "1gb")
    client.config_set("maxmemory-policy", "allkeys-lru")
    done = matchkeeper("doctor", "--json", url=valkey.url)
    assert done.returncode == 3
    found = {each["check"]: each for each in json.loads(done.stdout)}
    wrong = {check for check, each in found.items() if each["verdict"] == "wrong"}
    assert wrong == {"memory", "key types"}
    assert "noeviction" in found["memory"]["mend"]
    assert "queue:{normal}: string, expected zset" in found["key types"]["found"]
    assert found["unknown queues"]["found"] == "retired"
    assert client.keys("*doctor*") == []


@pytest.mark.parametrize("name", ["none.pem", "no_certificate.pem"])
def test_a_missing_authority_is_named_by_its_setting(
    valkey: RealServer, tmp_path: Path, name: str
) -> None:
    (tmp_path / "no_certificate.pem").write_text("nothing", encoding="utf-8")
    url = valkey.url.replace("redis://", "rediss://") + f"?ssl_ca_certs={tmp_path / name}"
    done = matchkeeper("doctor", "--json", url=url)
    lost = next(each for each in json.loads(done.stdout) if each["check"] == "connection")
    assert "a file that redis.url names cannot be used (ssl_ca_certs" in lost["found"]
    assert "Is each file there" in lost["mend"]


def test_doctor_tells_the_hole_of_publish(valkey: RealServer) -> None:
    def handoff(*modes: dict[str, str]) -> list[dict[str, str]]:
        done = matchkeeper(
            "doctor",
            "--json",
            url=valkey.url,
            MATCHKEEPER_MATCHMAKING__GAME_MODES=json.dumps(modes),
        )
        return [each for each in json.loads(done.stdout) if each["check"] == "handoff"]

    safe = {"game_mode": "Safe", "handoff": "claim"}
    assert handoff(safe) == []
    (found,) = handoff(safe, {"game_mode": "Quick"})
    assert found["verdict"] == "warning"
    assert "Quick: announced" in found["found"]
    assert "pod of the first player" in found["found"]
    assert 'handoff = "claim"' in found["mend"]


def test_doctor_names_missing_rights(valkey: RealServer, client: redis_py.Redis) -> None:
    client.execute_command(
        "ACL", "SETUSER", "weak", "on", ">pw", "~*", "&*", "+@all", "-xautoclaim", "-script"
    )
    url = valkey.url.replace("redis://", "redis://weak:pw@")
    done = matchkeeper("doctor", "--json", url=url)
    found = {each["check"]: each for each in json.loads(done.stdout)}
    assert found["rights"]["verdict"] == "wrong"
    assert "XAUTOCLAIM" in found["rights"]["found"]
    assert found["scripts"]["verdict"] == "wrong"


def test_doctor_tells_the_rules_to_add_and_does_nothing(
    valkey: RealServer, client: redis_py.Redis
) -> None:
    client.execute_command(
        "ACL", "SETUSER", "weak", "on", ">pw", "~queue:*", "resetchannels", "+@all", "-xautoclaim"
    )
    url = valkey.url.replace("redis://", "redis://weak:pw@")
    done = matchkeeper("doctor", "--json", url=url)
    rights = next(each for each in json.loads(done.stdout) if each["check"] == "rights")
    assert "channel match:enqueue:request" in rights["found"]
    _, _, rules = rights["mend"].partition("ACL SETUSER <user> ")
    client.execute_command("ACL", "SETUSER", "weak", *rules.split())
    done = matchkeeper("doctor", "--json", url=url)
    assert next(e for e in json.loads(done.stdout) if e["check"] == "rights")["verdict"] == "good"
    assert client.keys("*") == []


def test_text_of_strangers_cannot_steer_the_terminal(
    valkey: RealServer, client: redis_py.Redis
) -> None:
    client.execute_command("ZADD", "queue:{normal}", "5", b"[red]\x1b[31mevil\xff")
    shown = matchkeeper("queue", "show", "Normal", url=valkey.url)
    assert r"[red]\x1b[31mevil\xff" in shown.stdout
    assert "\x1b[31m" not in shown.stdout
    listed = json.loads(matchkeeper("queue", "show", "Normal", "--json", url=valkey.url).stdout)
    assert listed[0]["problem"] == "Metadata not found"
    refused = matchkeeper("queue", "remove", "Normal", "bad\x01id", url=valkey.url)
    assert refused.returncode == 4
    assert "There is no such player" in refused.stderr


async def test_doctor_sends_a_test_alert(valkey: RealServer) -> None:
    async with webhook() as hook:
        done = await asyncio.to_thread(
            matchkeeper,
            "doctor",
            "--send-test-alert",
            url=valkey.url,
            MATCHKEEPER_ALERTS__URLS=json.dumps([hook.apprise_url]),
        )
    assert done.returncode == 0, done.stderr
    assert "test alert sent to json (alerts.urls[0])" in done.stdout
    assert [body["type"] for body in hook.bodies] == ["info", "success"]


def test_serve_refuses_what_can_never_work(valkey: RealServer, client: redis_py.Redis) -> None:
    client.config_set("appendonly", "no")
    done = matchkeeper(
        "serve", "--port", "0", url=valkey.url, MATCHKEEPER_REDIS__DURABILITY="fsync"
    )
    assert done.returncode == 2
    assert "durability: appendonly no" in done.stderr


def test_serve_refuses_a_redis_that_says_too_early_what_is_on_disk(valkey: RealServer) -> None:
    done = matchkeeper(
        "serve", "--port", "0", url=valkey.url, MATCHKEEPER_REDIS__DURABILITY="fsync"
    )
    assert done.returncode == 2
    assert "durability: appendfsync everysec: WAITAOF may answer before" in done.stderr
    assert "Set appendfsync always" in done.stderr


def test_serve_says_when_the_port_is_taken(valkey: RealServer) -> None:
    done = matchkeeper("serve", "--port", str(valkey.port), url=valkey.url)
    assert done.returncode == 1
    assert "HTTP cannot listen on 127.0.0.1" in done.stderr
    assert "Hint: " in done.stderr


def test_the_demo_loses_nobody(tmp_path: Path) -> None:
    done = matchkeeper(
        "demo", "--seconds", "6", "--rate", "40", "--seed", "1",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    last = done.stdout.strip().splitlines()[-1]
    assert "lost 0  doubled 0" in last
    matched = int(last.split("matched ")[1].split()[0])
    assert matched > 20
