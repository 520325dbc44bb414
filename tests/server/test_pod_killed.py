"""A game server that is killed at any point learns of all its players when it is started again."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from matchkeeper.client import GameServer
from tests.conftest import RealServer
from tests.support.harness import Server, serving
from tests.support.mortal_pod import ASSIGNMENT, MODE

SETTINGS: dict[str, object] = {
    "matchmaking__game_modes": [
        {"game_mode": MODE, "required_players": 2, "handoff": "claim", "claim_lease_seconds": 1}
    ],
    "matchmaking__offer_timeout_seconds": 1,
    "matchmaking__redis_operation_timeout_seconds": 5,
}
POINTS = (
    "stored", "written", "enqueued", "offered", "claimed", "confirmed", "started", "told", "noted",
)  # fmt: skip
_SECONDS = 60


@pytest.fixture
async def server(valkey: RealServer, tmp_path: Path) -> AsyncIterator[Server]:
    with serving(valkey.url, tmp_path, **SETTINGS) as found:
        await found.ready()
        yield found


async def lives(url: str, folder: Path, point: str, way: str, *players: str) -> int:
    """One life of the game server; how it ended."""
    folder.mkdir(exist_ok=True)
    command = ("-m", "tests.support.mortal_pod", url, str(folder), point, way, *players)
    process = await asyncio.create_subprocess_exec(sys.executable, *command)
    try:
        async with asyncio.timeout(_SECONDS):
            return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()


def told(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Player -> what the game server has made of news, in all of its lives."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in (folder / "told.jsonl").read_text().splitlines():
        player, match = json.loads(line)
        found.setdefault(player, []).append(match)
    return found


@pytest.mark.parametrize("way", ["status", "request_id"])
@pytest.mark.parametrize("point", POINTS)
async def test_whoever_is_killed_learns_of_all_players(
    server: Server, valkey: RealServer, tmp_path: Path, point: str, way: str
) -> None:
    folder, players = tmp_path / "pod", ("p0", "p1")
    assert await lives(valkey.url, folder, point, way, *players) == -signal.SIGKILL
    assert await lives(valkey.url, folder, "", way, *players) == 0
    found = told(folder)
    assert set(found) == set(players)
    matches = {match["match_id"] for news in found.values() for match in news}
    assert len(matches) == 1, "nobody is in a second match"
    for player, news in found.items():
        assert news[-1]["assignment"] == ASSIGNMENT
        assert news[-1]["secret"] == f"for {player}"


@pytest.mark.parametrize("way", ["status", "request_id"])
async def test_what_another_game_server_started_meanwhile_is_learnt(
    server: Server, valkey: RealServer, tmp_path: Path, way: str
) -> None:
    folder = tmp_path / "pod"
    assert await lives(valkey.url, folder, "enqueued", way, "p0") == -signal.SIGKILL
    async with GameServer(valkey.url, pod_id="other", timeout=timedelta(seconds=2)) as other:
        await other.enqueue("p1", MODE)
        async with asyncio.timeout(_SECONDS):
            async for offer in other.battle_requests():
                if await offer.start(ASSIGNMENT, {"p0": "for p0"}):
                    break
        assert await lives(valkey.url, folder, "", way, "p0") == 0
        ((only,),) = told(folder).values()
        assert only["match_id"] == offer.request.match_id
        assert (only["claimed_by"], only["assignment"]) == ("other", ASSIGNMENT)
        assert only["secret"] == "for p0", "the player's own pod asks"
