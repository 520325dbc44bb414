"""What is well, what is doubtful and what is wrong with a Redis, decided from facts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from matchkeeper.store.durability import Durability, DurabilityKind
from matchkeeper.store.facts import RedisFacts

_OLDEST = (7, 0)
_WAITAOF = (7, 2)
_CLOCK_SECONDS = 2.0


class Verdict(StrEnum):
    """How a check ended."""

    GOOD = "good"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check. `mend` says what to do, where something is to be done."""

    check: str
    verdict: Verdict
    found: str
    mend: str = ""
    fatal: bool = False
    """The server does not start with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A known critical hole: for each line (major, minor), the first version without it."""

    name: str
    mended: dict[str, dict[tuple[int, int], tuple[int, int, int]]]
    """Lines that are not listed and older than the newest listed one have it, newer ones not."""


# From the advisories of the two projects.
HOLES = (
    Hole(
        name="CVE-2025-49844 (a script can run code on the server)",
        mended={
            "redis": {
                (6, 2): (6, 2, 20),
                (7, 2): (7, 2, 11),
                (7, 4): (7, 4, 6),
                (8, 0): (8, 0, 4),
                (8, 2): (8, 2, 2),
            },
            "valkey": {(7, 2): (7, 2, 11), (8, 0): (8, 0, 6), (8, 1): (8, 1, 4)},
        },
    ),
    Hole(
        name="CVE-2024-46981 (a script can run code on the server)",
        mended={
            "redis": {(6, 2): (6, 2, 17), (7, 2): (7, 2, 7), (7, 4): (7, 4, 2)},
            "valkey": {(7, 2): (7, 2, 8), (8, 0): (8, 0, 2)},
        },
    ),
)


def holes_in(kind: str, version: tuple[int, ...]) -> list[str]:
    """Names of the known critical holes of a server version."""
    found = []
    for hole in HOLES:
        lines = hole.mended.get(kind, {})
        major, minor = (*version, 0, 0)[:2]
        mended = lines.get((major, minor))
        if mended is None:
            vulnerable = bool(lines) and version[:2] < max(lines)
        else:
            vulnerable = version < mended
        if vulnerable:
            found.append(hole.name)
    return found


def examine(facts: RedisFacts, durability: Durability) -> list[Finding]:
    """All checks."""
    checks: Sequence[Callable[[RedisFacts, Durability], Finding]] = (
        _version,
        _security,
        _cluster,
        _role,
        _durability,
        _memory,
        _scripts,
        _rights,
        _clock,
        _types,
        _unknown_queues,
        _game_servers,
    )
    return [check(facts, durability) for check in checks]


def _good(check: str, found: str) -> Finding:
    return Finding(check=check, verdict=Verdict.GOOD, found=found)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def _version(facts: RedisFacts, _: Durability) -> Finding:
    found = f"{facts.kind} {_dotted(facts.version)}"
    if facts.version[:2] < _OLDEST:
        return Finding(
            check="version",
            verdict=Verdict.WRONG,
            found=found,
            mend="Matchkeeper needs Redis 7.0 or newer, or any Valkey.",
            fatal=True,
        )
    return _good("version", found)


def _security(facts: RedisFacts, _: Durability) -> Finding:
    holes = holes_in(facts.kind, facts.version)
    if not holes:
        return _good("known holes", "none known to us")
    return Finding(
        check="known holes",
        verdict=Verdict.WARNING,
        found=f"{facts.kind} {_dotted(facts.version)} has {', '.join(holes)}",
        mend="Upgrade, unless your distribution has mended this version.",
    )


def _cluster(facts: RedisFacts, _: Durability) -> Finding:
    if not facts.cluster:
        return _good("cluster", "off")
    return Finding(
        check="cluster",
        verdict=Verdict.WRONG,
        found="Redis Cluster",
        mend="Use one primary, with replicas; one player in two modes is checked in one script.",
        fatal=True,
    )


def _role(facts: RedisFacts, _: Durability) -> Finding:
    if facts.role == "master":
        return _good("role", f"primary with {facts.replicas} replica(s)")
    return Finding(
        check="role",
        verdict=Verdict.WRONG,
        found="a read-only replica",
        mend="Point redis.url to the primary.",
    )


def _durability(facts: RedisFacts, durability: Durability) -> Finding:
    by_kind = {
        DurabilityKind.FSYNC: _fsync,
        DurabilityKind.REPLICAS: _replicas,
        DurabilityKind.NONE: _in_memory,
    }
    return by_kind[durability.kind](facts, durability)


def _fsync(facts: RedisFacts, _: Durability) -> Finding:
    if facts.kind == "redis" and facts.version[:2] < _WAITAOF:
        found = "no WAITAOF"
        mend = "WAITAOF came with Redis 7.2 and Valkey. Upgrade, or set another redis.durability."
    elif facts.appendonly is False:
        found = "appendonly no"
        mend = "Set appendonly yes in Redis, or another redis.durability."
    else:
        return _good("durability", "fsync: answers wait for the disk")
    return Finding(check="durability", verdict=Verdict.WRONG, found=found, mend=mend, fatal=True)


def _replicas(facts: RedisFacts, durability: Durability) -> Finding:
    found = f"{facts.replicas} of {durability.replicas} replica(s) connected"
    if facts.replicas >= durability.replicas:
        return _good("durability", found)
    return Finding(
        check="durability",
        verdict=Verdict.WRONG,
        found=found,
        mend="Connect the replicas, or lower N in redis.durability = replicas:N.",
    )


def _in_memory(facts: RedisFacts, _: Durability) -> Finding:
    if facts.appendonly is False:
        return Finding(
            check="durability",
            verdict=Verdict.WARNING,
            found="appendonly no: a crash of Redis loses every queue",
            mend="Set appendonly yes in Redis.",
        )
    found = f"none: a crash of Redis loses what is not flushed (appendfsync {facts.appendfsync})"
    return _good("durability", found)


def _memory(facts: RedisFacts, _: Durability) -> Finding:
    policy = facts.maxmemory_policy
    if policy is None:
        return Finding(
            check="memory",
            verdict=Verdict.WARNING,
            found="this Redis does not tell its maxmemory-policy",
            mend="Make sure that it is noeviction.",
        )
    if policy == "noeviction" or not facts.maxmemory_bytes:
        return _good("memory", f"maxmemory {facts.maxmemory_bytes or 'unlimited'}, {policy}")
    return Finding(
        check="memory",
        verdict=Verdict.WRONG,
        found=f"maxmemory-policy {policy}: Redis may delete players",
        mend="Set maxmemory-policy noeviction.",
    )


def _listed(check: str, wrong: Sequence[str], good: str, mend: str, verdict: Verdict) -> Finding:
    if not wrong:
        return _good(check, good)
    return Finding(check=check, verdict=verdict, found="; ".join(wrong), mend=mend)


def _scripts(facts: RedisFacts, _: Durability) -> Finding:
    mend = "Allow SCRIPT LOAD and EVALSHA to this user (ACL)."
    return _listed("scripts", facts.refused_scripts, "all load", mend, Verdict.WRONG)


def _rights(facts: RedisFacts, _: Durability) -> Finding:
    mend = "Give this user the right (ACL SETUSER … +command ~key pattern)."
    return _listed("rights", facts.refused_commands, "sufficient", mend, Verdict.WRONG)


def _clock(facts: RedisFacts, _: Durability) -> Finding:
    ahead = facts.clock_ahead_seconds
    found = f"Redis is {abs(ahead):.1f} s {'ahead' if ahead > 0 else 'behind'}"
    if abs(ahead) <= _CLOCK_SECONDS:
        return _good("clock", found)
    return Finding(
        check="clock",
        verdict=Verdict.WARNING,
        found=found,
        mend="Waits are measured by the clock of Redis alone; but keep both in time (NTP).",
    )


def _types(facts: RedisFacts, _: Durability) -> Finding:
    mend = "Something else uses our keys: move it to another database, or rename these keys."
    return _listed("key types", facts.wrong_types, "as expected", mend, Verdict.WRONG)


def _unknown_queues(facts: RedisFacts, _: Durability) -> Finding:
    mend = "Configure these modes again, or delete their keys."
    return _listed("unknown queues", facts.unknown_queues, "none", mend, Verdict.WARNING)


def _game_servers(facts: RedisFacts, _: Durability) -> Finding:
    if facts.subscribers:
        return _good("game servers", f"{facts.subscribers} listen(s) for battle requests")
    return Finding(
        check="game servers",
        verdict=Verdict.WARNING,
        found="nobody listens for battle requests",
        mend="Start a game server; until then nobody is matched.",
    )
