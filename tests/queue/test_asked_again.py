"""Who asks again hears what is true now, from a whole server, over the plain wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from matchkeeper.domain.realm import in_realm
from tests.conftest import RealServer, wait_until
from tests.support.harness import Outside, outside, serving

ADDRESS = {"host": "10.0.0.7", "port": 7000}


async def _statuses(wire: Outside, player: str, *, pod: str = "pod-a") -> dict[str, Any]:
    """The answer to a question where a player is."""
    token = f"{player} {len(wire.answers)}"
    asked = {"kind": "status", "pod_id": pod, "player_id": player, "token": token}
    await wire.redis.publish(in_realm("match:handoff:request", wire.realm), json.dumps(asked))
    found: list[dict[str, Any]] = []

    def answered() -> bool:
        found[:] = [
            answer["result_type"]["Status"]
            for channel, answer in wire.answers
            if channel == in_realm(f"pod:{pod}:match_result", wire.realm)
            and isinstance(answer["result_type"], dict)
            and answer["result_type"].get("Status", {}).get("token") == token
        ]
        return bool(found)

    await wait_until(answered, what=f"the status of {player}")
    return {name: value for name, value in found[0].items() if name != "token"}


async def _start(wire: Outside, offer: Mapping[str, Any]) -> None:
    await wire.hand("start", offer, assignment=ADDRESS, secrets={"p0": "for p0"})
    await wire.is_handed("start", "started")


def _found(wire: Outside, player: str) -> list[dict[str, Any]]:
    """All `MatchFound` that a player was told."""
    return [
        answer["result_type"]["MatchFound"]
        for _, answer in wire.answers
        if answer["player_id"] == player and "MatchFound" in answer["result_type"]
    ]


async def _is_found(wire: Outside, player: str, times: int) -> None:
    what = f"MatchFound of {player} {times} times"
    await wait_until(lambda: len(_found(wire, player)) == times, what=what)


@pytest.mark.parametrize("realm", ["", "eu"])
async def test_the_same_request_after_the_match_is_answered_with_the_match(
    any_server: RealServer, tmp_path: Path, realm: str
) -> None:
    settings = {"matchmaking__realm": realm} if realm else {}
    with serving(any_server.url, tmp_path, **settings) as server:
        await server.ready()
        async with outside(any_server.url, realm=realm) as wire:
            for player in ("p0", "p1"):
                await wire.enqueue(player, "Squad", request_id=f"{player} wants")
            await wait_until(lambda: bool(wire.offers), what="an offer")
            assert (await _statuses(wire, "p0"))["state"] == "pending"
            await _start(wire, wire.offers[0])
            await wire.is_told("p0", "MatchFound")
            told = _found(wire, "p0")
            assert told[0]["assignment"] == ADDRESS
            assert told[0]["secret"] == "for p0"
            for times in (2, 3):
                await wire.enqueue("p0", "Squad", request_id="p0 wants")
                await _is_found(wire, "p0", times)
            assert _found(wire, "p0") == 3 * told, "the same, each time"
            news = {"MatchFound": told[0]}
            assert await _statuses(wire, "p0") == {"state": "started", "news": news}
            stranger = (await _statuses(wire, "p0", pod="pod-b"))["news"]["MatchFound"]
            assert "secret" not in stranger
            assert await wire.redis.zcard("queue:{squad}") == 0
            # A new wish: what was asked for before does not say anything any more.
            await wire.enqueue("p0", "Normal", request_id="p0 wants more")
            await wire.is_told("p0", "EnQueued")
            await wire.enqueue("p0", "Squad", request_id="p0 wants")
            await wire.is_told("p0", "Error in_other_queue")
            assert len(_found(wire, "p0")) == 3
            assert await server.metric("matchkeeper_status_told_total") > 0


async def test_who_left_and_asks_again_hears_that(any_server: RealServer, tmp_path: Path) -> None:
    with serving(any_server.url, tmp_path) as server:
        await server.ready()
        async with outside(any_server.url) as wire:
            await wire.enqueue("p0", request_id="once")
            await wire.is_told("p0", "EnQueued")
            await wire.dequeue("p0")
            await wire.is_told("p0", "DeQueued")
            await wire.enqueue("p0", request_id="once")
            await wait_until(
                lambda: wire.told("p0") == ["EnQueued", "DeQueued", "DeQueued"],
                what="DeQueued again",
            )
            assert await wire.redis.zcard("queue:{normal}") == 0
            gone = {"state": "gone", "game_mode": "Normal", "news": "DeQueued"}
            assert await _statuses(wire, "p0") == gone
            assert await _statuses(wire, "nobody") == {"state": "unknown"}


async def test_a_question_that_cannot_be_used_is_answered(
    any_server: RealServer, tmp_path: Path
) -> None:
    with serving(any_server.url, tmp_path) as server:
        await server.ready()
        async with outside(any_server.url) as wire:
            asked = {"kind": "status", "pod_id": "pod-a", "player_id": "", "token": "t"}
            await wire.redis.publish("match:handoff:request", json.dumps(asked))
            await wire.is_handed("t", "invalid_player_id")
