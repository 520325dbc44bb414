"""Every key that Matchkeeper uses. Those of one queue share a hash tag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..domain.realm import QueueName

CLOCK = "clock"
"""HASH: from when until when the clock of Redis is believed, and how its steps are bridged."""
PODS = "pods"
REQUESTS = "match:requests"
"""STREAM: requests that are not done yet."""
HEARING = "hearing"
"""HASH: the server that hears Pub/Sub, its epoch, and the position up to which all is done. For the
default channels; see `hearing`.
"""
HEARD_BY_DEFAULT = ("match:enqueue:request", "match:dequeue:request")
HEARD = "heard"
"""STREAM: requests that were heard on Pub/Sub and are not done yet."""
SERVERS = "servers"
"""HASH: server -> its last heartbeat, settings and name; and how many settings there were."""
MODES = "modes"
"""HASH: mode -> `drained`, `paused` or both, as an operator decided."""
GROUP = "matchkeeper"
"""The consumer group of the request streams."""
MARKS = "match:marks"
"""The channel for marks of the server that hears Pub/Sub, so that others can take over from it."""


def hearing(channels: Sequence[str]) -> str:
    """HASH: as `HEARING`, for these channels of enqueues and dequeues."""
    if tuple(channels) == HEARD_BY_DEFAULT:
        return HEARING
    return f"{HEARING}:{','.join(channels)}"


def _in(queue: QueueName) -> str:
    """The hash tag that all keys of a queue share; in a realm that of the realm, and the mode."""
    return f"{{{queue.realm}}}:{queue.mode}" if queue.realm else f"{{{queue.mode}}}"


def queue(queue: QueueName) -> str:
    """ZSET: ticket -> enqueue time."""
    return f"queue:{_in(queue)}"


QUEUES = "queue:{*}"
"""A pattern for all queues."""


def queue_of(queue_key: str) -> QueueName:
    """The inverse of `queue`; the key may be of foreign making."""
    tag, in_realm, mode = queue_key.removeprefix("queue:{").partition("}:")
    return QueueName(realm=tag, mode=mode) if in_realm else QueueName(mode=tag.removesuffix("}"))


def metadata(queue: QueueName) -> str:
    """HASH: ticket -> metadata JSON."""
    return f"metadata:{_in(queue)}"


def hand_made_metadata(ticket_id: str | bytes) -> bytes:
    """STRING: the metadata of a ticket that an operator put into a queue by hand."""
    return b"metadata:" + raw(ticket_id)


def pending(queue: QueueName) -> str:
    """ZSET: match id -> deadline of its hand-out, Unix seconds."""
    return f"pending:{_in(queue)}"


def match(queue: QueueName, match_id: str) -> str:
    """HASH: one match."""
    return f"match:{_in(queue)}:{match_id}"


def matched(queue: QueueName) -> str:
    """HASH: ticket -> match id, for those of pending matches."""
    return f"matched:{_in(queue)}"


def leaving(queue: QueueName) -> str:
    """HASH: ticket -> match id and modes: queues not to go back to if that pending match fails."""
    return f"leaving:{_in(queue)}"


def claimers(queue: QueueName) -> str:
    """HASH with TTL: pod -> matches it claimed and did not start, and until when its claims are
    refused.
    """
    return f"claimers:{_in(queue)}"


def dead(queue: QueueName) -> str:
    """STREAM: tickets that could not be read."""
    return f"dead:{_in(queue)}"


def history(queue: QueueName) -> str:
    """STREAM: what happened to players and matches lately, for people and for figures."""
    return f"history:{_in(queue)}"


def seen(queue: QueueName, fingerprint: str) -> str:
    """STRING with TTL: what came of a request."""
    return f"seen:{_in(queue)}:{fingerprint}"


def latest(player_id: str | bytes, scope: QueueName | None = None) -> bytes:
    """STRING with TTL: the latest request of a player that was done; of one queue, or any."""
    if scope is None:
        return b"latest:%b" % raw(player_id)
    return b"latest:%b:%b" % (_in(scope).encode(), raw(player_id))


def last_match(player_id: str | bytes) -> bytes:
    """STRING with TTL: last match, and when, of a player who may wait in several queues."""
    return b"latest:{}:%b" % raw(player_id)


def trace(queue: QueueName, ticket_id: str | bytes) -> bytes:
    """STRING with TTL: enqueue time and traceparent of a queued ticket, where traces are on."""
    return b"trace:%b:%b" % (_in(queue).encode(), raw(ticket_id))


def answered(queue: QueueName, token: str) -> str:
    """STRING with TTL: the reply of a script call, in case the call is sent again."""
    return f"answered:{_in(queue)}:{token}"


def settings(digest: str) -> str:
    """HASH with TTL: settings that a server worked by lately, and their number."""
    return f"settings:{digest}"


def alert(name: str, part: str) -> str:
    """STRING with TTL: `sent`, `open` or `resolved` of an alert."""
    return f"alert:{{{name}}}:{part}"


TYPES: Mapping[object, str] = {
    **dict.fromkeys((queue, pending, PODS), "zset"),
    **dict.fromkeys((metadata, match, matched, leaving, claimers, settings), "hash"),
    **dict.fromkeys((SERVERS, MODES, CLOCK), "hash"),
    **dict.fromkeys((hand_made_metadata, seen, latest, last_match, answered, alert), "string"),
    **dict.fromkeys((dead, history, REQUESTS, HEARD), "stream"),
}
"""The types, as Redis names them, of keys that scripts use."""

PROBE = alert("redis_unavailable", "probe")
"""STRING with TTL: written to see whether Redis takes writes."""

PATTERNS = (
    QUEUES,
    "metadata:*",
    "pending:{*}",
    "match:*",
    "matched:{*}",
    "leaving:{*}",
    "claimers:{*}",
    "dead:{*}",
    "history:{*}",
    "seen:{*}:*",
    "latest:*",
    "answered:{*}:*",
    "trace:{*}:*",
    "alert:{*}:*",
    "settings:*",
    CLOCK,
    PODS,
    HEARING,
    f"{HEARING}:*",
    HEARD,
    SERVERS,
    MODES,
)
"""All of the above, as patterns for an ACL."""


def raw(text: str | bytes) -> bytes:
    """An id as its bytes in Redis, even where those are no UTF-8."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def text(value: bytes) -> str:
    """The inverse of `raw`."""
    return value.decode("utf-8", "surrogateescape")
