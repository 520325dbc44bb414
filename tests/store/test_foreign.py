"""What strangers send, and what they leave under our keys: it harms nobody else."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis

from matchkeeper.domain.ticket import PoisonedTicket
from matchkeeper.errors import StoreRefusedError
from matchkeeper.observe.logging import mask_secrets, masked
from matchkeeper.store.asked import Reply
from matchkeeper.store.pending import UnreadableMatch
from matchkeeper.wire.answers import decode_answer, decode_battle_request
from matchkeeper.wire.metadata import normalise, read_ticket
from matchkeeper.wire.metadata_text import BadMetadataError
from tests.conftest import RealServer
from tests.support.harness import outside, serving
from tests.support.stores import (
    CLAIMED,
    NORMAL,
    RANKED,
    open_stores,
    says_its_form,
    token,
)


@pytest.mark.parametrize("number", ["1e999", "9" * 400, "-1e400"])
def test_a_number_that_nobody_can_read_is_refused_at_the_door(number: str) -> None:
    for name in ("mmr", "anything"):
        with pytest.raises(BadMetadataError):
            normalise(f'{{"{name}":{number}}}'.encode(), "pod")


def test_a_number_in_a_text_of_many_digits_is_no_number() -> None:
    assert "9" * 400 in normalise(b'{"x":"' + b"9" * 400 + b'"}', "pod")


@pytest.mark.parametrize("score", [float("inf"), float("-inf"), 1e308])
def test_a_score_that_is_no_time_poisons_its_ticket(score: float) -> None:
    ticket = read_ticket("p", score, b'{"pod_id":"a"}', NORMAL)
    assert isinstance(ticket, PoisonedTicket)
    assert ticket.reason == "score is no enqueue time"


def test_huge_metadata_is_poisoned_unread() -> None:
    begun = time.perf_counter()
    ticket = read_ticket("p", 1.0, b'{"pod_id":"a","x":"' + b"[" * 10_000_000 + b'"}', NORMAL)
    assert isinstance(ticket, PoisonedTicket)
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize("payload", [b'"\xff"', b"[" * 5000, b'["claimed","m","p","x"]', b"{}"])
def test_only_decode_errors_come_out_of_decoders(payload: bytes) -> None:
    for decode in (decode_answer, decode_battle_request):
        with pytest.raises(msgspec.DecodeError):
            decode(payload)


def test_masking_a_long_text_takes_no_time_and_the_log_shortens_it() -> None:
    begun = time.perf_counter()
    masked("x" * 1_000_000)
    assert time.perf_counter() - begun < 1
    assert masked("redis://user:secret@host") == "redis://********@host"
    assert len(str(mask_secrets(None, "info", {"error": "y" * 100_000})["error"])) < 3000


async def test_a_player_named_like_a_queue_deletes_nothing(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores:
        await stores.enqueue("good", RANKED)
        assert (await stores.enqueue("{ranked}")).reply is Reply.QUEUED
        assert (await stores.dequeue("{ranked}")).reply is Reply.DEQUEUED
        await redis.zadd("queue:{ranked}", {"{ranked}": 1})
        page = await stores.tickets.read(RANKED, start=0, count=10)
        odd = page.unreadable
        await stores.tickets.set_aside(RANKED.queue, odd, token=token(), kept=10, raw_limit=100)
        assert await redis.hkeys("metadata:{ranked}") == ["good"]


async def test_a_wrong_type_in_one_mode_stops_no_other(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores:
        for key in ("queue:{ranked}", "matched:{ranked}"):
            await redis.set(key, "not ours")
        await redis.publish("nobody", "")
        for player in ("a", "b"):
            assert (await stores.enqueue(player)).reply is Reply.QUEUED
        async with redis.pubsub() as pod:
            await pod.subscribe("battle:request")
            await pod.get_message(timeout=1)
            assert await stores.commit(NORMAL, await stores.new_match()) == ["committed"]
        with pytest.raises(StoreRefusedError):
            await stores.enqueue("c", RANKED)


@pytest.mark.parametrize("key", ["metadata:{squad}", "pending:{squad}", "matched:{squad}"])
async def test_a_commit_on_damaged_keys_changes_nothing(
    any_server: RealServer, redis: Redis, key: str
) -> None:
    async with open_stores(any_server.url) as stores, redis.pubsub() as pod:
        await pod.subscribe("battle:request")
        await pod.get_message(timeout=1)
        for player in ("a", "b"):
            await stores.enqueue(player, CLAIMED)
        match = await stores.new_match(CLAIMED)
        await redis.delete(key)
        await redis.set(key, "not ours")
        with pytest.raises(StoreRefusedError):
            await stores.commit(CLAIMED, match)
        assert await redis.zcard("queue:{squad}") == 2
        assert await pod.get_message(timeout=0.1) is None


async def test_a_match_that_somebody_changed_is_told_as_such(
    any_server: RealServer, redis: Redis
) -> None:
    async with open_stores(any_server.url) as stores:
        await redis.hset("match:{squad}:m", mapping={"state": "offered", "epoch": "x"})
        found = await stores.matches.read(CLAIMED, "m")
        assert isinstance(found, UnreadableMatch)
        assert found.reason == "it has no field tickets"


async def test_where_nobody_can_be_set_aside_all_others_are_matched(
    any_server: RealServer, redis: Redis, tmp_path: Path
) -> None:
    await says_its_form(redis)
    await redis.set("dead:{normal}", "not ours")
    await redis.zadd("queue:{normal}", {"bad": 1})
    await redis.hset("metadata:{normal}", "bad", "{")
    with serving(any_server.url, tmp_path) as server:
        await server.ready()
        async with outside(any_server.url) as seen:
            for player in ("a", "b"):
                await seen.enqueue(player)
            await seen.is_told("a", "MatchFound")
    assert await redis.zrange("queue:{normal}", 0, -1) == ["bad"]
