"""What can go wrong at one operation, and who decides that it does."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Fault(StrEnum):
    """Each is one thing that goes wrong around a process."""

    NOT_SENT = "connection reset before the command ran"
    REPLY_LOST = "ran, reply lost with the connection"
    SLOW_REPLY = "ran, reply later than the timeout"
    SLOW_APPLY = "ran later than the timeout"
    LOADING = "LOADING"
    READONLY = "READONLY"
    OOM = "OOM"
    BUSY = "BUSY"
    SCRIPTS_FLUSHED = "scripts flushed"
    KILLED_BEFORE = "process killed before the command ran"
    KILLED_AFTER = "process killed after the command ran"
    REDIS_RESTARTED = "Redis restarted, all connections lost"
    SUBSCRIBERS_DROPPED = "connections of all subscribers lost"
    DUPLICATED = "published messages arrived twice"
    REORDERED = "published messages arrived in another order"
    SECOND_SERVER = "a second server starts"
    FROZEN_BEFORE = "process frozen before the command was sent"
    FROZEN_AFTER = "process frozen after the command was sent"
    SUBSCRIBER_DROPPED = "connection of one subscriber lost"
    NOPERM = "NOPERM"
    NOAUTH = "NOAUTH"
    CLOCK_FORWARD = "Redis' clock steps an hour forward"
    CLOCK_BACK = "Redis' clock steps an hour back"


ERRORS: Mapping[Fault, bytes] = {
    Fault.LOADING: b"-LOADING Valkey is loading the dataset in memory\r\n",
    Fault.READONLY: b"-READONLY You can't write against a read only replica.\r\n",
    Fault.OOM: b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    Fault.BUSY: b"-BUSY Valkey is busy running a script. You can only call FUNCTION KILL.\r\n",
    Fault.NOPERM: b"-NOPERM User matchkeeper has no permissions to run this command\r\n",
    Fault.NOAUTH: b"-NOAUTH Authentication required.\r\n",
}
FREEZES = (Fault.FROZEN_BEFORE, Fault.FROZEN_AFTER)
KILLS = (Fault.KILLED_BEFORE, Fault.KILLED_AFTER)
STEPS: Mapping[Fault, float] = {Fault.CLOCK_FORWARD: 3600.0, Fault.CLOCK_BACK: -3600.0}
"""Seconds."""
READS = (
    "overdue", "pods", "scan", "fetch", "HGETALL", "MGET", "PING", "PUBSUB", "XLEN", "XREAD",
    "XRANGE", "XREVRANGE", "XAUTOCLAIM",
)  # fmt: skip
"""Operations that change nothing: what happens after they ran is the same as before."""
FOR_READS = (
    Fault.NOT_SENT,
    Fault.SLOW_REPLY,
    Fault.LOADING,
    Fault.KILLED_BEFORE,
    Fault.REDIS_RESTARTED,
)


class Twist(StrEnum):
    """What may make a random run harder than others."""

    FREEZES = "freezes"
    SUBSCRIBERS = "subscribers"
    RIGHTS = "rights"
    CLOCKS = "clocks"
    UNEQUAL = "unequal"
    """Two servers from the start, of which one is slow for a while."""
    PUBSUB = "pubsub"
    """Many players, and they ask by Pub/Sub, without an id."""
    SEVERAL = "several"
    """Players wait in several queues."""
    BLACK_HOLE = "black-hole"
    """A pod claims every match at once, and starts none."""
    DIFFERENT = "different"
    """Two servers with different settings."""
    PARTIES = "parties"
    """Players come together, and leave; of some requests there is a copy."""
    STATUS = "status"
    """Pods ask where their players are, now and then and when they start again."""


FAULTS_OF: Mapping[Twist, Sequence[Fault]] = {
    Twist.FREEZES: FREEZES,
    Twist.SUBSCRIBERS: (Fault.SUBSCRIBER_DROPPED,),
    Twist.RIGHTS: (Fault.NOPERM, Fault.NOAUTH),
    Twist.CLOCKS: tuple(STEPS),
}
_SHARE_OF_TWISTS = 0.5
_ALWAYS = tuple(fault for fault in Fault if not any(fault in each for each in FAULTS_OF.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One command of one process."""

    number: int
    process: str
    name: str
    """The script or the command."""


class Plan(Protocol):
    """Decides what happens at an operation."""

    def at(self, operation: Operation) -> Fault | None:
        """The fault, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exactly:
    """Faults at operations by number."""

    faults: Mapping[int, Fault] = field(default_factory=dict)

    def at(self, operation: Operation) -> Fault | None:
        """What was planned for this number."""
        return self.faults.get(operation.number)


class AtRandom:
    """A fault now and then, until the calm comes."""

    def __init__(
        self, rng: random.Random, *, rate: float, last: int, twists: Collection[Twist] = ()
    ) -> None:
        self._rng = rng
        self._rate = rate
        self._last = last
        self._more = [fault for twist in sorted(twists) for fault in FAULTS_OF.get(twist, ())]
        self.made: dict[int, Fault] = {}

    def at(self, operation: Operation) -> Fault | None:
        """What the dice say."""
        if operation.number > self._last or self._rng.random() >= self._rate:
            return None
        pool = choices(operation.name)
        if self._more and self._rng.random() < _SHARE_OF_TWISTS:
            pool = self._more
        fault = self._rng.choice(pool)
        self.made[operation.number] = fault
        return fault


def choices(name: str) -> Sequence[Fault]:
    """The faults that make a difference at an operation of this name, at any time."""
    return FOR_READS if name in READS else _ALWAYS
