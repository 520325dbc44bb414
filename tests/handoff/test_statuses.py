"""Questions where players are, where modes are so many that one call had too many keys."""

from __future__ import annotations

import json

import pytest
from redis.asyncio import Redis

from matchkeeper.domain.realm import QueueName
from matchkeeper.store import statuses
from matchkeeper.store.statuses import Sought, Statuses
from matchkeeper.store.stream import Entry
from tests.conftest import RealServer
from tests.support.intakes import ingest
from tests.support.stores import MODES, open_stores

PLAYERS = [f"p{number}" for number in range(5)]


async def test_a_part_of_them_in_each_call_and_each_is_answered_once(
    any_server: RealServer, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statuses, "_MOST_KEYS", 2 * len(MODES))
    said = [{"kind": "status", "pod_id": "asker", "player_id": each} for each in PLAYERS]
    entries = []
    for each in map(json.dumps, said):
        entry_id = str(await redis.xadd("heard", {"kind": "handoff", "body": each}))
        entry = Entry(stream="heard", entry_id=entry_id, kind="handoff", body=each.encode())
        entries.append(entry)
    async with (
        open_stores(any_server.url, several_queues=True) as stores,
        redis.pubsub(ignore_subscribe_messages=True) as pubsub,
    ):
        await pubsub.subscribe("pod:asker:match_result")
        await pubsub.get_message(timeout=5)
        await ingest(stores).take(entries)
        heard: list[str] = []
        while len(heard) < len(PLAYERS) and (found := await pubsub.get_message(timeout=5)):
            heard.append(json.loads(found["data"])["player_id"])
        assert heard == PLAYERS
        assert await pubsub.get_message(timeout=0.1) is None
    assert await redis.xlen("heard") == 0


def test_a_thousand_modes_make_no_call_of_two_hundred_thousand_keys() -> None:
    names = {QueueName(mode=f"m{number}"): f"m{number}" for number in range(1000)}
    asked = [Sought(player_id=f"p{number}", pod_id="a") for number in range(120)]

    def parts(several: bool) -> list[int]:
        store = Statuses(None, names=names, several_queues=several, channel=("", ""))  # type: ignore[arg-type]  # asks nobody
        return [len(part) for part in store.in_parts(asked)]

    assert parts(several=True) == [50, 50, 20]
    assert parts(several=False) == [120]
