"""Facts about a Redis, gathered for `matchkeeper doctor` and for the start of the server."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from matchkeeper.store import keys, scripts
from matchkeeper.store.connection import Connection
from matchkeeper.store.scripts import Script

_SCRATCH_TAG = "matchkeeper-doctor"
_EXPECTED_TYPES = {
    keys.queue: "zset",
    keys.metadata: "hash",
    keys.pending: "zset",
    keys.matched: "hash",
    keys.leaving: "hash",
    keys.dead: "stream",
    keys.requests: "stream",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisFacts:
    """What a Redis is and allows. None: it does not say, or we may not ask."""

    kind: str
    """`redis` or `valkey`."""
    version: tuple[int, ...]
    cluster: bool
    role: str
    replicas: int
    clock_ahead_seconds: float
    appendonly: bool | None
    appendfsync: str | None
    maxmemory_policy: str | None
    maxmemory_bytes: int | None
    refused_scripts: tuple[str, ...]
    """`name: error` for each script that does not load."""
    refused_commands: tuple[str, ...]
    """`name: error` for each command that this user may not use on our keys."""
    wrong_types: tuple[str, ...]
    """`key: found, expected` for each key of ours that holds something else."""
    unknown_queues: tuple[str, ...]
    """Tags of queues with players whose mode is not configured."""
    subscribers: int


async def gather(
    connection: Connection,
    *,
    tags: Sequence[str],
    channel: str,
    wall_clock: Callable[[], float] = time.time,
) -> RedisFacts:
    """Asks Redis. Raises StoreError when it cannot be reached."""

    async def ask(redis: Redis) -> RedisFacts:
        info: Any = await redis.info()
        before = wall_clock()
        seconds, micros = await redis.time()
        persistence = await _config(redis, "append*")
        memory = await _config(redis, "maxmemory*")
        return RedisFacts(
            kind="valkey" if "valkey_version" in info else "redis",
            version=_version(str(info.get("valkey_version") or info["redis_version"])),
            cluster=bool(info.get("cluster_enabled")),
            role=str(info.get("role", "master")),
            replicas=int(info.get("connected_slaves", 0)),
            clock_ahead_seconds=seconds + micros / 1e6 - (before + wall_clock()) / 2,
            appendonly=_yes(persistence.get("appendonly")),
            appendfsync=persistence.get("appendfsync"),
            maxmemory_policy=memory.get("maxmemory-policy"),
            maxmemory_bytes=_int(memory.get("maxmemory")),
            refused_scripts=await _refused_scripts(redis),
            refused_commands=await _refused_commands(redis),
            wrong_types=await _wrong_types(redis, tags),
            unknown_queues=await _unknown_queues(redis, tags),
            subscribers=int((await redis.pubsub_numsub(channel))[0][1]),
        )

    return await connection.once("doctor", ask)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:3] if part.isdecimal())


def _yes(text: str | None) -> bool | None:
    return None if text is None else text == "yes"


def _int(text: str | None) -> int | None:
    return None if text is None else int(text)


async def _config(redis: Redis, pattern: str) -> dict[str, str]:
    try:
        found: Any = await redis.execute_command("CONFIG GET", pattern)
    except ResponseError:
        return {}  # managed services and strict ACLs keep CONFIG to themselves
    items = found.items() if isinstance(found, dict) else zip(found[::2], found[1::2], strict=True)
    return {_text(name): _text(value) for name, value in items}


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


async def _refused_scripts(redis: Redis) -> tuple[str, ...]:
    refused = []
    for script in Script:
        try:
            await scripts.load(redis, script)
        except RedisError as error:
            refused.append(f"{script.value}: {error}")
    return tuple(refused)


async def _refused_commands(redis: Redis) -> tuple[str, ...]:
    """Really does what the server does, on a queue that is deleted afterwards."""
    tag = _SCRATCH_TAG
    steps: list[tuple[str, tuple[Any, ...]]] = [
        ("ZADD", (keys.queue(tag), 1, "p")),
        ("HSET", (keys.metadata(tag), "p", "{}")),
        ("XADD", (keys.requests(tag), "*", "kind", "none")),
        ("XGROUP CREATE", (keys.requests(tag), keys.GROUP, "0")),
        ("XREADGROUP", ("GROUP", keys.GROUP, "doctor", "STREAMS", keys.requests(tag), ">")),
        ("XAUTOCLAIM", (keys.requests(tag), keys.GROUP, "doctor", 0, "0-0")),
        ("EVALSHA", (scripts.sha(Script.READ), 2, keys.queue(tag), keys.metadata(tag), 0, 1)),
        ("PUBLISH", (keys.EVENTS, '["doctor"]')),
        ("PUBSUB NUMSUB", (keys.EVENTS,)),
        ("DEL", (keys.queue(tag), keys.metadata(tag), keys.requests(tag))),
    ]
    refused = []
    for name, arguments in steps:
        try:
            await redis.execute_command(*name.split(), *arguments)
        except RedisError as error:
            if not str(error).startswith("BUSYGROUP"):  # another doctor at the same moment
                refused.append(f"{name}: {error}")
    return tuple(refused)


async def _wrong_types(redis: Redis, tags: Sequence[str]) -> tuple[str, ...]:
    wrong = []
    for tag in tags:
        for name, expected in _EXPECTED_TYPES.items():
            found = _text(await redis.type(name(tag)))
            if found not in ("none", expected):
                wrong.append(f"{name(tag)}: {found}, expected {expected}")
    return tuple(wrong)


async def _unknown_queues(redis: Redis, tags: Sequence[str]) -> tuple[str, ...]:
    found = set()
    async for key in redis.scan_iter(match="queue:{*}", count=1000):
        tag = _text(key).removeprefix("queue:{").removesuffix("}")
        if tag not in tags and tag != _SCRATCH_TAG:
            found.add(tag)
    return tuple(sorted(found))
