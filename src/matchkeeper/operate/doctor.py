"""Decides from facts what is good, doubtful or wrong with a Redis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from matchkeeper import __version__
from matchkeeper.domain import form
from matchkeeper.domain.agreement import Peer, Shared, agreement
from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.operate.holes import holes_in
from matchkeeper.store import rights
from matchkeeper.store.durability import Durability, DurabilityKind
from matchkeeper.store.facts import ServerFacts, UseFacts
from matchkeeper.store.servers import Roster

_OLDEST = (7, 0)
_WAITAOF = (7, 2)
_CLOCK_SECONDS = 2.0
_OLD_RDB_SECONDS = 600.0


class Verdict(StrEnum):
    """How a check ended."""

    GOOD = "good"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check. `mend` says what to do, if anything."""

    check: str
    verdict: Verdict
    found: str
    mend: str = ""
    fatal: bool = False
    """The server does not start with this finding."""
    told: bool = True
    """False: Redis does not tell, or this user may not ask."""


def examine_server(facts: ServerFacts, durability: Durability) -> list[Finding]:
    """Findings on what a Redis is. Some of them keep the server from starting."""
    checks: Sequence[Callable[[ServerFacts, Durability], Finding]] = (
        _version,
        _security,
        _cluster,
        _role,
    )
    return [*(check(facts, durability) for check in checks), *examine_keeping(facts, durability)]


def examine_keeping(facts: ServerFacts, durability: Durability) -> list[Finding]:
    """Findings on whether a Redis keeps what it is given, as far as it tells."""
    return [check(facts, durability) for check in (_durability, _persistence, _memory)]


def examine_use(facts: UseFacts) -> list[Finding]:
    """Findings on what we may do with a Redis, and what it holds."""
    checks: Sequence[Callable[[UseFacts], Finding]] = (
        _scripts,
        _rights,
        _form,
        _clock,
        _types,
        _unknown_queues,
        _game_servers,
    )
    return [check(facts) for check in checks]


def examine_modes(modes: Sequence[GameMode]) -> list[Finding]:
    """Findings on the modes, with what people who chose their handoff should know."""
    findings = [_good("configuration", f"modes {', '.join(mode.name for mode in modes)}")]
    announced = [mode.name for mode in modes if mode.handoff is Handoff.PUBLISH]
    if announced:
        found = (
            f"{', '.join(announced)}: announced to all who listen, and nobody confirms the start. "
            "If the pod of the first player dies or hangs just then, the match is lost"
        )
        mend = 'Set handoff = "claim" where your game servers can claim matches (docs/wire.md).'
        findings.append(_doubtful("handoff", found, mend))
    return findings


def examine_fleet(shared: Shared, roster: Roster) -> list[Finding]:
    """Whether the running servers agree with these settings, and which modes are drained or
    paused.
    """
    me = Peer(name="", number=0, digest=shared.digest(), shared=shared)
    differences = agreement(me, roster.others).differences
    count = len(roster.others)
    good = f"{count} server(s) run with these settings" if count else "no server runs"
    mend = "Give all servers the same settings; in a rollout, wait for its end."
    held = [f"{mode} is {' and '.join(sorted(states))}" for mode, states in roster.states.items()]
    ends = "matchkeeper queue resume <mode> ends it."
    return [
        _listed("settings", differences, good, mend, Verdict.WARNING),
        _listed("held modes", sorted(held), "none", ends, Verdict.WARNING),
    ]


def examine_offers(facts: ServerFacts, modes: Sequence[GameMode], batch: int) -> list[Finding]:
    """Whether battle requests fit into the buffer that Redis keeps for each subscriber. `batch`:
    `commit_batch_size`; two such calls may be published at once.
    """
    limit = facts.subscriber_buffer_bytes
    if limit is None:
        mend = "Make sure that client-output-buffer-limit fits (docs/deploy.md)."
        return [_doubtful("offers", "this Redis does not tell its buffer for subscribers", mend)]
    largest = max(2 * max(mode.most_players, 2 * batch) * mode.max_metadata_bytes for mode in modes)
    if not limit:
        return [_good("offers", "no limit for subscribers (client-output-buffer-limit)")]
    found = f"up to {largest >> 20} MiB at once, of {limit >> 20} MiB (client-output-buffer-limit)"
    if largest <= limit:
        return [_good("offers", found)]
    mend = (
        f"Set client-output-buffer-limit pubsub {largest} {largest} 60 in Redis, or lower "
        "matchmaking.commit_batch_size or max_battle_request_bytes: a game server whose buffer is "
        "full is cut off, and hears nothing of the match."
    )
    return [_doubtful("offers", found, mend)]


def can_be_used(facts: ServerFacts) -> bool:
    """Whether to try what the server does: not on a cluster or a replica."""
    return not facts.cluster and facts.role == "master"


def _good(check: str, found: str) -> Finding:
    return Finding(check=check, verdict=Verdict.GOOD, found=found)


def _doubtful(check: str, found: str, mend: str) -> Finding:
    return Finding(check=check, verdict=Verdict.WARNING, found=found, mend=mend)


def _untold(check: str, found: str, mend: str) -> Finding:
    return Finding(check=check, verdict=Verdict.WARNING, found=found, mend=mend, told=False)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def _version(facts: ServerFacts, _: Durability) -> Finding:
    found = f"{facts.kind} {_dotted(facts.version)}"
    if not facts.version:
        return _doubtful("version", "not told", "Make sure that it is Redis 7.0 or newer.")
    if facts.kind not in ("redis", "valkey"):
        return _doubtful("version", found, "Only Redis and Valkey are tested; use one of them.")
    if facts.version[:2] < _OLDEST:
        return Finding(
            check="version",
            verdict=Verdict.WRONG,
            found=found,
            mend="Matchkeeper needs Redis 7.0 or newer, or any Valkey.",
            fatal=True,
        )
    return _good("version", found)


def _security(facts: ServerFacts, _: Durability) -> Finding:
    holes = holes_in(facts.kind, facts.version) if facts.version else []
    if not holes:
        return _good("known holes", "none known to us")
    return Finding(
        check="known holes",
        verdict=Verdict.WARNING,
        found=f"{facts.kind} {_dotted(facts.version)} has {', '.join(holes)}",
        mend="Upgrade, unless your distribution has mended this version.",
    )


def _cluster(facts: ServerFacts, _: Durability) -> Finding:
    if not facts.cluster:
        return _good("cluster", "off")
    return Finding(
        check="cluster",
        verdict=Verdict.WRONG,
        found="Redis Cluster",
        mend="Use one primary, with replicas; one player in two modes is checked in one script.",
        fatal=True,
    )


def _role(facts: ServerFacts, _: Durability) -> Finding:
    if facts.role == "master":
        count = "unknown" if facts.replicas is None else facts.replicas
        return _good("role", f"primary, replicas: {count}")
    return Finding(
        check="role",
        verdict=Verdict.WRONG,
        found="a read-only replica",
        mend="Point redis.url to the primary, and run this again.",
    )


def _durability(facts: ServerFacts, durability: Durability) -> Finding:
    by_kind = {
        DurabilityKind.FSYNC: _fsync,
        DurabilityKind.REPLICAS: _replicas,
        DurabilityKind.NONE: _in_memory,
    }
    return by_kind[durability.kind](facts, durability)


def _fsync(facts: ServerFacts, durability: Durability) -> Finding:
    wanted = durability.appendfsync
    if facts.kind == "redis" and facts.version and facts.version[:2] < _WAITAOF:
        found = "no WAITAOF"
        mend = "WAITAOF came with Redis 7.2 and Valkey. Upgrade, or set another redis.durability."
    elif facts.appendonly is False:
        found = "appendonly no"
        mend = "Set appendonly yes in Redis, or another redis.durability."
    elif facts.appendfsync not in (None, wanted):
        found = f"appendfsync {facts.appendfsync}: WAITAOF may answer before the disk has it"
        mend = f"Set appendfsync {wanted} in Redis, or another redis.durability."
    elif facts.appendfsync is None:
        mend = f"Make sure that appendonly is yes and appendfsync is {wanted}."
        return _untold("durability", "this Redis does not tell its appendfsync", mend)
    else:
        return _good("durability", "fsync: answers wait for the disk")
    return Finding(check="durability", verdict=Verdict.WRONG, found=found, mend=mend, fatal=True)


def _replicas(facts: ServerFacts, durability: Durability) -> Finding:
    if facts.replicas is None:
        mend = f"Make sure that {durability.replicas} replica(s) are connected."
        return _untold("durability", "the number of replicas is not told", mend)
    found = f"{facts.replicas} of {durability.replicas} replica(s) connected"
    if facts.replicas >= durability.replicas:
        return _good("durability", found)
    return Finding(
        check="durability",
        verdict=Verdict.WRONG,
        found=found,
        mend="Connect the replicas, or lower N in redis.durability = replicas:N.",
    )


def _in_memory(_: ServerFacts, __: Durability) -> Finding:
    return _good("durability", "none: answers do not wait for the disk")


def _persistence(facts: ServerFacts, _: Durability) -> Finding:
    check = "persistence"
    if facts.failed_writes:
        found = f"Redis could not write its {', '.join(facts.failed_writes)}"
        mend = "Look at the disk of Redis and at its log."
        return Finding(check=check, verdict=Verdict.WRONG, found=found, mend=mend)
    if facts.appendonly is None:
        mend = "Make sure that appendonly is yes."
        return _untold(check, "this Redis does not tell its persistence", mend)
    if not facts.appendonly:
        found = f"appendonly no: a crash of Redis loses {_since_rdb(facts)}"
        return _doubtful(check, found, "Set appendonly yes in Redis.")
    if facts.appendfsync == "no":
        found = "appendfsync no: a crash of the machine loses what the kernel has not written"
        return _doubtful(check, found, "Set appendfsync everysec in Redis.")
    return _good(check, f"append-only file, appendfsync {facts.appendfsync or 'unknown'}")


def _since_rdb(facts: ServerFacts) -> str:
    lost = "what came since its last RDB or start"
    age = facts.rdb_age_seconds or 0.0
    if not facts.rdb_changes or age < _OLD_RDB_SECONDS:
        return lost
    return f"{lost}: {facts.rdb_changes} changes in {age / 60:.0f} minutes"


def _memory(facts: ServerFacts, _: Durability) -> Finding:
    policy = facts.maxmemory_policy
    if policy is None:
        found = "this Redis does not tell its maxmemory-policy"
        return _untold("memory", found, "Make sure that it is noeviction.")
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


def _scripts(facts: UseFacts) -> Finding:
    mend = "Allow SCRIPT LOAD and EVALSHA to this user (ACL)."
    return _listed("scripts", facts.refused_scripts, "all load", mend, Verdict.WRONG)


def _rights(facts: UseFacts) -> Finding:
    wrong = [str(each) for each in facts.refusals]
    mend = rights.grants(facts.refusals, facts.realm)
    return _listed("rights", wrong, "sufficient", mend, Verdict.WRONG)


def _form(facts: UseFacts) -> Finding:
    if facts.stamp is None:
        return _doubtful("form", "this user may not ask", "Give this user its rights.")
    if why := form.unfit(facts.stamp, __version__):
        return Finding(check="form", verdict=Verdict.WRONG, found=why.found, mend=why.mend)
    return _good("form", str(facts.stamp) if facts.stamp.form else "nothing stands there yet")


def _clock(facts: UseFacts) -> Finding:
    ahead = facts.clock_ahead_seconds
    if ahead is None:
        return _doubtful("clock", "not told", "Allow TIME to this user.")
    found = f"Redis is {abs(ahead):.1f} s {'ahead' if ahead > 0 else 'behind'}"
    if abs(ahead) <= _CLOCK_SECONDS:
        return _good("clock", found)
    mend = "Waits are measured by the clock of Redis alone; but keep both in time (NTP)."
    return _doubtful("clock", found, mend)


def _types(facts: UseFacts) -> Finding:
    if facts.wrong_types is None:
        mend = "Allow TYPE to the user of this command; the server does not need it."
        return _doubtful("key types", "this user may not ask", mend)
    mend = "Something else uses our keys: move it to another database, or rename these keys."
    return _listed("key types", facts.wrong_types, "as expected", mend, Verdict.WRONG)


def _unknown_queues(facts: UseFacts) -> Finding:
    if facts.unknown_queues is None:
        mend = "Allow SCAN to the user of this command; the server does not need it."
        return _doubtful("unknown queues", "this user may not ask", mend)
    good = "none" if facts.all_keys_seen else "none seen; there are too many keys to see all"
    mend = "Configure these modes again, or delete their keys."
    return _listed("unknown queues", facts.unknown_queues, good, mend, Verdict.WARNING)


def _game_servers(facts: UseFacts) -> Finding:
    if facts.subscribers is None:
        return _doubtful("game servers", "this user may not ask", "Allow PUBSUB NUMSUB.")
    if facts.subscribers:
        return _good("game servers", f"{facts.subscribers} listen(s) for battle requests")
    mend = "Start a game server; until then nobody is matched."
    return _doubtful("game servers", "nobody listens for battle requests", mend)
