"""`matchkeeper swarm`: what it refuses before it sends anything, and whose matches it leaves."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from crowd.behaviours import PodBehaviour
from crowd.mix import Mix
from crowd.requests import Names
from matchkeeper.swarm.ledger import Ledger
from matchkeeper.swarm.pods import Pods
from matchkeeper.swarm.tally import Tally
from matchkeeper.wire.answers import decode_battle_request
from tests.conftest import RealServer
from tests.support.swarm_command import SOON, command, started, swarm


async def test_another_machine_is_refused_where_nobody_can_be_asked() -> None:
    done = await swarm("--redis-url", "redis://:secret@192.0.2.1:6379")
    assert done.returncode == 2
    assert (
        "redis://********@192.0.2.1:6379 is not this machine, and nothing was sent" in done.stderr
    )
    assert "--yes" in done.stderr
    assert "secret" not in done.stderr


async def test_another_machine_is_asked_about_and_no_means_no() -> None:
    ours, theirs = pty.openpty()
    process = started("--redis-url", "redis://192.0.2.1:6379", stdin=theirs)
    os.write(ours, b"n\n")
    _, err = await asyncio.to_thread(process.communicate, timeout=60)
    os.close(ours)
    os.close(theirs)
    assert "Send 500 players to redis://192.0.2.1:6379, which is not this machine?" in err
    assert process.returncode == 2
    assert "nothing was sent" in err


async def test_yes_is_an_answer(valkey: RealServer) -> None:
    # An address that counts as elsewhere, although it leads here.
    url = valkey.url.replace("127.0.0.1", "0.0.0.0")  # noqa: S104
    done = await swarm("--redis-url", url, "--yes", "--players", "1", *SOON)
    assert done.returncode == 1, done.stderr
    assert "no answer" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--mix", "norml=3"), "Did you mean normal?"),
        (("--pod-mix", "sleeps"), "Known are claims, never_claims"),
        (("--mode", "Normal=x"), "the weight of Normal"),
        (("--metadata-bytes", "65536"), "more than max_message_bytes, 65536"),
        (("--parties", "1,x"), "--parties: 'x' is no number of players from 1 to 100"),
        (("--parties", "0=1"), "--parties: '0' is no number"),
        (("--parties", "101"), "--parties: '101' is no number"),
        (("--parties", "1,2,1"), "--parties: 1 stands twice"),
        (("--parties", "1,3"), "a party of 3 is larger than a match of Normal"),
        (("--mode", "Nobody knows", "--mix", "too_large"), "which party is too_large for Nobody"),
        (("--ratings", "fast"), "--ratings: 'fast' is not a mean and a deviation"),
        (("--report", "/nowhere/at/all.html"), "there is no folder /nowhere/at"),
        (("--players", "0"), "--players"),
        (("--via", "pigeon"), "pigeon"),
    ],
)
async def test_wrong_use_is_explained_before_anything_is_sent(
    valkey: RealServer, arguments: tuple[str, ...], said: str
) -> None:
    done = await swarm("--redis-url", valkey.url, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    async with Redis.from_url(valkey.url) as redis:
        assert "publish" not in await redis.info("commandstats")


async def test_a_mode_that_the_given_settings_do_not_have_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "modes.toml"
    config.write_text('[[matchmaking.game_modes]]\ngame_mode = "Duel"\n')
    words, variables = command(
        "-c", str(config), "--mode", "Dual", "--redis-url", "redis://localhost"
    )
    del variables["MATCHKEEPER_MATCHMAKING__GAME_MODES"]
    done = await asyncio.to_thread(
        subprocess.run, words, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "there is no game mode 'Dual' in the settings" in done.stderr
    assert "Known are Duel" in done.stderr


async def test_no_redis_is_exit_code_3() -> None:
    done = await swarm("--redis-url", "redis://127.0.0.1:1")
    assert done.returncode == 3
    assert "network error" in done.stderr


def offer(*players: str, handoff: str = "claim") -> bytes:
    both = [{"player_id": player, "score": 1, "pod_id": "a", "metadata": {}} for player in players]
    request = {
        "match_id": "m", "game_mode": "Squad", "player1": both[0], "player2": both[1],
        "handoff": handoff, "epoch": 1, "claim_within_seconds": 1,
    }  # fmt: skip
    return json.dumps(request).encode()


@pytest.mark.parametrize(
    ("players", "seen"),
    [
        (("x-1", "x-2"), "matches of others"),
        (("r-1", "x-2"), "matches with others"),
        (("r-1", "r-2"), ""),
    ],
)
def test_matches_with_players_of_others_are_left_alone(players: tuple[str, str], seen: str) -> None:
    names, tally = Names(run="r"), Tally()
    unused: Any = None
    pods = Pods(
        names=names,
        count=2,
        mix=Mix(((PodBehaviour.CLAIMS, 1.0),)),
        ledger=Ledger(
            names=names,
            players=5,
            timeout_seconds=1,
            late_seconds=1,
            sizes={},
            teams={},
            tally=tally,
        ),
        messages=unused,
        now=lambda: 0.0,
        rng=random.Random(1),
    )
    pods.offered(decode_battle_request(offer(*players)))
    assert tally.pods["battle requests heard"] == 1
    assert (pods.waiting == 0) == bool(seen)
    if seen:
        assert tally.pods[seen] == 1
