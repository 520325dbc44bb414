"""Servers on one Redis: what they must agree on, and what operators decide for all of them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from matchkeeper.config import load
from matchkeeper.domain.agreement import Agreement, ModeState, Peer, Shared, agreement
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.realm import QueueName
from matchkeeper.queue.fleet import Fleet
from matchkeeper.server.wiring.stores import channels_of
from matchkeeper.store import keys
from tests.conftest import RealServer, wait_until
from tests.operate.test_cli import matchkeeper
from tests.support.harness import FAST, Outside, outside, serving
from tests.support.runtimes import runtime
from tests.support.stores import (
    CLAIMED,
    Stores,
    open_stores,
)

NORMAL, SQUAD = GameMode(name="Normal"), GameMode(name="Squad")


def peer(name: str, number: int, *, common: int = 1, **modes: int) -> Peer:
    shared = Shared(
        common={"offer_timeout_seconds": common},
        modes={tag: {"required_players": players} for tag, players in modes.items()},
    )
    return Peer(name=name, number=number, digest=shared.digest(), shared=shared)


def test_servers_that_agree_have_nothing_to_tell() -> None:
    assert agreement(peer("a", 1, normal=2), [peer("b", 1, normal=2)]) == Agreement()


def test_a_mode_that_differs_is_matched_by_the_newest_settings_alone() -> None:
    old, new = peer("old", 1, normal=2, squad=3), peer("new", 2, normal=4, squad=3)
    assert agreement(old, [new]) == Agreement(
        differences=("required_players of mode normal is 2 here and 4 on new",),
        others=frozenset({"normal"}),
    )
    assert agreement(new, [old, replace(old, name="old-2")]) == Agreement(
        differences=("required_players of mode normal is 4 here and 2 on old",)
    )


def test_what_all_modes_share_concerns_all_modes() -> None:
    old, new = peer("old", 1, normal=2, squad=3), peer("new", 2, common=9, normal=2, squad=3)
    assert agreement(old, [new]).others == {"normal", "squad"}
    assert agreement(new, [old]).others == frozenset()


def test_a_mode_that_only_older_servers_have_is_matched_by_these() -> None:
    old, new = peer("old", 1, normal=2, gone=2), peer("new", 2, normal=2)
    assert agreement(old, [new]) == Agreement(differences=("mode gone is not configured on new",))
    assert agreement(new, [old]) == Agreement(
        differences=("mode gone is configured on old, and not here",),
        elsewhere=frozenset({"gone"}),
    )


def test_settings_of_one_number_are_told_apart() -> None:
    one, two = peer("one", 1, normal=2), peer("two", 1, normal=4)
    gated = [agreement(one, [two]).others, agreement(two, [one]).others]
    assert sorted(gated, key=len) == [frozenset(), frozenset({"normal"})]


def test_a_thousand_differences_are_counted() -> None:
    many, others = ({f"m{n}": players for n in range(1000)} for players in (2, 3))
    found = agreement(peer("a", 1, **many), [peer("b", 2, **others)]).differences
    assert (len(found), found[-1]) == (11, "990 more differences")


def test_how_fast_a_server_works_is_its_own_affair() -> None:
    settings = load(environ={})
    faster = load(environ={"MATCHKEEPER_MATCHMAKING__COMMIT_BATCH_SIZE": "7"})
    other = load(environ={"MATCHKEEPER_MATCHMAKING__MAX_OFFERS": "7"})
    digests = [each.agreed().digest() for each in (settings, faster, other)]
    assert digests[0] == digests[1] != digests[2]


def test_what_is_left_out_is_as_its_default() -> None:
    modes = ('[{"game_mode": "Duel"}]', '[{"game_mode": "Duel", "required_players": 2}]')
    said = [load(environ={"MATCHKEEPER_MATCHMAKING__GAME_MODES": each}).agreed() for each in modes]
    assert said[0] == said[1]


def fleet_of(stores: Stores, shared: Shared, *modes: GameMode) -> tuple[Fleet, list[QueueName]]:
    woken: list[QueueName] = []
    fleet = Fleet(
        modes,
        stores.servers,
        shared,
        runtime(),
        wake=woken.append,
    )
    return fleet, woken


async def test_the_latest_seen_settings_win_until_their_servers_leave(
    any_server: RealServer, redis: Redis
) -> None:
    two, four = (peer("", 0, normal=players).shared for players in (2, 4))
    async with open_stores(any_server.url, me="a") as a, open_stores(any_server.url, me="b") as b:
        old, woken = fleet_of(a, two, NORMAL)
        new, _ = fleet_of(b, four, NORMAL)
        assert not old.matches(NORMAL.queue), "nothing before it has heard of the others"
        await old.look()
        assert old.matches(NORMAL.queue)
        assert woken == [NORMAL.queue]
        await new.look()
        await old.look()
        assert [old.matches(NORMAL.queue), new.matches(NORMAL.queue)] == [False, True]
        assert old.warnings() == [
            "Servers run different settings: required_players of mode normal is 2 here and 4 on b."
        ]
        # One with the old settings that starts again does not become the newest.
        await a.servers.leave()
        await old.look()
        assert not old.matches(NORMAL.queue)
        await b.servers.leave()
        await old.look()
        assert old.matches(NORMAL.queue)
        assert old.warnings() == []
        assert woken == [NORMAL.queue, NORMAL.queue]
        assert len(await redis.hgetall("servers")) == 2  # the count and a
        assert 0 < await redis.ttl("settings:" + four.digest()) <= 86400


async def test_who_is_silent_is_no_other_any_more(any_server: RealServer, redis: Redis) -> None:
    two, four = (peer("", 0, normal=players).shared for players in (2, 4))
    async with open_stores(any_server.url, me="a") as a:
        old, _ = fleet_of(a, two, NORMAL)
        await old.look()
        await redis.hset("settings:" + four.digest(), mapping={"number": 9, "text": four.text()})
        (now, _) = await redis.time()
        for ago, matched in ((1, False), (60, True)):
            await redis.hset("servers", "b", f"{now - ago} 9 {four.digest()}")
            await old.look()
            assert old.matches(NORMAL.queue) is matched
        assert not await redis.hexists("servers", "b")


async def test_damaged_keys_stop_no_match(any_server: RealServer, redis: Redis) -> None:
    async with open_stores(any_server.url) as stores:
        fleet, _ = fleet_of(stores, peer("", 0, normal=2).shared, NORMAL)
        await redis.hset("servers", "b", "99999999999 7 abc")  # settings that nobody knows
        await redis.hset("servers", "y", "nonsense")
        await redis.hset("modes", "normal", "what is this")
        await fleet.look()
        assert (fleet.matches(NORMAL.queue), fleet.paused(NORMAL.queue)) == (True, False)
        await redis.set("modes", "no hash")
        other, _ = fleet_of(stores, peer("", 0, normal=2).shared, NORMAL)
        running = asyncio.ensure_future(other.run())
        await wait_until(lambda: other.matches(NORMAL.queue))
        running.cancel()


async def test_drain_and_pause_stand_in_redis_and_end_together(any_server: RealServer) -> None:
    async with open_stores(any_server.url) as stores:
        servers = stores.servers
        await servers.set_state(NORMAL.queue, ModeState.PAUSED)
        both = await servers.set_state(NORMAL.queue, ModeState.DRAINED)
        assert both == await servers.set_state(NORMAL.queue, ModeState.DRAINED) == set(ModeState)
        fleet, woken = fleet_of(stores, peer("", 0, normal=2, squad=2).shared, NORMAL, SQUAD)
        await fleet.look()
        assert (fleet.paused(NORMAL.queue), fleet.paused(CLAIMED.queue)) == (True, False)
        assert fleet.warnings() == ["Normal is drained and paused by an operator."]
        woken.clear()
        assert await servers.set_state(NORMAL.queue, None) == set()
        await fleet.look()
        assert fleet.warnings() == []
        assert woken == [NORMAL.queue]


TICK: dict[str, object] = {"matchmaking__try_match_tick_interval_seconds": 0.1}


def modes(players: int) -> dict[str, object]:
    return {"matchmaking__game_modes": [{"game_mode": "Normal", "required_players": players}]}


@pytest.mark.slow
async def test_a_rollout_matches_by_the_newest_settings_and_warns(
    valkey: RealServer, tmp_path: Path
) -> None:
    async def warnings(server: Any) -> str:
        return json.dumps((await server.get("/health/ready")).json()["warnings"])

    with serving(valkey.url, tmp_path, **TICK, **modes(2), server__server_id="one") as old:
        await old.ready()
        with serving(valkey.url, tmp_path, **TICK, **modes(3), server__server_id="two") as new:
            await new.ready()
            await old.logged("settings_differ")
            assert "required_players of mode normal is 2 here and 3 on two-" in await warnings(old)
            assert "required_players of mode normal is 3 here and 2 on one-" in await warnings(new)
            examined = matchkeeper("doctor", url=valkey.url)
            assert "required_players of mode normal" in examined.stdout
            async with outside(valkey.url) as wire:
                for player in ("p1", "p2"):
                    await wire.enqueue(player)
                    await wire.is_told(player, "EnQueued")
                before = await old.metric("matchkeeper_skipped_ticks_total")
                await wait_until(
                    lambda: _is_above(old, "matchkeeper_skipped_ticks_total", before + 5)
                )
                assert wire.offers == []
                await wire.enqueue("p3")
                await wire.is_told("p3", "MatchFound")
            new.kill()
            # Nobody with these settings lives: the others take over.
            await old.logged("settings_agree")
            async with outside(valkey.url) as wire:
                for player in ("p4", "p5"):
                    await wire.enqueue(player)
                await wire.is_told("p5", "MatchFound")
            assert await warnings(old) == "[]"


@pytest.mark.slow
async def test_a_mode_that_only_one_server_knows_is_refused_by_none(
    any_server: RealServer, tmp_path: Path
) -> None:
    fresh = {"matchmaking__game_modes": [{"game_mode": "Normal"}, {"game_mode": "Fresh"}]}

    async def ask(wire: Outside, name: str) -> list[str]:
        """By both ways, so often that both servers read some."""
        for number in range(20):
            await wire.enqueue(f"{name}-heard-{number}", "Fresh")
            body = {"player_id": f"{name}-{number}", "game_mode": "fresh", "pod_id": "pod-a"}
            await wire.redis.xadd("match:requests", {"kind": "enqueue", "body": json.dumps(body)})
        return [f"{name}{way}-{number}" for way in ("", "-heard") for number in range(20)]

    with serving(any_server.url, tmp_path, **TICK, **modes(2)) as old:
        await old.ready()
        with serving(any_server.url, tmp_path, **TICK, **fresh) as new:
            await new.ready()
            await old.logged("settings_differ")
            async with outside(any_server.url) as wire:
                for player in await ask(wire, "p"):
                    await wire.is_told(player, "MatchFound")
                    assert wire.told(player) == ["EnQueued", "MatchFound"]
                await old.logged('"requests_handed_on"')
                assert not old.lines("invalid_game_mode")
            new.kill()
            await old.logged("settings_agree")
            async with outside(any_server.url) as wire:
                for player in await ask(wire, "q"):
                    await wire.is_told(player, "Error invalid_game_mode")


@pytest.mark.slow
async def test_servers_that_hear_other_channels_hear_them_at_the_same_time(
    any_server: RealServer, tmp_path: Path
) -> None:
    other: dict[str, object] = {
        "matchmaking__enqueue_request_channel": "other:enqueue",
        "matchmaking__dequeue_request_channel": "other:dequeue",
        "matchmaking__handoff_request_channel": "other:handoff",
    }
    with (
        serving(any_server.url, tmp_path) as one,
        serving(any_server.url, tmp_path, **other) as two,
    ):
        await one.ready()
        await two.ready()
        await one.logged('"hearing"')
        await two.logged('"hearing"')
        async with outside(any_server.url) as wire:
            await wire.enqueue("p1")
            body = {"player_id": "p2", "game_mode": "Normal", "pod_id": "pod-a"}
            await wire.redis.publish("other:enqueue", json.dumps(body))
            for player in ("p1", "p2"):
                await wire.is_told(player, "MatchFound")
        other["matchmaking__dequeue_request_channel"] = "match:dequeue:request"
        with serving(any_server.url, tmp_path, **other) as both:
            assert await both.ended() != 0
            (why, *_) = both.lines("matchmaking.")
            assert "is the same: both would do what comes by it" in why


def test_the_default_channels_are_heard_under_the_plain_name() -> None:
    assert keys.hearing(channels=channels_of(load(environ={})).heard) == "hearing"


async def _is_above(server: Any, name: str, value: float) -> bool:
    return bool(await server.metric(name) > value)


@pytest.mark.slow
async def test_an_operator_pauses_a_mode_on_all_servers(valkey: RealServer, tmp_path: Path) -> None:
    token = {"Authorization": f"Bearer {FAST['MATCHKEEPER_SERVER__API_TOKEN']}"}
    with (
        serving(valkey.url, tmp_path, **TICK) as one,
        serving(valkey.url, tmp_path, **TICK) as two,
    ):
        await one.ready()
        await two.ready()
        said = matchkeeper("queue", "pause", "Normal", url=valkey.url)
        assert "Normal is paused" in said.stdout
        for server in (one, two):
            await server.logged("mode_held")
        async with outside(valkey.url) as wire:
            for player in ("p1", "p2"):
                await wire.enqueue(player)
                await wire.is_told(player, "EnQueued")
            rounds = await one.metric("matchkeeper_rounds_total")
            await wait_until(lambda: _is_above(one, "matchkeeper_rounds_total", rounds + 5))
            assert wire.offers == []
            listed = matchkeeper("queue", "list", "--json", url=valkey.url)
            states = {each["mode"]: each["states"] for each in json.loads(listed.stdout)}
            assert states["Normal"] == ["paused"]
            resume = f"http://127.0.0.1:{one.port}/api/v1/queues/normal/resume"
            async with httpx.AsyncClient() as http:
                answer = await http.post(resume, headers=token)
            assert answer.json() == {"done": "Normal goes on as usual"}
            await wire.is_told("p2", "MatchFound")
