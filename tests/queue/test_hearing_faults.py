"""Who hears Pub/Sub after a fault, and from where on."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

import pytest
from redis.asyncio import Redis

from matchkeeper.errors import StoreForbiddenError
from matchkeeper.store import keys
from matchkeeper.store.hearing import Message, MoveReply, Position, Want
from matchkeeper.store.stream import milliseconds_in
from tests.conftest import RealServer, wait_until
from tests.support.harness import Outside, outside
from tests.support.intakes import hearing
from tests.support.stores import Stores, open_stores


async def _holder(redis: Redis) -> str:
    return str(await redis.hget(keys.hearing(), "holder"))


async def _passes_a_new_mark(redis: Redis) -> None:
    """Returns once the holder has passed a mark that was made in the meantime: all who listen heard
    it.
    """
    seconds, microseconds = await redis.time()
    begun = seconds * 1000 + microseconds // 1000

    async def passed() -> bool:
        position = Position.parse(str(await redis.hget(keys.hearing(), "done")))
        return position is not None and milliseconds_in(position.mark.rpartition(".")[2]) > begun

    await wait_until(passed, what="a new mark passed")


async def _cut_off(redis: Redis, server: str) -> None:
    """Ends the subscription of a server."""
    listening = [
        client["id"]
        for client in await redis.client_list(_type="pubsub")
        if client["name"] == server
    ]
    for each in listening:
        await redis.client_kill_filter(_id=each)


def _moves(stores: Stores) -> int:
    return [operation for operation, _ in stores.seen.operations].count("hear_move")


async def _each_answered_once(wire: Outside, names: list[str]) -> None:
    await wait_until(
        lambda: all(wire.told(name) for name in names),
        seconds=20,
        what="everybody answered",
    )
    assert {name: wire.told(name) for name in names} == {name: ["EnQueued"] for name in names}


async def test_a_server_that_is_cut_off_leaves_the_lease_to_one_that_missed_nothing(
    valkey: RealServer,
) -> None:
    async with (
        outside(valkey.url) as wire,
        hearing(valkey.url, "one") as (one, _),
        hearing(valkey.url, "two") as (two, _),
    ):
        names: list[str] = []
        for turn in range(4):
            await wait_until(lambda: one.listening and two.listening)
            await _passes_a_new_mark(wire.redis)
            holder = await _holder(wire.redis)
            for number in range(500):
                names.append(f"{turn}-{number}")
                await wire.enqueue(names[-1])
                await asyncio.sleep(0.001)
                if number == 100:
                    await _cut_off(wire.redis, holder)
            await _each_answered_once(wire, names)


@pytest.mark.parametrize("holder", ["dead", ""])
async def test_who_starts_hears_at_once_and_takes_a_lease_only_when_it_stands_still(
    valkey: RealServer, holder: str
) -> None:
    """Somebody may have heard what the last holder has not done."""
    async with outside(valkey.url) as wire:
        lease: dict[Any, Any] = {"epoch": 3, "holder": holder, "beat": 7, "done": "dead.9 2"}
        await wire.redis.hset(keys.hearing(), mapping=lease)
        async with hearing(valkey.url, "one") as (one, _):
            await wait_until(lambda: one.listening, seconds=0.8)
            assert await _holder(wire.redis) == holder
            await wire.enqueue("p1")
            await _each_answered_once(wire, ["p1"])
            assert await _holder(wire.redis) == "one"


async def test_what_cannot_be_noted_as_done_is_not_moved(
    any_server: RealServer, redis: Redis
) -> None:
    """Else it would be moved again as often as it is tried."""
    async with open_stores(any_server.url) as stores:
        lease = await stores.hearing.lease(Want.HEAR, stood_still="", mark="a.1")

        async def move() -> MoveReply:
            requests = [Message("enqueue", b"1")]
            reply, _ = await stores.hearing.move(
                lease.epoch, requests, done="", to="a.1 1", behind="a.1", limit=9
            )
            return reply

        await redis.execute_command("ACL", "SETUSER", "default", "-hset")
        try:
            with pytest.raises(StoreForbiddenError):
                await move()
        finally:
            await redis.execute_command("ACL", "SETUSER", "default", "+@all")
        assert await redis.xlen(keys.heard()) == 0
        assert await move() is MoveReply.MOVED


async def test_a_redis_that_moves_nothing_is_not_asked_without_a_pause(valkey: RealServer) -> None:
    """First the position changes under its hand, then the stream is full while the server stops."""
    async with outside(valkey.url) as wire, hearing(valkey.url, "one", backlog=1) as (one, stores):
        await wait_until(lambda: one.listening)
        await wire.enqueue("p1")
        await _each_answered_once(wire, ["p1"])

        async def asked_in_a_second() -> int:
            await asyncio.sleep(0.3)
            before = len(stores.seen.operations)
            await asyncio.sleep(1)
            return len(stores.seen.operations) - before

        calm = asyncio.Event()

        async def meddle() -> None:
            for number in count():
                if calm.is_set():
                    return
                await wire.redis.hset(keys.hearing(), "done", f"x {number}")
                await asyncio.sleep(0.0005)

        meddling = asyncio.ensure_future(meddle())
        assert await asked_in_a_second() < 60
        calm.set()
        await meddling
        await wire.enqueue("p2")
        await _each_answered_once(wire, ["p2"])
        for _ in range(2):
            await wire.redis.xadd(keys.heard(), {"kind": "enqueue", "body": "{}"})
        moves = _moves(stores)
        await wire.enqueue("p3")
        await wait_until(lambda: _moves(stores) > moves)
        stores.stop.set()
        assert await asked_in_a_second() < 60
        await wire.redis.delete(keys.heard())
        await _each_answered_once(wire, ["p3"])


async def test_a_lease_that_was_lost_and_is_held_again_goes_on(valkey: RealServer) -> None:
    """Emptied, Redis begins with the first epoch again; the holder has it before it has noticed."""
    async with outside(valkey.url) as wire:
        await wire.redis.hset(keys.hearing(), mapping={"epoch": 5, "holder": "", "beat": 1})
        async with hearing(valkey.url, "one"):
            for number in range(3):
                await wait_until(lambda: _holds(wire.redis, "one"))
                await wire.enqueue(f"p{number}")
                await _each_answered_once(wire, [f"p{number}"])
                await wire.redis.flushall()


async def _holds(redis: Redis, server: str) -> bool:
    return await _holder(redis) == server
