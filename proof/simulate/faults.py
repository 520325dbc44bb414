"""What can go wrong at one operation, and who decides that it does."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Fault(StrEnum):
    """Each is a point where the world is unkind."""

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


ERRORS: Mapping[Fault, bytes] = {
    Fault.LOADING: b"-LOADING Valkey is loading the dataset in memory\r\n",
    Fault.READONLY: b"-READONLY You can't write against a read only replica.\r\n",
    Fault.OOM: b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    Fault.BUSY: b"-BUSY Valkey is busy running a script. You can only call FUNCTION KILL.\r\n",
}
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

    def __init__(self, rng: random.Random, *, rate: float, last: int) -> None:
        self._rng = rng
        self._rate = rate
        self._last = last
        self.made: dict[int, Fault] = {}

    def at(self, operation: Operation) -> Fault | None:
        """What the dice say."""
        if operation.number > self._last or self._rng.random() >= self._rate:
            return None
        fault = self._rng.choice(choices(operation.name))
        self.made[operation.number] = fault
        return fault


def choices(name: str) -> tuple[Fault, ...]:
    """The faults that make a difference at an operation of this name."""
    return FOR_READS if name in READS else tuple(Fault)
