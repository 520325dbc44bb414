"""The clock of Redis steps: nothing ends early or late by it, the order stays, and it is told.

Where libfaketime is installed (Debian: apt-get install faketime), a real Valkey has its clock
stepped. Elsewhere what the servers have said of the clock is moved: to scripts that is the same.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace as replace_
from redis.asyncio import Redis

from matchkeeper.client import GameServer
from matchkeeper.store import keys
from matchkeeper.store.asked import Reply
from matchkeeper.store.clock import TRUST_SECONDS, RedisClock
from matchkeeper.store.embedded import executable
from tests.conftest import RealServer, wait_until
from tests.support.harness import Outside, Server, outside, serving
from tests.support.stores import NORMAL, Stores, enqueue_request, heard, open_stores, token

_LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
HOUR = 3600.0
_ADDED = """
local held = {struct.unpack('<ddd', redis.call('HGET', KEYS[1], 'belief'))}
for i = 1, 3 do held[i] = held[i] + ARGV[i] end
redis.call('HSET', KEYS[1], 'belief', struct.pack('<ddd', held[1], held[2], held[3]))
"""
MODES = [
    {"game_mode": "Brief", "max_wait_seconds": 8},
    {"game_mode": "Patient", "required_players": 3, "max_wait_seconds": 600},
    {"game_mode": "Squad", "handoff": "claim"},
]


class SteppingServer(RealServer):
    """A Valkey whose clock a test may step; its monotonic clock goes on as it does."""

    def __init__(self, folder: Path) -> None:
        self._offset = folder / "offset"
        self.step(0)
        super().__init__(
            str(executable()),
            folder,
            environment={
                "LD_PRELOAD": str(_LIBRARY),
                "FAKETIME_TIMESTAMP_FILE": str(self._offset),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            },
        )

    def step(self, seconds: float) -> None:
        """From now on the clock is so far off."""
        new = self._offset.with_suffix(".new")
        new.write_text(f"{seconds:+.0f}\n")
        new.replace(self._offset)


@pytest.fixture
def stepping(tmp_path: Path) -> Iterator[SteppingServer]:
    if _LIBRARY is None:
        pytest.skip("no libfaketime on this machine (Debian: apt-get install faketime)")
    server = SteppingServer(tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@asynccontextmanager
async def _world(valkey: RealServer, folder: Path) -> AsyncIterator[tuple[Server, Outside]]:
    with serving(
        valkey.url,
        folder,
        matchmaking__game_modes=MODES,
        matchmaking__offer_timeout_seconds=3,
        matchmaking__max_offers=1,
        matchmaking__pod_heartbeat_timeout_seconds=15,
    ) as server:
        await server.ready()
        async with outside(valkey.url) as wire:
            yield server, wire


@pytest.mark.slow
@pytest.mark.parametrize("step", [-HOUR, HOUR])
async def test_every_wait_and_deadline_is_as_long_as_it_was(
    step: float, stepping: SteppingServer, tmp_path: Path
) -> None:
    async with _world(stepping, tmp_path) as (server, wire):
        for player in ("first", "leaves"):
            await wire.enqueue(player, "Patient")
        async with GameServer(stepping.url, pod_id="pod-a") as pod:
            await wire.is_told("first", "EnQueued")
            await wire.is_told("leaves", "EnQueued")
            await wait_until(lambda: _beats(wire), what="a heartbeat")
            begun = time.monotonic()
            await wire.enqueue("brief", "Brief")
            for player in ("s1", "s2"):
                await wire.enqueue(player, "Squad")
            await wait_until(lambda: bool(wire.matches_of("s2")), seconds=30, what="an offer")
            stepping.step(step)
            await server.logged('"kind": "match_given_back"', seconds=30)
            given_back = time.monotonic() - begun
            await wire.is_told("brief", "Expired")
            expired = time.monotonic() - begun
            await pod.dequeue("leaves", "Patient")
            await wire.enqueue("second", "Patient")
            await wire.is_told("second", "EnQueued")
            assert await wire.redis.zrange("queue:{patient}", 0, -1) == ["first", "second"]
        assert 3 - TRUST_SECONDS <= given_back < 20
        assert 8 - TRUST_SECONDS <= expired < 25
        assert wire.told("first") == ["EnQueued"]
        assert server.lines('"kind": "pod_silent"') == []
        told = [json.loads(line) for line in server.lines('"kind": "clock_stepped"')]
        assert [float(each["seconds"]) for each in told] == [pytest.approx(step, abs=1)]
        assert await server.metric("matchkeeper_clock_steps_total") == 1
        offset = await server.metric("matchkeeper_clock_offset_seconds")
        assert offset == pytest.approx(-step, abs=5)
        (warning,) = (await server.get("/health/ready")).json()["warnings"]
        assert warning.startswith(f"The clock of Redis has stepped by {step:+,.0f}"[:-2])


async def _beats(wire: Outside) -> bool:
    return bool(await wire.redis.exists("pods"))


async def _moved(redis: Redis, seconds: float) -> None:
    """As if the clock had stepped by so much."""
    await _believed(redis, -seconds, -seconds, seconds)


async def _believed(redis: Redis, *more: float) -> None:
    """Adds to from when and until when the clock is believed, and to its offset."""
    await redis.eval(_ADDED, 1, keys.clock(), *more)


async def _now(stores: Stores) -> float:
    return (await stores.tickets.scan(NORMAL.queue, start=0, count=1)).now


@asynccontextmanager
async def _clocks(server: RealServer) -> AsyncIterator[tuple[Redis, Stores, RedisClock]]:
    async with (
        Redis.from_url(server.url, decode_responses=True) as redis,
        open_stores(server.url) as stores,
    ):
        yield redis, stores, RedisClock(stores.connection, steady=time.monotonic)


@pytest.mark.parametrize("step", [-HOUR, HOUR])
async def test_scripts_do_not_follow_a_step_and_go_on_when_it_is_bridged(
    step: float, any_server: RealServer
) -> None:
    async with _clocks(any_server) as (redis, stores, clock):
        begun, look = await _now(stores), await clock.look()
        assert (look.astray, look.offset, look.steps) == (False, 0, 0)
        await _moved(redis, step)
        look = await clock.look()
        assert look.astray
        assert begun - 0.1 <= await _now(stores) <= begun + TRUST_SECONDS + 1
        look = await clock.bridge(step, look)
        assert (look.astray, look.steps, look.step) == (False, 1, step)
        before = await _now(stores)
        assert begun <= before <= begun + TRUST_SECONDS + 1
        await wait_until(lambda: _later(stores, before), what="time goes on")


async def _later(stores: Stores, than: float) -> bool:
    return await _now(stores) > than + 0.1


async def test_one_of_several_servers_bridges_a_step(any_server: RealServer) -> None:
    async with _clocks(any_server) as (redis, _, clock):
        await clock.look()
        await _moved(redis, -HOUR)
        both = [await clock.look(), await clock.look()]
        first, second = [await clock.bridge(-HOUR, each) for each in both]
        assert (first.steps, second.steps) == (1, 1)
        assert second.offset == pytest.approx(first.offset, abs=1)
        assert second.looks == first.looks + 1


async def test_requests_after_a_step_back_come_after_those_before(any_server: RealServer) -> None:
    async with _clocks(any_server) as (redis, _, clock):
        stream, group = keys.requests(), keys.GROUP
        entry = await redis.xadd(stream, {"kind": "enqueue", "body": ""})
        await redis.xgroup_create(stream, group, "0")
        await redis.xreadgroup(group, "dead", {stream: ">"})
        await redis.xclaim(stream, group, "dead", 0, [entry], idle=1_000_000, justid=True)
        await clock.look()
        await _moved(redis, -HOUR)
        await clock.bridge(-HOUR, await clock.look())
        (given,) = await redis.xpending_range(stream, group, "-", "+", 10)
        assert (given["consumer"], given["times_delivered"]) == ("dead", 1)
        assert int(given["time_since_delivered"]) < 100_000
        after = await redis.xadd(stream, {"kind": "enqueue", "body": ""})
        assert int(str(after).split("-")[0]) >= int(str(entry).split("-")[0]) + 1000 * HOUR
        assert await redis.xlen(stream) == 2


async def test_what_was_asked_before_a_step_forward_is_not_done_once_more(
    any_server: RealServer,
) -> None:
    """What Redis keeps for a time is over with the step, noticed or not; so the memory of it."""
    async with _clocks(any_server) as (redis, stores, clock):

        async def ask(repeats: str) -> Reply:
            await stores.write("enqueue")
            (entry,) = await stores.stream.read(count=1, block=timedelta(seconds=1))
            request = replace_(enqueue_request("p1", request_id=token()), repeats=repeats)
            _, (outcome,) = await stores.tickets.enqueue(
                NORMAL.queue, [heard(request, entry=entry)]
            )
            first.append(entry.entry_id)
            return outcome.reply

        first: list[str] = []
        await stores.stream.prepare()
        await clock.look()
        assert await ask("") is Reply.QUEUED
        await redis.delete(
            keys.queue(NORMAL.queue), keys.latest("p1")
        )  # matched, and then the step
        await _believed(redis, 0, 0, HOUR)  # as it is after a step back
        assert await ask(first[0]) is Reply.REQUEST_EXPIRED
        await _believed(redis, -HOUR, -HOUR, 0)
        await clock.bridge(HOUR, await clock.look())
        assert await ask(first[0]) is Reply.REQUEST_EXPIRED
        assert await ask("") is Reply.QUEUED


async def test_an_outage_is_no_step(any_server: RealServer) -> None:
    async with _clocks(any_server) as (redis, stores, clock):
        await clock.look()
        raw = await _now(stores)
        await _believed(redis, -HOUR, -HOUR, 0)
        assert await _now(stores) < raw - HOUR + TRUST_SECONDS + 1
        look = await clock.bridge(0, await clock.look())
        assert (look.astray, look.offset, look.steps) == (False, 0, 0)
        assert await _now(stores) >= raw


async def test_time_never_goes_back_although_nobody_knows_by_how_much(
    any_server: RealServer,
) -> None:
    """A replica whose clock is behind has become the primary, and all servers are new."""
    async with _clocks(any_server) as (redis, stores, clock):
        before = await _now(stores)
        await clock.look()
        await _moved(redis, -HOUR)
        look = await clock.bridge(0, await clock.look())
        assert (look.astray, look.steps) == (False, 1)
        assert look.step == pytest.approx(-HOUR, abs=5)
        assert before <= await _now(stores) < before + 5


async def test_a_step_is_made_up_for_slowly(any_server: RealServer) -> None:
    async with _clocks(any_server) as (redis, _, clock):
        await clock.look()
        await _believed(redis, 0, 0, 0.01)
        looks = [await clock.look()]

        async def made_up() -> bool:
            looks.append(await clock.look())
            return looks[-1].offset == 0

        await wait_until(made_up, what="no offset")
        for one, other in pairwise(looks):
            gone = one.offset - other.offset
            assert 0 <= gone <= 0.05 * (other.clock - one.clock) + 1e-5


async def test_a_key_that_is_not_ours_stops_no_script(any_server: RealServer) -> None:
    async with _clocks(any_server) as (redis, stores, _):
        await redis.set(keys.clock(), "cuckoo")
        assert (await stores.enqueue("p1")).reply == "queued"


async def test_who_asked_while_no_server_ran_has_a_place_of_now(
    any_server: RealServer, redis: Redis, tmp_path: Path
) -> None:
    """An hour ago the last server ended, and time stands still for scripts since."""
    seconds, _ = await redis.time()
    ended = int(seconds) - HOUR
    await redis.hset("clock", mapping={"from": ended - 2, "until": ended, "offset": 0, "looks": 9})
    await redis.xgroup_create("match:requests", "matchkeeper", id="0", mkstream=True)
    body = json.dumps({"player_id": "p1", "game_mode": "Patient", "pod_id": "pod-a"})
    await redis.xadd("match:requests", {"kind": "enqueue", "body": body})

    async def waits() -> bool:
        return bool(await redis.zcard("queue:{patient}"))

    with serving(any_server.url, tmp_path, matchmaking__game_modes=MODES):
        await wait_until(waits, seconds=30)  # a busy machine takes long to start a server
        place = await redis.zscore("queue:{patient}", "p1")
    assert place is not None
    assert place > int(seconds) - 1
