"""What stands in Redis says its form; a server works only on one that it knows."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from matchkeeper import __version__
from matchkeeper.config import load
from matchkeeper.domain import form
from matchkeeper.domain.form import Stamp
from tests.conftest import RealServer, wait_until
from tests.operate.test_cli import matchkeeper
from tests.support.harness import MODES, outside, serving
from tests.support.stores import open_stores

NEWER: dict[Any, Any] = {"form": "9", "by": "9.8.7"}
OURS = {"form": str(form.FORM), "by": __version__}


def test_the_neighbours_of_a_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "FORM", 4)
    monkeypatch.setattr(form, "OLDEST", 3)
    found = {n: form.unfit(Stamp(n, f"0.{n}"), "0.4") for n in (0, 2, 3, 4, 5)}
    assert [n for n, error in found.items() if error is None] == [3, 4]
    text = "The state in Redis has form {0}, written by Matchkeeper 0.{0}; Matchkeeper 0.4 works "
    for n, do in ((2, "step by step"), (5, "Start Matchkeeper 0.5")):
        error = found[n]
        assert error is not None
        assert error.found == text.format(n) + "with forms 3 to 4"
        assert do in error.mend
    assert form.unfit(Stamp(0, ""), "0.4") is None, "nothing stands there"
    assert form.unfit(Stamp(0, "metadata:{normal}"), "0.4") is not None


@pytest.mark.parametrize("realm", ["", "eu"])
async def test_the_first_server_says_it(
    realm: str, any_server: RealServer, tmp_path: Path, redis: Redis
) -> None:
    key = "version:{eu}" if realm else "version"
    # What somebody has put into a queue by hand is no state of another version.
    await redis.zadd("queue:{eu}:normal" if realm else "queue:{normal}", {"p1": 1_700_000_000})
    with serving(any_server.url, tmp_path, matchmaking__realm=realm) as server:
        await server.ready()
        assert await redis.hgetall(key) == OURS
        await server.logged(f"The state in Redis has form {form.FORM}, written by")
        # An emptied Redis is told anew what this server writes there.
        await redis.flushall()
        await wait_until(lambda: _is(redis, key, OURS), what="said again")
        # Who damages the key stops nobody who works.
        await redis.set(key, "x")
        async with outside(any_server.url, realm=realm) as wire:
            await wire.enqueue("p1")
            await wire.enqueue("p2")
            await wire.is_told("p2", "MatchFound")
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0
    with serving(any_server.url, tmp_path, matchmaking__realm=realm) as server:
        assert await server.ended() == 5


def _command(*arguments: str, url: str) -> subprocess.CompletedProcess[str]:
    modes = json.dumps(MODES)
    return matchkeeper(*arguments, url=url, MATCHKEEPER_MATCHMAKING__GAME_MODES=modes)


def _doctor(url: str) -> dict[str, str]:
    done = _command("doctor", "--json", url=url)
    (found,) = (each for each in json.loads(done.stdout) if each["check"] == "form")
    return dict(found)


async def _is(redis: Redis, key: str, wanted: dict[str, str]) -> bool:
    return bool(await redis.hgetall(key) == wanted)


async def test_a_newer_form_is_left_alone(
    any_server: RealServer, tmp_path: Path, redis: Redis
) -> None:
    await redis.hset("version", mapping=NEWER)
    await redis.zadd("queue:{normal}", {"p1": 1, "p2": 2})
    with serving(any_server.url, tmp_path) as server:
        assert await server.ended() == 5
        (said,) = server.lines("Error: ")
        assert f"has form 9, written by Matchkeeper 9.8.7; Matchkeeper {__version__}" in said
        assert server.lines("Hint: Start Matchkeeper 9.8.7 or a version next to it")
    assert set(await redis.keys("*")) == {"version", "queue:{normal}"}
    found = _doctor(any_server.url)
    assert found["verdict"] == "wrong"
    assert "has form 9" in found["found"]
    done = _command("migrate", url=any_server.url)
    assert (done.returncode, await redis.hgetall("version")) == (5, NEWER)


async def test_who_finds_a_newer_form_when_redis_comes_has_done_nothing(
    valkey: RealServer, tmp_path: Path
) -> None:
    async with Redis.from_url(valkey.url, decode_responses=True) as redis:
        await redis.hset("version", mapping=NEWER)
        await redis.zadd("queue:{normal}", {"p1": 1, "p2": 2})
        await redis.mset({"metadata:p1": '{"pod_id":"a"}', "metadata:p2": '{"pod_id":"a"}'})
    valkey.kill()
    with serving(valkey.url, tmp_path) as server:
        await server.logged('"started"')
        valkey.start()
        assert await server.ended() == 5
        assert server.lines("has form 9")
    async with Redis.from_url(valkey.url, decode_responses=True) as redis:
        assert await redis.zcard("queue:{normal}") == 2
        assert not {"hearing", "clock", "match:requests"} & set(await redis.keys("*"))


async def test_a_server_that_runs_ends_when_somebody_migrates(
    any_server: RealServer, tmp_path: Path, redis: Redis
) -> None:
    with serving(any_server.url, tmp_path) as server:
        await server.ready()
        await redis.hset("version", mapping=NEWER)
        assert await server.ended(seconds=10) == 5
        assert server.lines("Stopping. The state in Redis has form 9")


async def test_a_state_that_says_no_form_is_refused_until_it_is_migrated(
    any_server: RealServer, tmp_path: Path, redis: Redis
) -> None:
    url = any_server.url
    async with open_stores(url) as stores:  # as a version from before: it says no form
        await stores.enqueue("p1")
    with serving(url, tmp_path) as server:
        assert await server.ended() == 5
        assert server.lines("says no form, and is not empty: there is 'metadata:{normal}'")
        assert server.lines("matchkeeper migrate")
    assert _doctor(url)["verdict"] == "wrong"
    done = _command("migrate", "--json", url=url)
    assert done.returncode == 0, done.stderr
    told = {"form": form.FORM, "written_by": __version__, "done": True}
    assert json.loads(done.stdout) == {**told, "tickets": 1, "matches": 0, "unreadable": 0}
    again = _command("migrate", url=url)
    assert "Nothing to do" in again.stdout
    assert _doctor(url)["verdict"] == "good"
    with serving(url, tmp_path) as server:
        await server.ready()
        async with outside(url) as wire:
            await wire.enqueue("p2")
            await wire.is_told("p1", "MatchFound")


async def test_what_cannot_be_read_is_told_before_it_is_migrated(
    any_server: RealServer, redis: Redis
) -> None:
    url = any_server.url
    async with open_stores(url) as stores:
        for player in ("p1", "p2", "bad"):
            await stores.enqueue(player)
        await redis.hset("metadata:{normal}", "bad", "{oops")
        await redis.hset("match:{squad}:m1", "state", "offered")
        await redis.zadd("pending:{squad}", {"m1": 1})
        done = _command("migrate", url=url)
        assert done.returncode == 1
        assert "2 of the state cannot be read: bad in Normal" in done.stderr
        assert "match m1 of Squad" in done.stderr
        assert not await redis.exists("version")
        # A server of before would go on to write what nobody has checked.
        shared = load(environ={}).agreed()
        await stores.servers.beat(shared, digest=shared.digest())
        done = _command("migrate", "--anyway", url=url)
        assert done.returncode == 1
        assert "Servers still run: server-1" in done.stderr
        await stores.servers.leave()
        done = _command("migrate", "--anyway", url=url)
        assert done.returncode == 0, done.stderr
        assert "3 ticket(s) and 1 pending match(es), 2 of which cannot be read" in done.stdout
    assert await redis.hgetall("version") == OURS
