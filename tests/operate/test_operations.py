"""What operators do to a server that runs: a new password, a closed terminal, rules, versions."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import yaml
from redis.asyncio import Redis

from matchkeeper.config import load
from matchkeeper.errors import ConfigError
from matchkeeper.operate.holes import holes_in
from matchkeeper.store.connection import ConnectionOptions
from matchkeeper.store.credentials import PasswordFile
from tests.conftest import RealServer
from tests.support import deployed
from tests.support.deployed import DEPLOY
from tests.support.harness import outside, serving


async def test_a_new_password_needs_no_restart(any_server: RealServer, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("old-word\n")
    async with Redis.from_url(any_server.url) as admin, outside(any_server.url) as wire:
        everything = ("on", "~*", "&*", "+@all")
        await admin.execute_command("ACL SETUSER", "mk", *everything, ">old-word")
        url = any_server.url.replace("redis://", "redis://mk@")
        with serving(url, tmp_path, redis__password_file=str(secret)) as server:
            await server.ready()
            await wire.enqueue("p1")
            await wire.is_told("p1", "EnQueued")
            # As it comes: Redis first, and the file a while later.
            await admin.execute_command("ACL SETUSER", "mk", "<old-word", ">new-word")
            await admin.execute_command("CLIENT KILL", "USER", "mk")
            await server.logged("invalid username-password pair")
            secret.write_text("new-word\n")
            await server.ready()
            await wire.enqueue("p2")
            await wire.is_told("p2", "MatchFound")
            await wire.is_told("p1", "MatchFound")
            assert not server.lines("-word")


def test_a_password_file_that_is_being_replaced_leaves_the_last_one(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    with pytest.raises(ConfigError, match="password_file"):
        PasswordFile(secret, "mk")
    secret.write_text("one")
    read = PasswordFile(secret, "mk")
    assert read.get_credentials() == ("mk", "one")
    secret.unlink()
    assert read.get_credentials() == ("mk", "one")
    secret.write_text("")
    assert read.get_credentials() == ("mk", "one")
    secret.write_text("two\r\n")
    assert read.get_credentials() == ("mk", "two")
    assert PasswordFile(secret, None).get_credentials() == ("two",)
    assert ConnectionOptions(url="redis://x").password_file is None


@pytest.mark.parametrize("url", [None, "redis://mk:pw@h/0", "redis://h/0?password=pw"])
def test_one_password_is_enough(url: str | None) -> None:
    with pytest.raises(ConfigError, match="password_file"):
        load(None, {"redis.url": url, "redis.password_file": "/x"}, {})


async def test_sighup_stops_in_good_order(valkey: RealServer, tmp_path: Path) -> None:
    with serving(valkey.url, tmp_path) as server:
        await server.ready()
        server.signal(signal.SIGHUP)
        assert await server.ended() == 0
        assert server.lines('"shutdown_done"')


async def test_under_nohup_a_closed_terminal_stops_nothing(
    valkey: RealServer, tmp_path: Path
) -> None:
    with serving(valkey.url, tmp_path, "trap '' HUP; exec {}") as server:
        await server.ready()
        server.signal(signal.SIGHUP)
        async with outside(valkey.url) as wire:
            await wire.enqueue("p1")
            await wire.is_told("p1", "EnQueued")
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0
        assert len(server.lines('"shutdown_started"')) == 1


@pytest.mark.parametrize(
    ("kind", "version", "holes"),
    [
        ("valkey", (8, 1, 11), 0),
        ("valkey", (8, 1, 9), 0),
        ("valkey", (8, 1, 8), 1),
        ("valkey", (8, 1, 6), 2),
        ("valkey", (8, 1, 3), 3),
        ("valkey", (9, 1, 1), 1),
        ("valkey", (9, 1, 3), 0),
        ("valkey", (9, 2, 0), 0),
        ("redis", (7, 0, 15), 3),
        ("redis", (8, 10, 1), 0),
        ("redis", (8, 8, 1), 1),
        ("redis", (7, 2, 16), 0),
    ],
)
def test_the_doctor_knows_versions_with_holes(
    kind: str, version: tuple[int, ...], holes: int
) -> None:
    assert len(holes_in(kind, version)) == holes


def test_compose_has_a_valkey_without_known_holes() -> None:
    image = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["valkey"]["image"]
    version = tuple(map(int, image.partition(":")[2].split(".")))
    assert holes_in("valkey", version) == []


def test_the_network_policy_is_of_the_servers_and_their_port() -> None:
    pod = deployed.manifest("deployment")["spec"]["template"]
    policy = deployed.manifest("networkpolicy")["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    (rule,) = policy["ingress"]
    (port,) = rule["ports"]
    assert port["port"] in {each["name"] for each in pod["spec"]["containers"][0]["ports"]}
    assert all(any(each.values()) for each in rule["from"])
