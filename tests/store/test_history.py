"""What happened to a player, as people look it up and as servers read it."""

from __future__ import annotations

import re
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.store import scripts
from matchkeeper.store.given_back import When
from matchkeeper.store.happenings import Happening
from tests.conftest import RealServer
from tests.support.stores import (
    CHANNEL,
    CLAIMED,
    NORMAL,
    QUEUES,
    SETTINGS,
    Stores,
    enqueue_request,
    handed,
    heard,
    open_stores,
    token,
)

KEY = "history:{squad}"


async def whole_life(stores: Stores) -> str:
    """Two players from the queue over a match given back to one that starts; returns its id."""
    for player in ("p1", "p2"):
        await stores.enqueue(player, CLAIMED)
    first = await stores.new_match(CLAIMED)
    await stores.commit(CLAIMED, first, offer_timeout=0.01)
    await stores.matches.give_back(
        CLAIMED.queue,
        first.match_id,
        SETTINGS,
        epoch=1,
        cause="declined",
        token=token(),
        when=When.NOW,
    )
    second = await stores.new_match(CLAIMED)
    await stores.commit(CLAIMED, second)
    for kind in ("claim", "confirm"):
        await stores.hand(kind, second.match_id)
    return second.match_id


async def test_a_life_is_told_from_the_queue_to_the_start(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores, redis.pubsub() as pod:
        await pod.subscribe(CHANNEL)
        await pod.get_message(timeout=2)
        match_id = await whole_life(stores)
        await stores.enqueue("other", CLAIMED)
        found = await stores.history.of_player("p1", limit=100)
    assert [each.what for each in reversed(found)] == [
        "queued", "committed", "given_back", "committed", "claimed", "started",
    ]  # fmt: skip
    newest = found[0]
    assert (newest.match_id, newest.pod_id, newest.queue) == (match_id, "pod-x", CLAIMED.queue)
    assert found[3].detail == "declined"
    assert found == sorted(found, key=lambda each: each.at, reverse=True)
    assert 0 < await redis.ttl(KEY) <= 3600


async def test_what_pods_do_at_once_is_told_of_each_match_with_its_pod(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores, redis.pubsub() as pod:
        await pod.subscribe(CHANNEL)
        await pod.get_message(timeout=2)
        ids = []
        for number in range(60):
            await stores.enqueue(f"p{number}", CLAIMED)
            await stores.enqueue(f"q{number}", CLAIMED)
            match = await stores.new_match(CLAIMED)
            await stores.commit(CLAIMED, match)
            ids.append(match.match_id)
        before = await redis.xlen(KEY)
        batch = [
            handed(kind, match_id, pod_id=f"pod-{n % 2}", token=kind)
            for n, match_id in enumerate(ids)
            for kind in ("claim", "confirm")
        ]
        await stores.handoffs.do(CLAIMED.queue, [*batch, handed("claim", "gone", pod_id="pod-9")])
        entries: Any = await redis.xrange(KEY)
        lives = [await stores.history.of_player(f"p{n}", limit=9) for n in (0, 1, 59)]
    for n, life in zip((0, 1, 59), lives, strict=True):
        told = [(each.what, each.match_id, each.pod_id) for each in reversed(life)]
        assert told == [
            ("queued", "", ""),
            ("committed", ids[n], ""),
            ("claimed", ids[n], f"pod-{n % 2}"),
            ("started", ids[n], f"pod-{n % 2}"),
        ]
    written = [entry for _, entry in entries[before:]]
    assert 4 < len(written) < 20, "two pods, two things, and portions of 512 bytes"
    assert max(len(entry["match"]) for entry in written) < 512
    assert written[0] == {
        "what": "claim_refused", "match": "gone", "pod": "pod-9", "detail": "unknown_match",
    }  # fmt: skip


async def test_leaving_expiring_and_being_set_aside_are_told(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores:
        for player in ("leaves", "waits"):
            await stores.enqueue(player)
        await stores.dequeue("leaves")
        await redis.hset("metadata:{normal}", "waits", "{oops")
        page = await stores.tickets.read(NORMAL, start=0, count=10)
        await stores.tickets.set_aside(
            NORMAL.queue, page.unreadable, token=token(), kept=10, raw_limit=100
        )
        (letter,) = await stores.dead_letters.list(NORMAL.queue, count=10)
        await stores.dead_letters.requeue(
            NORMAL.queue, letter.entry_id, metadata='{"pod_id":"a"}', token=token()
        )
        page = await stores.tickets.read(NORMAL, start=0, count=10)
        await stores.tickets.expire(
            NORMAL.queue, page.tickets, token=token(), max_wait=timedelta(seconds=0)
        )
        leaves = await stores.history.of_player("leaves", limit=100)
        waits = await stores.history.of_player("waits", limit=100)
        newest = await stores.history.of_player("waits", limit=1)
    assert [each.what for each in leaves] == ["dequeued", "queued"]
    assert [each.what for each in waits] == ["expired", "requeued", "set_aside", "queued"]
    assert waits[2].detail.startswith("Invalid JSON")
    assert newest == waits[:1]


async def test_a_server_reads_on_from_where_it_was(any_server: RealServer) -> None:
    async with open_stores(any_server.url) as stores:
        await stores.enqueue("before")
        ends = await stores.history.ends(QUEUES)
        for number in range(5):
            await stores.enqueue(f"p{number}")
        some, ends = await stores.history.after(ends, count=3)
        rest, ends = await stores.history.after(ends, count=3)
        nothing, _ = await stores.history.after(ends, count=3)
    assert [each.players for each in (*some, *rest)] == ["p0", "p1", "p2", "p3", "p4"]
    assert nothing == []


def test_whatever_a_script_writes_is_explained() -> None:
    words = set[str]()
    for path in (Path(scripts.__file__).parent / "lua").rglob("*.lua"):
        for line in path.read_text("utf-8").splitlines():
            written = r"note(?:_players|_matches|_pods)?\([A-Za-z]\S*, [^,]+, (.+)"
            if found := re.search(written, line):
                first = found[1].partition(", ")[0]
                words.update(re.findall(r"'([a-z_]+)'", first))
    assert words == set(Happening)
    assert all(each.meaning for each in Happening)


async def test_a_match_that_nobody_confirms_was_announced_and_not_started(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores, redis.pubsub() as pod:
        await pod.subscribe(CHANNEL)
        await pod.get_message(timeout=2)
        for player in ("p1", "p2"):
            await stores.enqueue(player)
        await stores.commit(NORMAL, await stores.new_match())
        found = await stores.history.of_player("p1", limit=9)
    assert [each.what for each in found] == ["announced", "queued"]


async def test_it_is_bounded_in_bytes_and_its_portions_too(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores:
        async with redis.pipeline(transaction=False) as pipe:
            for number in range(70_000):
                pipe.xadd(KEY, {"what": str(number)}, id=f"{number + 1}-0")
            await pipe.execute()
        for number in range(250):
            await stores.enqueue(f"p{number}", CLAIMED)
        assert 65_000 <= await redis.xlen(KEY) < 66_200, "small entries: so many"
        found = await stores.history.of_player("p7", limit=10)
        assert [each.what for each in found] == ["queued"]
        long = ["p" * 120 + f"{number:04}" for number in range(1000)]
        requests = [heard(enqueue_request(player, CLAIMED)) for player in long]
        before = await redis.xlen(KEY)
        await stores.tickets.enqueue(CLAIMED.queue, requests)
        entries: Any = await redis.xrevrange(KEY, count=400)
        assert max(len(entry["players"]) for _, entry in entries) < 512
        assert await redis.xlen(KEY) < before + 400


async def test_whatever_stands_in_it_it_takes_32_mib(any_server: RealServer, redis: Redis) -> None:
    folder = files("matchkeeper.store") / "lua" / "lib"
    script = "local clock = 'clock'\n" + "\n".join(
        (folder / f"{name}.lua").read_text() for name in ("time", "history", "history_of_many")
    )
    script += """
        local players = {}
        for i = 1, 200 do players[i] = string.rep('p', tonumber(ARGV[1])) end
        for _ = 1, 50 do note_players(KEYS[1], now, 'queued', players) end"""
    for length, calls in ((36, 80), (512, 7), (128, 22)):  # calls: enough to fill it
        for _ in range(calls):
            await redis.eval(script, 1, KEY, length)
        taken: Any = await redis.memory_usage(KEY, samples=0)
        assert 20 * 2**20 < taken < 36 * 2**20, length


async def test_a_match_of_many_is_told_once_to_each_of_its_players(
    any_server: RealServer, redis: Redis
) -> None:
    mode = GameMode(name="Squad", required_players=40, teams=2, handoff=Handoff.CLAIM)
    async with open_stores(any_server.url) as stores, redis.pubsub() as pod:
        await pod.subscribe(CHANNEL)
        await pod.get_message(timeout=2)
        for number in range(40):
            await stores.enqueue(f"player-with-a-long-name-{number:02}", mode)
        match = await stores.new_match(mode)
        await stores.commit(mode, match)
        await stores.hand("claim", match.match_id)
        lives = [
            [each.what for each in reversed(await stores.history.of_player(name, limit=9))]
            for name in ("player-with-a-long-name-00", "player-with-a-long-name-39")
        ]
        entries: Any = await redis.xrange(KEY)
    assert lives == [["queued", "committed", "claimed"]] * 2
    assert max(len(entry.get("players", "")) for _, entry in entries) < 512


async def test_what_others_put_there_harms_nobody(any_server: RealServer, redis: Redis) -> None:
    await redis.set(KEY, "no stream")
    await redis.xadd("history:{normal}", {b"what": b"\xff"})
    async with open_stores(any_server.url) as stores:
        for player in ("p1", "p2"):
            assert (await stores.enqueue(player, CLAIMED)).reply.value == "queued"
        assert (await stores.dequeue("p2", CLAIMED)).reply.value == "dequeued"
        ends = await stores.history.ends(QUEUES)
        assert CLAIMED.queue not in ends
        await stores.enqueue("p3", GameMode(name="Normal"))
        assert [each.what for each in (await stores.history.after(ends, count=9))[0]] == ["queued"]
        assert await stores.history.of_player("p1", limit=9) == []


async def test_a_clock_that_goes_back_loses_no_entry(any_server: RealServer, redis: Redis) -> None:
    await redis.xadd(KEY, {"what": "x"}, id="99999999999999-0")
    async with open_stores(any_server.url) as stores:
        await stores.enqueue("p1", CLAIMED)
        (queued,) = await stores.history.of_player("p1", limit=9)
    assert queued.what == "queued"


async def test_what_happened_in_one_millisecond_keeps_its_order(
    any_server: RealServer, redis: Redis
) -> None:
    words = ["queued", "committed", "claimed", "started"]
    for number, what in enumerate(words):
        await redis.xadd(
            KEY,
            {"what": what, "players": "p1", "match": "m", "pod": "", "detail": ""},
            id=f"1700000000000-{number}",
        )
    async with open_stores(any_server.url) as stores:
        found = await stores.history.of_player("p1", limit=9)
        newest = await stores.history.of_player("p1", limit=1)
    assert [each.what for each in found] == words[::-1]
    assert newest[0].what == "started"
