"""What a user of Redis may do, tried without doing it.

Between MULTI and DISCARD Redis checks the rights to each command, key and channel when the command
is queued, and runs none of them. So the real keys and channels can be tried on a live server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError, ResponseError

from matchkeeper.domain.realm import QueueName
from matchkeeper.store import keys, scripts
from matchkeeper.store.scripts import Script

Command = tuple[str | int | bytes, ...]
_LISTED = 5

_ZSET: tuple[Command, ...] = (
    ("ZADD", 1, "x"),
    ("ZREM", "x"),
    ("ZRANGE", 0, 0),
    ("ZSCORE", "x"),
    ("ZMSCORE", "x"),
    ("ZCARD",),
)
_HASH: tuple[Command, ...] = (
    ("HSET", "x", "x"),
    ("HDEL", "x"),
    ("HGET", "x"),
    ("HMGET", "x"),
)
_STRING: tuple[Command, ...] = (("SET", "x"), ("GET",), ("PEXPIRE", 1))
_STREAM: tuple[Command, ...] = (
    ("XADD", "*", "x", "x"),
    ("XDEL", "0-1"),
    ("XLEN",),
    ("XRANGE", "-", "+"),
    ("XREVRANGE", "+", "-"),
)


class Kind(StrEnum):
    """What a refusal is about."""

    COMMAND = "command"
    KEY = "key"
    CHANNEL = "channel"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Refusal:
    """One thing that Redis does not let this user do."""

    kind: Kind
    name: str
    """The command, key or channel; for OTHER the command with what Redis says."""

    def __str__(self) -> str:
        return self.name if self.kind is Kind.OTHER else f"{self.kind.value} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """The Pub/Sub channels of a server."""

    heard: tuple[str, ...]
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A command, and the key or channel that it is tried on."""

    command: Command
    target: str = ""
    kind: Kind = Kind.COMMAND

    @property
    def name(self) -> str:
        """Of the command, in capitals."""
        return str(self.command[0])


def trials(
    queues: Sequence[QueueName], channels: Channels, waiting: Command | None, *, traced: bool
) -> list[Trial]:
    """Everything that a server does. `waiting`: what `redis.durability` sends behind a write;
    `traced`: whether traces are on.
    """
    commands: list[Command] = [("TIME",), ("PING",), ("SCRIPT LOAD", "return 1")]
    if waiting is not None:
        commands.append(waiting)
    found = [Trial(command=command) for command in commands]
    found += [
        Trial(command=(name, channel, *rest), target=channel, kind=Kind.CHANNEL)
        for name, rest, names in (
            ("SUBSCRIBE", (), (*channels.heard, keys.MARKS)),
            ("PUBLISH", ("x",), (*channels.told, keys.MARKS)),
        )
        for channel in names
    ]
    found.append(Trial(command=("PUBSUB NUMSUB", channels.told[0])))
    found += _on(keys.PODS, (("ZADD", 1, "x"), ("ZREM", "x"), ("ZRANGE", 0, 0)))
    found += _on(keys.PODS, (("ZREMRANGEBYSCORE", 0, 0),))
    found += _of_requests()
    found += _on(keys.hearing(channels.heard), (("HMGET", "x"), ("HSET", "x", "x")))
    found += _on(keys.HEARD, _STREAM[:4])
    for key in (keys.SERVERS, keys.settings("x"), keys.MODES):
        found += _on(key, (*_HASH[:3], ("HGETALL",), ("HINCRBY", "x", 1), ("EXPIRE", 1)))
    found += _on(keys.CLOCK, (("HGET", "x"), ("HSET", "x", "x"), ("HINCRBY", "x", 1)))
    found += _on(keys.alert("x", "sent"), (*_STRING[:2], ("DEL",)))
    found += _on(keys.text(keys.hand_made_metadata("x")), (("MGET",), ("UNLINK",)))
    traces = [trial for queue in queues for trial in _of_traces(queue)] if traced else []
    return [*found, *traces, *(trial for queue in queues for trial in _of_queue(queue))]


def _of_traces(queue: QueueName) -> list[Trial]:
    return _on(keys.text(keys.trace(queue, "x")), (("SET", "x"), ("MGET",)))


def _of_queue(queue: QueueName) -> list[Trial]:
    match, history = keys.match(queue, "x"), keys.history(queue)
    found = [
        *_on(keys.queue(queue), _ZSET),
        *_on(keys.pending(queue), _ZSET),
        *_on(keys.metadata(queue), _HASH),
        *_on(keys.matched(queue), (*_HASH, ("HGETALL",))),
        *_on(keys.leaving(queue), _HASH),
        *_on(keys.claimers(queue), (*_HASH, ("EXPIRE", 1), ("HGETALL",), ("HLEN",), ("UNLINK",))),
        *_on(match, (*_HASH, ("HINCRBY", "x", 1), ("HGETALL",))),
        *_on(match, (("PEXPIRE", 1), ("EXISTS",), ("DEL",), ("UNLINK",))),
        *_on(keys.dead(queue), _STREAM),
        *(
            trial
            for name in (keys.queue, keys.pending, keys.claimers, keys.dead)
            for trial in _on(name(queue), (("EXISTS",),))
        ),
        *_on(keys.history(queue), (_STREAM[0], *_STREAM[3:], ("EXPIRE", 1))),
        *_on(keys.seen(queue, "x"), _STRING),
        *_on(keys.text(keys.latest("x", queue)), _STRING),
        *_on(keys.answered(queue, "x"), _STRING),
    ]
    return [
        *found,
        Trial(command=("XREAD", "STREAMS", history, "0-0"), target=history, kind=Kind.KEY),
    ]


def _of_requests() -> list[Trial]:
    commands: tuple[Command, ...] = (
        ("XGROUP CREATE", keys.REQUESTS, keys.GROUP, "0", "MKSTREAM"),
        ("XGROUP DELCONSUMER", keys.REQUESTS, keys.GROUP, "x"),
        ("XINFO CONSUMERS", keys.REQUESTS, keys.GROUP),
        ("XAUTOCLAIM", keys.REQUESTS, keys.GROUP, "x", 0, "0-0"),
        ("XCLAIM", keys.REQUESTS, keys.GROUP, "x", 0, "0-1"),
        ("XPENDING", keys.REQUESTS, keys.GROUP),
        ("XREADGROUP", "GROUP", keys.GROUP, "x", "STREAMS", keys.REQUESTS, ">"),
        ("EVALSHA", scripts.sha(Script.SCAN), 1, keys.REQUESTS),
    )
    return [
        *_on(keys.REQUESTS, (*_STREAM[:4], ("XACK", keys.GROUP, "0-1"))),
        *(Trial(command=command, target=keys.REQUESTS, kind=Kind.KEY) for command in commands),
    ]


def _on(key: str, commands: Sequence[Command]) -> list[Trial]:
    return [
        Trial(command=(name, key, *rest), target=key, kind=Kind.KEY) for name, *rest in commands
    ]


def refusal(trial: Trial, error: str) -> Refusal:
    """What Redis means by an error to a trial."""
    if "to run the" in error:
        return Refusal(kind=Kind.COMMAND, name=trial.name)
    if "channel" in error and trial.kind is Kind.CHANNEL:
        return Refusal(kind=Kind.CHANNEL, name=trial.target)
    if " key" in error and trial.kind is Kind.KEY:
        return Refusal(kind=Kind.KEY, name=trial.target)
    return Refusal(kind=Kind.OTHER, name=f"{trial.name}: {error}")


def grants(refusals: Sequence[Refusal]) -> str:
    """The ACL rules that this user lacks, as a sentence."""
    by_kind = {
        kind: [each.name for each in refusals if each.kind is kind]
        for kind in (Kind.COMMAND, Kind.KEY, Kind.CHANNEL)
    }
    rules = [f"+{name.lower().replace(' ', '|')}" for name in by_kind[Kind.COMMAND]]
    if by_kind[Kind.KEY]:
        rules += [f"~{pattern}" for pattern in keys.PATTERNS]
    rules += [f"&{name}" for name in by_kind[Kind.CHANNEL]]
    if not rules:
        return "See what Redis says to each command."
    return f"Give this user the right: ACL SETUSER <user> {' '.join(rules)}"


def listed(refusals: Sequence[Refusal]) -> str:
    """The first of them, for a sentence."""
    more = len(refusals) - _LISTED
    named = ", ".join(str(each) for each in refusals[:_LISTED])
    return f"{named} and {more} more" if more > 0 else named


async def refused(redis: Redis, tried: Sequence[Trial]) -> tuple[Refusal, ...]:
    """Which of them Redis refuses; none of them is run. Without MULTI nothing can be tried."""
    connection = await redis.connection_pool.get_connection()
    try:
        await connection.send_command("MULTI", check_health=False)
        try:
            await connection.read_response()
        except NoPermissionError:
            return (Refusal(kind=Kind.COMMAND, name="MULTI"),)
        # A send would connect again by itself, and there, outside of MULTI, all would be run.
        if not connection.is_connected:
            raise RedisConnectionError("Connection closed by server.")
        commands = [*(_words(each.command) for each in tried), ("DISCARD",)]
        await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        return await _read_refusals(connection, tried)
    finally:
        await connection.disconnect()
        await redis.connection_pool.release(connection)


async def _read_refusals(
    connection: AbstractConnection, tried: Sequence[Trial]
) -> tuple[Refusal, ...]:
    found = set()
    for each in tried:
        try:
            await connection.read_response()
        except ResponseError as error:
            found.add(refusal(each, str(error)))
    return tuple(sorted(found))


def _words(command: Command) -> Command:
    name, *rest = command
    return (*str(name).split(), *rest)
