"""A running server under a flood of broken messages: good players are matched all the same."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from typing import Any

import httpx

from proof.fuzz import texts
from proof.fuzz.report import Tally, chance, shortened
from proof.fuzz.world import IN_TIME_SECONDS, World, world

_BATCH = 50
_PAUSE_SECONDS = 0.08
_KEPT = 200
_ALONE_SECONDS = 1.0
_CHANNELS = ("match:enqueue:request", "match:dequeue:request")


def run(tally: Tally, *, seconds: float) -> None:
    """Floods a server until the time is over."""
    asyncio.run(_run(tally, seconds))


async def _run(tally: Tally, seconds: float) -> None:
    async with world(tally) as here:
        last: list[bytes] = []
        over = time.monotonic() + seconds
        flood = asyncio.ensure_future(_flood(here, over, last))
        pairs = asyncio.ensure_future(_pairs(here, over))
        memory = asyncio.ensure_future(_memory(here, over, last))
        await asyncio.gather(flood, pairs, memory)
        here.judge_log(last[-5:])
        await _figures(here)


async def _flood(here: World, over: float, last: list[bytes]) -> None:
    """Paced, so that what is measured is the server and not the backlog's bound."""
    tally = here.tally
    while time.monotonic() < over:
        async with here.redis.pipeline(transaction=False) as pipe:
            for _ in range(_BATCH):
                tally.tried += 1
                last.append(_send(pipe, chance(tally.seed, tally.target, tally.tried)))
            await pipe.execute()
        del last[:-_KEPT]
        await asyncio.sleep(_PAUSE_SECONDS)


def _send(pipe: Any, rng: random.Random) -> bytes:
    """Puts one input into the pipe; returns its text."""
    kind, text = rng.random(), texts.request(rng)
    if kind < 0.03:
        text = texts.value(rng)
        pipe.xadd("history:{normal}", _happened(rng, text), maxlen=1000)
    elif kind < 0.1:
        text, leaving = texts.coming_and_going(rng)
        pipe.publish(_CHANNELS[0], text)
        pipe.publish(_CHANNELS[1], leaving)
    elif kind < 0.4:
        pipe.xadd("match:requests", _entry(rng, text))
    else:
        pipe.publish(rng.choice(_CHANNELS), text)
    return text


def _entry(rng: random.Random, text: bytes) -> dict[Any, Any]:
    """A stream entry: as the client writes it, or with other fields."""
    kind = rng.choice((b"enqueue", b"enqueue", b"dequeue", b"", b"\xff", b"x" * 5000, b"ENQUEUE"))
    if rng.random() < 0.8:
        return {b"kind": kind, b"body": text}
    return {rng.choice((b"kind", b"body", b"", b"\xff", b"x")): text}


def _happened(rng: random.Random, text: bytes) -> dict[Any, Any]:
    """An entry of the history that no script has written."""
    fields = dict.fromkeys((b"what", b"players", b"match", b"pod", b"detail"), b"x")
    if rng.random() < 0.5:
        del fields[rng.choice(list(fields))]
    return {**fields, rng.choice((b"what", b"players", b"match", b"", b"\xff")): text}


async def _pairs(here: World, over: float) -> None:
    """Good players, one after the other with a pause between, by both ways in."""
    waits = []
    for number in range(10**6):
        if time.monotonic() > over - 3:
            break
        mode, stream = ("Ranked", "Normal")[number % 2], number % 4 > 1
        players = await here.good(mode, stream=stream, pause=_ALONE_SECONDS)
        begun = time.monotonic()
        if await here.matched(players, seconds=IN_TIME_SECONDS):
            waits.append(time.monotonic() - begun)
            here.tally.accepted += 1
        else:
            way = "stream" if stream else "pubsub"
            here.tally.fail(
                f"a good pair was not matched in {IN_TIME_SECONDS:g} s", f"{mode}, by {way}"
            )
        await here.leave(mode, players)
        await asyncio.sleep(0.5)
    if waits:
        here.tally.notes.append(
            f"{len(waits)} good pairs matched, after {statistics.median(waits):.3f} s (median), "
            f"{max(waits):.3f} s (longest)"
        )


async def _memory(here: World, over: float, last: list[bytes]) -> None:
    samples = []
    while time.monotonic() < over:
        samples.append(here.rss_mb())
        here.judge_log(last[-5:])
        await asyncio.sleep(1)
    quarter = len(samples) // 4
    if not quarter:
        return
    second = statistics.median(samples[quarter : 2 * quarter])
    fourth = statistics.median(samples[-quarter:])
    figures = " ".join(f"{sample:.0f}" for sample in samples[:: max(1, len(samples) // 30)])
    here.tally.notes.append(f"RSS {second:.1f} MB (2nd quarter), {fourth:.1f} MB (last): {figures}")
    if fourth > 1.15 * second + 10:
        here.tally.fail("memory grows", figures)


async def _figures(here: World) -> None:
    try:
        here.tally.refused = int(await here.server.metric("matchkeeper_refused_requests_total"))
        dropped = await here.server.metric("matchkeeper_backlog_dropped_total")
    except httpx.HTTPError as error:
        here.tally.fail("/metrics did not answer after the flood", error)
        return
    here.tally.notes.append(f"{here.heard} messages heard, {dropped:g} requests dropped")
    slow = shortened(here.server.lines("timeout")[-3:])
    if slow != "[]":
        here.tally.notes.append(f"timeouts in the log: {slow}")
