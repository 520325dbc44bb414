"""Every number that reaches a script is finite and bounded there, before anything is changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from matchkeeper.domain.realm import QueueName
from matchkeeper.store import scripts
from matchkeeper.store.asked import dequeue, enqueue
from matchkeeper.store.clock import clock
from matchkeeper.store.committing import commit
from matchkeeper.store.scripts import Call, Script
from tests.conftest import RealServer

BAD = ("inf", "-inf", "nan", "1e300", "-1", "", "ten")
QUEUE = QueueName(mode="squad")
PARTS = {"queue": QUEUE, "name": "x", "token": "x", "stream": "heard", "key": "x", "scope": None}
COMPARED = ("epoch",)
"""Numbers that are compared as texts."""


@pytest.fixture
async def plain(valkey: RealServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(valkey.url) as redis:
        yield redis


async def is_refused(redis: Redis, call: Call[Any]) -> None:
    _, _, *command = call.command
    with pytest.raises(ResponseError, match="allowed is"):
        await redis.execute_command("EVAL", call.script.source, *command)
    assert await redis.dbsize() == 0


@pytest.mark.parametrize("script", scripts.every(), ids=lambda script: str(script.name))
async def test_a_number_that_is_none_or_out_of_bounds_ends_the_script(
    plain: Redis, script: Script[..., Any]
) -> None:
    would_do = {**PARTS, **dict.fromkeys(script.arguments, 1), **dict.fromkeys(script.rows, ())}
    for name, kind in script.arguments.items():
        if kind in (int, float) and name not in COMPARED:
            for bad in BAD:
                await is_refused(plain, Call(script, {**would_do, name: bad}))


@pytest.mark.parametrize("bad", ["inf", "-inf", "nan", "1e300", "ten"])
async def test_so_does_a_step_of_the_clock(plain: Redis, bad: Any) -> None:
    await is_refused(plain, clock(step=bad))


@pytest.mark.parametrize("name", ["offer_seconds", "lease_seconds", "memory_ms"])
async def test_so_do_the_numbers_of_a_commit(plain: Redis, name: str) -> None:
    packed = {
        "claim": True, "channel": "c", "offer_seconds": 5, "lease_seconds": 10, "memory_ms": 60_000,
        "mode": "squad", "ids": [], "scores": [], "sums": [], "proposals": [], "parties": {},
    }  # fmt: skip
    for bad in (*BAD, float("inf"), float("nan"), 1e9, -1):
        damaged = {**packed, name: bad}
        call = commit(queue=QUEUE, packed=damaged, others=(), proposed=(), by_hand=(), marks=())
        await is_refused(plain, call)


async def test_so_does_the_memory_of_requests(plain: Redis) -> None:
    packed = {
        "mode": "squad", "group": "", "several": False, "longest": 0, "players": [],
        "metadata": [], "tokens": [], "entries": [], "repeats": {}, "channel": [], "pods": [],
        "parties": {},
    }  # fmt: skip
    for bad in (*BAD, float("inf"), float("nan"), 1e12, 0):
        values: dict[str, Any] = {
            **PARTS, "packed": {**packed, "memory_ms": bad}, "asked": (), "others": (), "marks": (),
            "members": (),
        }  # fmt: skip
        for script in (enqueue, dequeue):
            await is_refused(plain, Call(script, values))
