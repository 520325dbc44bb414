"""The chaos: its proxy knows who hears no more, and its players ask as they may."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from crowd.history import What
from proof.chaos import players
from proof.chaos.notes import Notes, read
from proof.chaos.players import Player, Players
from proof.chaos.proxy import Proxy
from proof.chaos.settings import PodOptions
from proof.chaos.wire import Client, Line
from tests.conftest import RealServer

PATIENCE_SECONDS = 5.0
OPTIONS = PodOptions(
    name="p",
    start=1,
    port=0,
    notes="",
    stop="",
    swallow="",
    shares={},
    players_per_second=1,
    seed="",
)


@asynccontextmanager
async def proxied(server: RealServer) -> AsyncIterator[tuple[Proxy, list[str]]]:
    proxy = Proxy(server.port)
    deaf: list[str] = []
    proxy.deaf = deaf.append
    await proxy.open()
    try:
        yield proxy, deaf
    finally:
        await proxy.close()


async def subscribed(proxy: Proxy) -> Line:
    """A process that listens for one pod, and does nothing more."""
    line = await Line.to(proxy.port)
    line.send("SUBSCRIBE", "battle:request", "pod:p-0:match_result")
    for _ in range(2):
        await line.receive()
    return line


async def until(happened: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not happened():
            await asyncio.sleep(0.01)


async def test_the_end_of_a_connection_is_known_although_its_pod_does_nothing(
    any_server: RealServer,
) -> None:
    async with proxied(any_server) as (proxy, deaf):
        line = await subscribed(proxy)
        assert deaf == []
        any_server.kill()
        await until(lambda: deaf)
        assert deaf == ["p-0"]
        line.close()


async def test_the_end_of_an_earlier_connection_says_nothing(any_server: RealServer) -> None:
    async with proxied(any_server) as (proxy, deaf):
        earlier = await subscribed(proxy)
        latest = await subscribed(proxy)
        earlier.close()
        await until(lambda: len(proxy.listeners) == 1)
        assert deaf == []
        latest.close()
        await until(lambda: deaf)


class Redis(Client):
    """Takes what players send; gives no answer, and an entry's id from the call of that number."""

    def __init__(self, *, gives_ids_from: int) -> None:
        super().__init__(0)
        self.calls: list[float] = []
        self._gives_ids_from = gives_ids_from

    async def call(self, *_commands: tuple[str | bytes | float, ...]) -> list[Any]:
        self.calls.append(asyncio.get_running_loop().time())
        known = len(self.calls) >= self._gives_ids_from
        return [b"1-1" if known else None]


@pytest.mark.parametrize(
    ("by_stream", "gives_ids_from", "goes_on"),
    [(False, 0, False), (True, 1, True), (True, 10_000, False)],
)
async def test_a_player_asks_no_longer_than_it_is_known_unless_it_says_what_it_repeats(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    by_stream: bool,
    gives_ids_from: int,
    goes_on: bool,
) -> None:
    monkeypatch.setattr(players, "_KNOWN_SECONDS", 0.2)
    monkeypatch.setattr(players, "_ASK_AGAIN_SECONDS", 0.02)
    redis = Redis(gives_ids_from=gives_ids_from)
    notes = Notes(tmp_path / "notes.jsonl")
    asks = Players(OPTIONS, ["p-0"], client=redis, notes=notes, rng=random.Random(1))
    player = Player(name="a", mode="Duel", pod="p-0", by_stream=by_stream, has_ids=True)
    await asks._ask(player, "enqueue")
    assert len(redis.calls) > 2
    assert (redis.calls[-1] - redis.calls[0] > 0.25) == goes_on
    assert [event.what for event in read(tmp_path.glob("*.jsonl"))] == [What.ASKED, What.GAVE_UP]
