"""The users of one realm: they do all that is done there, and reach nothing of another."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest
from redis.exceptions import NoPermissionError

from matchkeeper.client import GameServer
from matchkeeper.config import load
from matchkeeper.store import keys
from tests.operate.test_cli import matchkeeper
from tests.project.test_deploy_acl import SETTINGS, claims, leaves
from tests.support.acl import guarded, of_realm, users
from tests.support.harness import outside, serving


async def test_the_users_of_a_realm_reach_no_other(server_program: str, tmp_path: Path) -> None:
    with guarded(server_program, tmp_path, more=of_realm("eu")) as guard:
        url, settings = guard.url("matchkeeper-eu"), {"matchmaking__realm": "eu", **SETTINGS}
        with serving(url, tmp_path, **settings) as server:
            await server.ready()
            async with (
                outside(guard.url("operator"), realm="eu") as wire,
                GameServer(guard.url("gameserver-eu"), pod_id="pod-a", realm="eu") as pod,
            ):
                await wire.enqueue("p1")
                await wire.enqueue("p2")
                await wire.is_told("p1", "MatchFound")
                await claims(pod, server)
                await leaves(pod)
            server.signal(signal.SIGTERM)
            assert await server.ended() == 0
        assert guard.denials() == []
        _rights_are_sufficient(url, "eu")
        _rights_are_not(url, "us")
        for user in ("matchkeeper-eu", "gameserver-eu"):
            for command in ("ZRANGE queue:{normal} 0 -1", "PUBLISH match:enqueue:request x"):
                with guard.client(user) as client, pytest.raises(NoPermissionError):
                    client.execute_command(*command.split())


def _rights(url: str, realm: str) -> dict[str, str]:
    done = matchkeeper("doctor", "--json", url=url, MATCHKEEPER_MATCHMAKING__REALM=realm)
    (found,) = (each for each in json.loads(done.stdout) if each["check"] == "rights")
    return dict(found)


def _rights_are_sufficient(url: str, realm: str) -> None:
    assert _rights(url, realm)["verdict"] == "good"


def _rights_are_not(url: str, realm: str) -> None:
    found = _rights(url, realm)
    assert found["verdict"] == "wrong"
    assert f"~queue:{{{realm}}}:*" in found["mend"]
    assert f"&battle:request:{{{realm}}}" in found["mend"]


def test_the_users_of_a_realm_have_its_keys_and_channels() -> None:
    settings = load(environ={"MATCHKEEPER_MATCHMAKING__REALM": "eu"}).matchmaking
    rules = users(of_realm("eu"))["matchkeeper-eu"].split()
    assert {rule[1:] for rule in rules if rule[0] == "~"} == set(keys.patterns("eu"))
    named = {*settings.requests, settings.offers, settings.result_channel("*"), keys.marks("eu")}
    assert {rule[1:] for rule in rules if rule[0] == "&"} == named
    of_game_servers = users(of_realm("eu"))["gameserver-eu"]
    reached = re.findall(r"[~&]([^ )]+)", of_game_servers)
    assert all(":{eu}" in each for each in reached), reached
