"""The chaos: its proxy knows who hears no more, and its players ask as they may."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crowd.history import What
from crowd.tickets import Member, Ticket
from crowd.wire import answered
from matchkeeper.wire.answers import BattleRequest
from proof.chaos import handing, players
from proof.chaos.handing import Answers, Messages
from proof.chaos.notes import Notes, read
from proof.chaos.players import Players, Stay
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
        self.said: list[tuple[str | bytes | float, ...]] = []
        self._gives_ids_from = gives_ids_from

    async def call(self, *commands: tuple[str | bytes | float, ...]) -> list[Any]:
        self.said += commands
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
    monkeypatch.setattr(players, "_WAITS_SECONDS", (0.02,) * 45)
    redis = Redis(gives_ids_from=gives_ids_from)
    notes = Notes(tmp_path / "notes.jsonl")
    asks = Players(OPTIONS, ["p-0"], client=redis, notes=notes, rng=random.Random(1))
    ticket = Ticket(mode="Duel", members=(Member("a", "p-0"),), by_stream=by_stream)
    await asks._ask(Stay(name="a", ticket=ticket, has_ids=True), "enqueue")
    assert len(redis.calls) > 2
    assert (redis.calls[-1] - redis.calls[0] > 0.25) == goes_on
    assert [event.what for event in read(tmp_path.glob("*.jsonl"))] == [What.ASKED, What.GAVE_UP]


def test_parties_have_players_at_other_pods_and_ask_at_their_own(tmp_path: Path) -> None:
    options = replace(OPTIONS, shares={"Crew": 1})
    comes = Players(
        options,
        ["p-0", "p-1"],
        client=Redis(gives_ids_from=0),
        notes=Notes(tmp_path / "notes.jsonl"),
        rng=random.Random(1),
        elsewhere=["q-0"],
    )
    tickets = [comes._next(f"t{n}").ticket for n in range(200)]
    parties = [each for each in tickets if each.party]
    assert {len(each.members) for each in parties} == {2, 3, 4, 5}
    assert {each.members[0].pod for each in tickets} == {"p-0", "p-1"}
    assert any(member.pod == "q-0" for each in parties for member in each.members)
    alone = [each for each in tickets if not each.party]
    assert alone, "some come alone"
    assert all(len(each.members) == 1 for each in alone)


OFFER = BattleRequest(match_id="m", game_mode="Duel", handoff="claim", epoch=2)


@pytest.mark.parametrize("by_stream", [True, False])
async def test_a_message_is_sent_as_it_is_until_it_is_answered(
    monkeypatch: pytest.MonkeyPatch, *, by_stream: bool
) -> None:
    monkeypatch.setattr(handing, "_WAITS_SECONDS", (0.02,) * 500)
    redis, answers = Redis(gives_ids_from=1), Answers()
    says = Messages(
        "p-0", OPTIONS, answers, client=redis, rng=random.Random(1), by_stream=by_stream
    )
    starting = asyncio.ensure_future(says.start(OFFER, {"match": "m"}, {"a": "s"}))
    await until(lambda: len(redis.said) > 2)
    assert len(set(redis.said)) == 1
    assert redis.said[0][0] == ("XADD" if by_stream else "PUBLISH")
    body = json.loads(str(redis.said[0][-1]))
    assert (body["kind"], body["epoch"], body["secrets"]) == ("start", 2, {"a": "s"})

    def hears(code: str) -> None:
        came = {"kind": "start", "epoch": 2, "token": body["token"], "reply": code}
        answers.hear(answered(1.0, "p-0", {"match_id": "m", "result_type": {"Handoff": came}}))

    hears("internal_error")
    await asyncio.sleep(0.1)  # that it goes on can only be waited for
    assert not starting.done()
    hears("started")
    assert await starting
