"""Facts about a Redis, gathered for `matchkeeper doctor` and for the start of the server."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from matchkeeper.domain.form import Stamp
from matchkeeper.domain.realm import QueueName
from matchkeeper.errors import StoreForbiddenError, StoreNotReadyError
from matchkeeper.store import keys, rights, scripts
from matchkeeper.store.connection import Connection
from matchkeeper.store.form import FormStore
from matchkeeper.store.rights import Channels, Refusal

T = TypeVar("T")

_SCAN_SECONDS = 2.0
_OF_EACH_QUEUE = (
    *(keys.queue, keys.metadata, keys.pending, keys.matched),
    *(keys.leaving, keys.claimers, keys.dead),
)
_OF_A_REALM = (keys.pods, keys.servers, keys.modes, keys.clock, keys.version)
_WRITES = {
    "aof_last_write_status": "append-only file",
    "aof_last_bgrewrite_status": "rewrite of the append-only file",
    "rdb_last_bgsave_status": "RDB",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What a Redis is. None: it does not tell, or we may not ask."""

    kind: str
    """`redis`, `valkey` or the name of another server."""
    version: tuple[int, ...]
    """Empty where it is not told."""
    cluster: bool
    role: str
    replicas: int | None
    appendonly: bool | None
    appendfsync: str | None
    maxmemory_policy: str | None
    maxmemory_bytes: int | None
    subscriber_buffer_bytes: int | None
    """Subscribers that are further behind are cut off. 0: nobody is cut off."""
    rdb_age_seconds: float | None
    """Since the last RDB; since the start of Redis, where there was none."""
    rdb_changes: int | None
    """Since then."""
    failed_writes: tuple[str, ...]
    """What it could not write to its disk when it last tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UseFacts:
    """What we may do with a Redis, and what it holds. None: we may not ask."""

    realm: str
    stamp: Stamp | None
    clock_ahead_seconds: float | None
    refused_scripts: tuple[str, ...]
    """`name: error` for each script that does not load."""
    refusals: tuple[Refusal, ...]
    """What the server does and this user may not."""
    wrong_types: tuple[str, ...] | None
    """`key: found, expected` for each key of ours that holds something else."""
    unknown_queues: tuple[str, ...] | None
    """Tags of queues with players whose mode is not configured."""
    all_keys_seen: bool
    """False: there are too many keys to look at each."""
    subscribers: int | None


async def gather_server(connection: Connection) -> ServerFacts:
    """Asks a Redis what it is; writes nothing. Raises StoreError when it cannot be reached."""

    async def ask(redis: Redis) -> ServerFacts:
        info: Any = await _allowed(redis.info())
        if info is None:
            return await _from_greeting(redis)
        if info.get("loading"):
            # Until Redis has read its files, it tells wrong things of itself, such as
            # `aof_enabled:0`.
            raise StoreNotReadyError("Redis is not ready: it is loading its data")
        fsync = await _allowed(redis.execute_command("CONFIG GET", "appendfsync"))
        buffers = await _allowed(redis.execute_command("CONFIG GET", "client-output-buffer-limit"))
        return ServerFacts(
            kind=_kind(info),
            version=_version(str(info.get("valkey_version") or info.get("redis_version", ""))),
            cluster=bool(info.get("cluster_enabled")),
            role=str(info.get("role", "master")),
            replicas=int(info.get("connected_slaves", 0)),
            appendonly=None if "aof_enabled" not in info else bool(info["aof_enabled"]),
            appendfsync=_setting(fsync),
            maxmemory_policy=info.get("maxmemory_policy"),
            maxmemory_bytes=_whole(info.get("maxmemory")),
            subscriber_buffer_bytes=_pubsub_limit(_setting(buffers)),
            rdb_age_seconds=_rdb_age(info),
            rdb_changes=_whole(info.get("rdb_changes_since_last_save")),
            failed_writes=tuple(
                name for field, name in _WRITES.items() if info.get(field, "ok") != "ok"
            ),
        )

    return await connection.once("look at Redis", ask)


async def _from_greeting(redis: Redis) -> ServerFacts:
    """HELLO tells less than INFO, but hardly any user is refused it."""
    reply = await _allowed(redis.execute_command("HELLO"))
    pairs: Any = [] if reply is None else reply
    items = pairs.items() if isinstance(pairs, dict) else zip(pairs[::2], pairs[1::2], strict=True)
    told = {_text(name): value for name, value in items}
    return ServerFacts(
        kind=_text(told.get("server", "redis")),
        version=_version(_text(told.get("version", ""))),
        cluster=_text(told.get("mode", "")) == "cluster",
        role=_text(told.get("role", "master")),
        replicas=None,
        appendonly=None,
        appendfsync=None,
        maxmemory_policy=None,
        maxmemory_bytes=None,
        subscriber_buffer_bytes=None,
        rdb_age_seconds=None,
        rdb_changes=None,
        failed_writes=(),
    )


async def gather_use(
    connection: Connection,
    *,
    realm: str,
    queues: Sequence[QueueName],
    form: FormStore,
    channels: Channels,
    traced: bool,
    wall_clock: Callable[[], float] = time.time,
    clock: Callable[[], float] = time.monotonic,
) -> UseFacts:
    """Tries everything that the server does. Players and game servers notice nothing. Raises
    StoreError.
    """
    waiting = connection.options.durability.command
    tried = rights.trials(realm, queues, channels, waiting, traced=traced)
    battles = channels.told[0]
    modes, all_seen = await connection.once(
        "list queues", lambda redis: _queues(redis, realm, clock)
    )
    unknown = None if modes is None else tuple(sorted(modes - {each.mode for each in queues}))
    return UseFacts(
        realm=realm,
        stamp=await _stamp(form),
        clock_ahead_seconds=await connection.once(
            "read clock", lambda redis: _clock_ahead(redis, wall_clock)
        ),
        refused_scripts=await connection.once("load scripts", _refused_scripts),
        refusals=await connection.once("try rights", lambda redis: rights.refused(redis, tried)),
        wrong_types=await connection.once(
            "read types", lambda redis: _wrong_types(redis, realm, queues)
        ),
        unknown_queues=unknown,
        all_keys_seen=all_seen,
        subscribers=await connection.once(
            "count game servers", lambda redis: _subscribers(redis, battles)
        ),
    )


async def _stamp(form: FormStore) -> Stamp | None:
    try:
        return await form.look()
    except StoreForbiddenError:
        return None


async def _allowed(answer: Awaitable[T]) -> T | None:
    """The answer, or None where this user may not ask or the server does not know the question."""
    try:
        return await answer
    except NoPermissionError:
        return None
    except ResponseError as error:
        if str(error).lower().startswith("unknown command"):
            return None
        raise


def _kind(info: dict[str, Any]) -> str:
    if "valkey_version" in info:
        return "valkey"
    if "dragonfly_version" in info:
        return "dragonfly"
    return str(info.get("server_name", "redis"))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:3] if part.isdecimal())


def _whole(told: Any) -> int | None:
    return None if told is None else int(told)


def _rdb_age(info: dict[str, Any]) -> float | None:
    now, saved = info.get("server_time_usec"), info.get("rdb_last_save_time")
    return None if now is None or saved is None else max(0.0, int(now) / 1e6 - int(saved))


def _setting(reply: Any) -> str | None:
    """The value of the one setting that CONFIG GET was asked for."""
    values = list(reply.values()) if isinstance(reply, dict) else list(reply or ())[1:]
    return _text(values[0]) if values else None


def _pubsub_limit(limits: str | None) -> int | None:
    """The hard limit in `normal 0 0 0 replica … pubsub 33554432 8388608 60`."""
    _, _, pubsub = (limits or "").partition("pubsub ")
    hard = pubsub.partition(" ")[0]
    return int(hard) if hard.isdecimal() else None


def _text(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


async def _clock_ahead(redis: Redis, wall_clock: Callable[[], float]) -> float | None:
    before = wall_clock()
    told: Any = await _allowed(redis.time())
    if told is None:
        return None
    seconds, micros = told
    return float(seconds + micros / 1e6 - (before + wall_clock()) / 2)


async def _subscribers(redis: Redis, channel: str) -> int | None:
    reply: Any = await _allowed(redis.pubsub_numsub(channel))
    return None if reply is None else int(reply[0][1])


async def _refused_scripts(redis: Redis) -> tuple[str, ...]:
    refused = []
    for script in scripts.every():
        try:
            await scripts.load(redis, script)
        except ResponseError as error:
            refused.append(f"{script.name}: {error}")
    return tuple(refused)


async def _wrong_types(
    redis: Redis, realm: str, queues: Sequence[QueueName]
) -> tuple[str, ...] | None:
    expected = {
        **{name(queue): keys.TYPES[name] for queue in queues for name in _OF_EACH_QUEUE},
        **{name(realm): keys.TYPES[name] for name in _OF_A_REALM},
    }
    async with redis.pipeline(transaction=False) as pipe:
        for key in expected:
            pipe.type(key)
        replies: list[Any] = await pipe.execute(raise_on_error=False)
    if any(isinstance(reply, NoPermissionError) for reply in replies):
        return None
    for reply in replies:
        if isinstance(reply, RedisError):
            raise reply
    return tuple(
        f"{key}: {_text(found)}, expected {kind}"
        for (key, kind), found in zip(expected.items(), replies, strict=True)
        if _text(found) not in ("none", kind)
    )


async def _queues(
    redis: Redis, realm: str, clock: Callable[[], float]
) -> tuple[set[str] | None, bool]:
    """Modes of the realm whose queues have entries, and whether every key was looked at in time."""
    found: set[str] = set()
    begun, cursor = clock(), 0
    while True:
        page: Any = await _allowed(
            redis.scan(cursor, match=keys.queues(realm), count=10_000, _type="zset")
        )
        if page is None:
            return None, False
        cursor, names = page
        queues = (keys.queue_of(_text(name)) for name in names)
        found.update(each.mode for each in queues if each.realm == realm)
        if not int(cursor):
            return found, True
        if clock() - begun > _SCAN_SECONDS:
            return found, False
