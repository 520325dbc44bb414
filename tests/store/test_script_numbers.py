"""Every number that reaches a script is finite and bounded there, before anything is changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from matchkeeper.store import scripts
from matchkeeper.store.scripts import Script
from tests.conftest import RealServer

BAD = ("inf", "-inf", "nan", "1e300", "-1", "", "ten")
MEMORY = "60000"
# Number of keys, arguments that would do, and which of them are numbers.
NUMBERS: dict[Script, tuple[int, Sequence[str], Sequence[int]]] = {
    Script.SCAN: (1, ("0", "10"), (0, 1)),
    Script.NEWER: (1, ("0", "10"), (1,)),
    Script.OVERDUE: (2, ("0", "10"), (0, 1)),
    Script.REDELIVER: (4, (MEMORY, "m", "1", "c", "{}", "5"), (0, 5)),
    Script.GIVE_BACK: (9, (MEMORY, "m", "1", "c", "due", "3", "10", "300", "squad"), (0, 5, 6, 7)),
    Script.SET_ASIDE: (5, (MEMORY, "10"), (0, 1)),
    Script.SET_ASIDE_MATCHES: (6, (MEMORY, "10", "1000"), (0, 1, 2)),
    Script.EXPIRE: (4, (MEMORY, "60", "\x90"), (0, 1)),
    Script.REQUEUE: (6, (MEMORY, "1-1", "", "1", "squad"), (0, 3)),
    Script.DROP: (3, (MEMORY, "1-1"), (0,)),
    Script.SUBMIT: (1, ("10", "enqueue", "{}"), (0,)),
    Script.HEAR_MOVE: (2, ("1", "", "1.2", "10"), (3,)),
    Script.BEAT: (3, ("me", "ab", "", "15", "3600"), (3, 4)),
    Script.CLOCK: (1, ("3", "0.05", "5", "0", "0", "group"), (0, 1, 3, 4)),
    Script.BURY: (2, ("", "1-1", "10", "enqueue", "{}", "p1", "why"), (2,)),
    Script.ALERT_RAISE: (2, ("token", "1000", "1000"), (1, 2)),
    Script.ALERT_RESOLVE: (3, ("token", MEMORY), (1,)),
}
NONE = (
    *(Script.CLAIM, Script.CONFIRM, Script.SETTLE, Script.DECLINE, Script.HEARTBEAT),
    *(Script.FETCH, Script.PODS, Script.HEAR_LEASE, Script.MODE_STATE, Script.HAND_ON),
)
PACKED = (Script.COMMIT, Script.ENQUEUE, Script.DEQUEUE)


@pytest.fixture
async def plain(valkey: RealServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(valkey.url) as redis:
        yield redis


async def is_refused(redis: Redis, script: Script, count: int, args: Sequence[str | bytes]) -> None:
    names = [f"key-{number}" for number in range(count)]
    with pytest.raises(ResponseError, match="allowed is"):
        await redis.eval(scripts.source(script), count, *names, *args)
    assert await redis.dbsize() == 0


async def test_a_number_that_is_none_or_out_of_bounds_ends_the_script(plain: Redis) -> None:
    for script, (count, args, numbers) in NUMBERS.items():
        for number in numbers:
            for bad in BAD:
                await is_refused(plain, script, count, [*args[:number], bad, *args[number + 1 :]])


@pytest.mark.parametrize("name", ["offer_seconds", "lease_seconds", "memory_ms"])
async def test_so_do_the_numbers_of_a_commit(plain: Redis, name: str) -> None:
    call = {
        "claim": True, "channel": "c", "offer_seconds": 5, "lease_seconds": 10, "memory_ms": 60_000,
        "durability": "none", "places": [("squad", 5, 0, 0)], "ids": [], "scores": [], "sums": [],
        "hand_made": {}, "first_match": 6, "proposals": [],
    }  # fmt: skip
    for bad in (*BAD, float("inf"), float("nan"), 1e9, -1):
        await is_refused(plain, Script.COMMIT, 5, [msgspec.msgpack.encode({**call, name: bad})])


async def test_so_does_the_memory_of_requests(plain: Redis) -> None:
    call = {
        "tag": "squad", "group": "", "several": False, "places": [("squad", 5, 0)], "others": 0,
        "players": [], "metadata": [], "tokens": [], "entries": [], "channels": [], "answers": [],
    }  # fmt: skip
    for script, count in ((Script.ENQUEUE, 5), (Script.DEQUEUE, 6)):
        for bad in (*BAD, float("inf"), float("nan"), 1e12, 0):
            packed = msgspec.msgpack.encode({**call, "memory_ms": bad})
            await is_refused(plain, script, count, [packed])


def test_no_script_is_left_out() -> None:
    known = {*NUMBERS, *NONE, *PACKED}
    missing = [each.value for each in Script if each not in known]
    assert missing == [], "say which of its arguments are numbers"
