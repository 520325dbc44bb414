"""The kinds of faults, and the record of those that were made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CommandFault(StrEnum):
    """What can happen to one command on its way."""

    BEFORE = "command: connection reset before it is sent"
    REPLY_LOST = "command: done, its reply lost"
    REPLY_CUT = "command: done, its reply cut in the middle"
    REPLY_LATE = "command: done, its reply too late"
    SENT_LATE = "command: done when nobody waits any more"


class Kind(StrEnum):
    """What can happen to processes and connections."""

    VALKEY_KILLED = "Valkey: kill -9, back from its AOF"
    VALKEY_TORN = "Valkey: kill -9, torn tail of the AOF"
    VALKEY_REWRITING = "Valkey: kill -9 while it rewrites the AOF"
    VALKEY_DISK_FULL = "Valkey: disk full, ends, back from its AOF"
    VALKEY_PROMOTED = "Valkey: kill -9, its replica promoted"
    REPLICA_KILLED = "Valkey: kill -9 of the replica"
    SERVER_KILLED = "server: kill -9"
    POD_KILLED = "pod: kill -9"
    SERVER_STOPPED = "server: SIGTERM, another starts"
    VALKEY_FROZEN = "Valkey: SIGSTOP, SIGCONT"
    VALKEY_FORBIDS = "Valkey: scripts forbidden, allowed again"
    SERVER_FROZEN = "server: SIGSTOP, SIGCONT"
    SERVER_FORGOTTEN = "server: SIGSTOP for longer than requests are remembered, SIGCONT"
    SERVER_SLOWED = "server: nice 19 beside a busy loop"
    ROLLED_OUT = "servers: newer settings on one, later on the other"
    POD_FROZEN = "pod: SIGSTOP, SIGCONT"
    PODS_SWALLOW = "pods: claim everything, start nothing"
    VALKEY_REFUSES = "Valkey: disk full, refuses writes"
    CUT = "network: all connections closed"
    RESET = "network: all connections reset"
    LISTENERS_CUT = "network: all listeners reset"
    LISTENER_CUT = "network: one listener reset"
    DELAYED = "network: everything delayed"
    BLACK_HOLE = "network: black hole, then all arrives"
    BLACK_HOLE_RESET = "network: black hole, then resets"
    REFUSED = "network: no new connections"


CRASHES = frozenset(
    {
        Kind.VALKEY_KILLED,
        Kind.VALKEY_TORN,
        Kind.VALKEY_REWRITING,
        Kind.VALKEY_DISK_FULL,
        Kind.VALKEY_PROMOTED,
        Kind.REPLICA_KILLED,
        Kind.SERVER_KILLED,
        Kind.POD_KILLED,
    }
)
"""A process died without warning, and was started again: a crash cycle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """One fault that was made."""

    kind: Kind
    at: float
    back_at: float
    """When everything it took away was there again."""
    in_flight: int = 0
    """Commands that were sent and not answered when it fell."""
    then_calm: bool = False
    """No other fault follows before a match is started: so this fault explains the recovery."""
