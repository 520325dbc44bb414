"""What a user of Redis may do, tried without doing it.

Between MULTI and DISCARD Redis checks the rights to each command, key and channel when the command
is queued, and runs none of them. So the real keys and channels can be tried on a live server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError, ResponseError

from matchkeeper.domain.realm import NO_REALM, QueueName
from matchkeeper.store import keys, scripts
from matchkeeper.store.scripts import Command, Key

_LISTED = 5
_BEHIND: dict[str, Command] = {
    **dict.fromkeys(("GET", "MGET", "DEL", "UNLINK", "EXISTS", "TYPE", "PTTL", "HGETALL"), ()),
    **dict.fromkeys(("HLEN", "ZCARD", "XLEN", "XINFO STREAM"), ()),
    **dict.fromkeys(("SET", "HGET", "HMGET", "HDEL", "ZREM", "ZSCORE", "ZMSCORE"), ("x",)),
    **dict.fromkeys(("EXPIRE", "PEXPIRE"), (1,)),
    **dict.fromkeys(("ZRANGE", "ZREMRANGEBYSCORE"), (0, 0)),
    "HSCAN": (0,),
    "HSET": ("x", "x"),
    "HINCRBY": ("x", 1),
    "ZADD": (1, "x"),
    "XADD": ("*", "x", "x"),
    "XDEL": ("0-1",),
    "XRANGE": ("-", "+"),
    "XREVRANGE": ("+", "-"),
    "XACK": (keys.GROUP, "0-1"),
    "XPENDING": (keys.GROUP,),
    "XGROUP CREATE": (keys.GROUP, "0"),
    "XCLAIM": (keys.GROUP, "x", 0, "0-1"),
}
"""Command -> what may stand behind its key."""


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
        """The name of the command, in capitals."""
        return str(self.command[0])


def trials(
    realm: str,
    queues: Sequence[QueueName],
    channels: Channels,
    waiting: Command | None,
    *,
    traced: bool,
) -> list[Trial]:
    """Everything that a server of a realm does. `waiting`: what `redis.durability` sends behind a
    write; `traced`: whether traces are on.
    """
    commands: list[Command] = [("TIME",), ("PING",), ("SCRIPT LOAD", "return 1")]
    if waiting is not None:
        commands.append(waiting)
    found = [Trial(command=command) for command in commands]
    found += [
        Trial(command=(name, channel, *rest), target=channel, kind=Kind.CHANNEL)
        for name, rest, names in (
            ("SUBSCRIBE", (), (*channels.heard, keys.marks(realm))),
            ("PUBLISH", ("x",), (*channels.told, keys.marks(realm))),
        )
        for channel in names
    ]
    found.append(Trial(command=("PUBSUB NUMSUB", channels.told[0])))
    found += _of_requests(realm)
    found += _on(keys.hearing(realm, channels.heard), "HMGET", "HSET")
    found += _on(keys.text(keys.hand_made_metadata("x", realm)), "MGET")
    found += _on(keys.pods(realm), *_of_any_type())
    for queue in queues:
        found += _of_queue(queue)
        if traced:
            found += _on(keys.text(keys.trace(queue, "x")), "SET", "MGET")
    return list(dict.fromkeys(found))


def _of_queue(queue: QueueName) -> list[Trial]:
    """What scripts do, and what is read without a script."""
    history = keys.history(queue)
    return [
        *(
            trial
            for key, command in _of_scripts()
            for trial in _on(key.example(queue, lambda _: "x"), command)
        ),
        *_on(keys.match(queue, "x"), "HGETALL"),
        *_on(keys.parties(queue.realm), "HSCAN"),
        *_on(keys.dead(queue), "XREVRANGE"),
        *_on(history, "XRANGE", "XREVRANGE"),
        *(
            trial
            for name in (keys.queue, keys.pending, keys.claimers, keys.dead)
            for trial in _on(name(queue), "EXISTS")
        ),
        Trial(command=("XREAD", "STREAMS", history, "0-0"), target=history, kind=Kind.KEY),
    ]


@cache
def _of_scripts() -> Sequence[tuple[Key, str]]:
    """Each command of a script, with each key of the script that is of its type."""
    found = {
        (key.pattern, command): (key, command)
        for script in scripts.every()
        for command in sorted(script.commands)
        for key in script.keys.values()
        if key.kind == _type_of(command)
    }
    return tuple(found.values())


def _of_any_type() -> Sequence[str]:
    """Commands of scripts that take keys of any type."""
    used = {command for script in scripts.every() for command in script.commands}
    return sorted(each for each in used - {"TIME", "PUBLISH"} if _type_of(each) == "any")


def _type_of(command: str) -> str:
    if command in ("GET", "SET", "MGET"):
        return "string"
    return {"H": "hash", "X": "stream", "Z": "zset"}.get(command[0], "any")


def _of_requests(realm: str) -> list[Trial]:
    requests = keys.requests(realm)
    commands: tuple[Command, ...] = (
        ("XGROUP CREATE", requests, keys.GROUP, "0", "MKSTREAM"),
        ("XGROUP DELCONSUMER", requests, keys.GROUP, "x"),
        ("XINFO CONSUMERS", requests, keys.GROUP),
        ("XAUTOCLAIM", requests, keys.GROUP, "x", 0, "0-0"),
        ("XREADGROUP", "GROUP", keys.GROUP, "x", "STREAMS", requests, ">"),
        ("EVALSHA", scripts.every()[0].sha, 1, requests),
    )
    return [
        *_on(requests, "XACK", "XDEL"),
        *_on(keys.heard(realm), "XDEL", "XRANGE"),
        *(Trial(command=command, target=requests, kind=Kind.KEY) for command in commands),
    ]


def _on(key: str, *commands: str) -> list[Trial]:
    return [
        Trial(command=(command, key, *_BEHIND[command]), target=key, kind=Kind.KEY)
        for command in commands
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


def grants(refusals: Sequence[Refusal], realm: str = NO_REALM) -> str:
    """The ACL rules that this user of a realm lacks, as a sentence."""
    by_kind = {
        kind: [each.name for each in refusals if each.kind is kind]
        for kind in (Kind.COMMAND, Kind.KEY, Kind.CHANNEL)
    }
    rules = [f"+{name.lower().replace(' ', '|')}" for name in by_kind[Kind.COMMAND]]
    if by_kind[Kind.KEY]:
        rules += [f"~{pattern}" for pattern in keys.patterns(realm)]
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
