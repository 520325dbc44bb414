"""Game servers that claim and never start are refused, by the script that grants claims."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from matchkeeper.store.claimers import Claimer
from matchkeeper.store.matches import NewMatch
from matchkeeper.wire.handed import HandoffReply
from tests.conftest import wait_until
from tests.support.stores import CLAIMED, SETTINGS, Stores, token

KEY = "claimers:{squad}"
pytestmark = pytest.mark.usefixtures("listener")


async def offered(stores: Stores, *, lease: float = 10) -> NewMatch:
    """A match of two new players, offered and not claimed."""
    mode = replace(CLAIMED, claim_lease=timedelta(seconds=lease))
    for _ in range(2):
        await stores.enqueue(token(), CLAIMED)
    match = await stores.new_match(CLAIMED)
    assert await stores.commit(mode, match) == ["committed"]
    return match


async def claim(stores: Stores, match: NewMatch, *, pod: str) -> HandoffReply:
    return await stores.hand("claim", match.match_id, pod_id=pod, token=pod)


async def end(stores: Stores, match: NewMatch) -> None:
    """Gives it back once its lease has run out, and takes its players out of the queue."""

    async def given_back() -> bool:
        done = await stores.matches.give_back(
            CLAIMED.queue, match.match_id, SETTINGS, epoch=1, cause="lease_expired", token=token()
        )
        return done is not None

    await wait_until(given_back)
    for ticket in match.tickets:
        await stores.dequeue(ticket.ticket_id, CLAIMED)


async def fail(stores: Stores, *, pod: str, times: int = 1) -> None:
    """A pod claims so many matches at a time, and starts none."""
    matches = [await offered(stores, lease=0.02) for _ in range(times)]
    for match in matches:
        assert await claim(stores, match, pod=pod) is HandoffReply.CLAIMED
    for match in matches:
        await end(stores, match)


async def failing(stores: Stores) -> dict[str, Claimer]:
    found = await stores.matches.overdue(CLAIMED.queue, count=0)
    return {each.pod_id: each for each in found.claimers}


async def may_claim_again(redis: Redis, pod: str) -> None:
    """As if the time were over."""
    count = str(await redis.hget(KEY, pod)).partition(" ")[0]
    await redis.hset(KEY, pod, f"{count} 1.0 2.0")


async def test_who_starts_nothing_is_refused_and_others_are_not(
    stores: Stores, redis: Redis
) -> None:
    await fail(stores, pod="hole", times=2)
    assert (await failing(stores))["hole"].refused_for_seconds is None
    await fail(stores, pod="hole")
    match = await offered(stores)
    assert await claim(stores, match, pod="hole") is HandoffReply.REFUSED
    assert await claim(stores, match, pod="good") is HandoffReply.CLAIMED
    (found,) = (await failing(stores)).values()
    assert found.not_started == 3
    assert found.refused_for_seconds is not None
    assert 5 < found.refused_for_seconds <= 10
    assert await redis.ttl(KEY) > 0


async def test_one_claim_is_let_through_and_the_time_doubles_when_it_fails(
    stores: Stores, redis: Redis
) -> None:
    await fail(stores, pod="hole", times=3)
    for seconds in (20, 40, 80, 160, 300, 300):
        await may_claim_again(redis, "hole")
        first, second = await offered(stores, lease=0.3), await offered(stores)
        assert await claim(stores, first, pod="hole") is HandoffReply.CLAIMED
        assert await claim(stores, second, pod="hole") is HandoffReply.REFUSED
        await end(stores, first)
        left = (await failing(stores))["hole"].refused_for_seconds
        assert left is not None
        assert seconds - 5 < left <= seconds


async def test_matches_lost_in_one_crash_count_as_one_refusal(stores: Stores) -> None:
    await fail(stores, pod="crashed", times=20)
    found = (await failing(stores))["crashed"]
    assert found.refused_for_seconds is not None
    assert found.refused_for_seconds <= 10


async def test_a_start_ends_it(stores: Stores, redis: Redis) -> None:
    await fail(stores, pod="better", times=3)
    await may_claim_again(redis, "better")
    match = await offered(stores)
    assert await claim(stores, match, pod="better") is HandoffReply.CLAIMED
    reply = await stores.hand("confirm", match.match_id, pod_id="better")
    assert reply is HandoffReply.STARTED
    assert await failing(stores) == {}
    await fail(stores, pod="better", times=2)
    assert await claim(stores, await offered(stores), pod="better") is HandoffReply.CLAIMED


async def test_the_same_give_back_again_counts_once(stores: Stores) -> None:
    match = await offered(stores, lease=0.02)
    await claim(stores, match, pod="hole")
    await end(stores, match)
    same = {"epoch": 1, "cause": "lease_expired", "token": token()}
    for _ in range(3):
        await stores.matches.give_back(CLAIMED.queue, match.match_id, SETTINGS, **same)  # type: ignore[arg-type]  # one dict for all
    assert (await failing(stores))["hole"].not_started == 1


@pytest.mark.parametrize(
    "held", ["", "nonsense", "3 x y", "99999999999999999999 1.0 9e99", "3 1.1.1 2.2.2"]
)
async def test_what_cannot_be_read_counts_as_unknown(
    stores: Stores, redis: Redis, held: str
) -> None:
    await redis.hset(KEY, "pod", held)
    assert await claim(stores, await offered(stores), pod="pod") is HandoffReply.CLAIMED
    assert await failing(stores) == {}


async def test_a_clock_that_has_gone_back_refuses_nobody(stores: Stores, redis: Redis) -> None:
    await redis.hset(KEY, "pod", "3 99999999999.0 99999999999.5")
    assert await claim(stores, await offered(stores), pod="pod") is HandoffReply.CLAIMED


async def test_a_key_of_another_type_harms_no_match(stores: Stores, redis: Redis) -> None:
    await redis.set(KEY, "not ours")
    await fail(stores, pod="hole", times=3)
    match = await offered(stores)
    assert await claim(stores, match, pod="hole") is HandoffReply.CLAIMED
    assert await failing(stores) == {}
    assert await redis.ttl(KEY) == -1


async def test_the_memory_is_bounded(stores: Stores, redis: Redis) -> None:
    rng = random.Random(1)
    await redis.hset(KEY, mapping={f"pod-{rng.random()}": "1 0 0" for _ in range(1000)})
    await fail(stores, pod="hole")
    assert await redis.hkeys(KEY) == ["hole"]
