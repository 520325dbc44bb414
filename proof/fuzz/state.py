"""Hand-made state in Redis: nobody else's matches wait for it, and deleting it mends the mode."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, count

import httpx
from redis.exceptions import RedisError

from proof.fuzz import texts
from proof.fuzz.report import Tally, chance
from proof.fuzz.state_cases import Case, all_cases, chance_case
from proof.fuzz.world import IN_TIME_SECONDS, World, world

_SETTLE_SECONDS = 0.5
_MOST_MB = 300.0
_PATHS = (
    "/api/v1/queues", "/api/v1/queues/{mode}", "/api/v1/matches/{mode}",
    "/api/v1/dead-letters/{mode}", "/api/v1/players/x", "/api/v1/pods", "/health/ready", "/metrics",
)  # fmt: skip
_SETTINGS = {
    "matchmaking__offer_timeout_seconds": 1,
    "matchmaking__metadata_grace_seconds": 2,
}


def run(tally: Tally, *, seconds: float) -> None:
    """Tries cases until the time is over: each of the fixed ones once, then fuzzed ones."""
    asyncio.run(_run(tally, time.monotonic() + seconds))


async def _run(tally: Tally, over: float) -> None:
    cases = chain(all_cases(chance(tally.seed, tally.target)), _fuzzed(tally.seed))
    while time.monotonic() < over:
        async with world(tally, **_SETTINGS) as here:
            while time.monotonic() < over and await _survives(here, next(cases)):
                pass


def _fuzzed(seed: int) -> Iterator[Case]:
    return (chance_case(chance(seed, "fuzzed tickets", number)) for number in count())


async def _survives(here: World, case: Case) -> bool:
    """Tries a case. False: the server is of no use any more, and another is needed."""
    here.tally.tried += 1
    failed, peak = here.tally.failed, here.peak_mb()
    for command in case.commands:
        try:
            await here.redis.execute_command(*command)
        except RedisError:
            here.tally.refused += 1  # by Redis itself: a score that is no number
            await here.redis.unlink(*case.keys)
            return True
    await asyncio.sleep(_SETTLE_SECONDS)
    if await _tried(here, case):
        here.tally.accepted += here.tally.failed == failed
        grown = here.peak_mb() - peak
        if grown > _MOST_MB:
            here.tally.fail(f"{case.kind}: the server took {_MOST_MB:g} MB more", case.name)
        here.judge_log(case.name)
        return here.server.process.poll() is None
    here.tally.fail(f"{case.kind}: the server hangs", case.name)
    return False


async def _tried(here: World, case: Case) -> bool:
    other = texts.MODES[(texts.TAGS.index(case.tag) + here.tally.tried % 2 + 1) % 3]
    await _pair(here, case, other, "in another mode")
    if not await _answers(here, case):
        return False
    own = texts.MODES[texts.TAGS.index(case.tag)]
    if not case.wrong_type:
        await _pair(here, case, own, "in the same mode")
    await here.redis.unlink(*case.keys)
    await _pair(here, case, own, "in the same mode, after it was deleted,")
    await here.redis.unlink(f"queue:{{{case.tag}}}", f"metadata:{{{case.tag}}}")
    return await _lives(here)


async def _pair(here: World, case: Case, mode: str, where: str) -> None:
    """A good pair in time. Where an odd player waits, a third good player takes that one."""
    third = where == "in the same mode"
    players = await here.good(mode, 2 + third)
    if not await here.matched(players[:2], seconds=IN_TIME_SECONDS):
        here.tally.fail(f"{case.kind}: a good pair {where} was not matched", case.name)
    elif mode == "Squad" and not await here.matched(players[:2], seconds=IN_TIME_SECONDS, epoch=2):
        here.tally.fail(f"{case.kind}: an unclaimed match {where} was not offered again", case.name)
    await here.leave(mode, [*(case.players if third else ()), *players])
    if third and not await _gone(here, mode, players[2]):
        here.tally.fail(f"{case.kind}: a good player could not leave beside it", case.name)


async def _gone(here: World, mode: str, player: str) -> bool:
    over = time.monotonic() + IN_TIME_SECONDS
    while await here.redis.zscore(f"queue:{{{mode.lower()}}}", player) is not None:
        if time.monotonic() > over:
            return False
        await asyncio.sleep(0.05)
    return True


async def _lives(here: World) -> bool:
    with suppress(httpx.HTTPError):
        return (await here.server.get("/health/live")).status_code == 200
    return False


async def _answers(here: World, case: Case) -> bool:
    if not await _lives(here):
        return False
    for path in _PATHS:
        try:
            answer = await here.server.get(path.format(mode=case.tag))
        except httpx.HTTPError as error:
            here.tally.fail(f"{case.kind}: GET {path}: {type(error).__name__}", case.name)
            continue
        if answer.status_code == 500:
            here.tally.fail(f"{case.kind}: GET {path} answers 500", (case.name, answer.text))
    return True
