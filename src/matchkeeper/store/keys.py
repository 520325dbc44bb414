"""Every key that Matchkeeper uses. Those of one queue share a hash tag, and in a realm those of all
its queues and its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..domain.realm import NO_REALM, QueueName, in_realm

GROUP = "matchkeeper"
"""The consumer group of the request streams."""
HEARD_BY_DEFAULT = ("match:enqueue:request", "match:dequeue:request", "match:handoff:request")


# What a whole realm has once.


def version(realm: str = NO_REALM) -> str:
    """HASH: in which form the state stands, and which version of Matchkeeper wrote that down."""
    return in_realm("version", realm)


def requests(realm: str = NO_REALM) -> str:
    """STREAM: requests that are not done yet."""
    return in_realm("match:requests", realm)


def heard(realm: str = NO_REALM) -> str:
    """STREAM: requests that were heard on Pub/Sub and are not done yet."""
    return in_realm("heard", realm)


def hearing(realm: str = NO_REALM, channels: Sequence[str] = ()) -> str:
    """HASH: the server that hears these channels of requests (none: those that servers
    of the realm hear by default), its epoch, and the position up to which all is done.
    """
    key = in_realm("hearing", realm)
    default = tuple(in_realm(name, realm) for name in HEARD_BY_DEFAULT)
    return key if tuple(channels) in ((), default) else f"{key}:{','.join(channels)}"


def marks(realm: str = NO_REALM) -> str:
    """The channel for marks of the server that hears Pub/Sub, so that others can take over."""
    return in_realm("match:marks", realm)


def clock(realm: str = NO_REALM) -> str:
    """HASH: from when until when the clock of Redis is believed, and how its steps are bridged."""
    return in_realm("clock", realm)


def pods(realm: str = NO_REALM) -> str:
    """ZSET: pod -> its last heartbeat."""
    return in_realm("pods", realm)


def parties(realm: str = NO_REALM) -> str:
    """HASH: player -> mode and party, of parties that wait or are in a pending match."""
    return in_realm("parties", realm)


def news(realm: str = NO_REALM) -> str:
    """HASH with TTL: in which of `news:0` to `news:4` news is kept now, and until when. Those are
    HASHes with TTL, of its name and a number: player -> what the player was told last.
    """
    return in_realm("news", realm)


def servers(realm: str = NO_REALM) -> str:
    """HASH: server -> its last heartbeat, settings and name; and how many settings there were."""
    return in_realm("servers", realm)


def modes(realm: str = NO_REALM) -> str:
    """HASH: mode -> `drained`, `paused` or both, as an operator decided."""
    return in_realm("modes", realm)


def settings(digest: str, realm: str = NO_REALM) -> str:
    """HASH with TTL: settings that a server worked by lately, and their number."""
    return f"{in_realm('settings', realm)}:{digest}"


def alert(name: str, realm: str, part: str) -> str:
    """STRING with TTL: `sent`, `open` or `resolved` of an alert."""
    return f"alert:{{{realm}}}:{name}:{part}" if realm else f"alert:{{{name}}}:{part}"


def probe(realm: str = NO_REALM) -> str:
    """STRING with TTL: written to see whether Redis takes writes."""
    return alert("redis_unavailable", realm, "probe")


# What each queue has.


def _in(queue: QueueName) -> str:
    """The hash tag that all keys of a queue share; in a realm that of the realm, and the mode."""
    return f"{{{queue.realm}}}:{queue.mode}" if queue.realm else f"{{{queue.mode}}}"


_ANY_QUEUE = QueueName(mode="")


def queue(queue: QueueName) -> str:
    """ZSET: ticket -> enqueue time."""
    return f"queue:{_in(queue)}"


def queues(realm: str = NO_REALM) -> str:
    """A pattern for all queues of a realm. Keys of foreign making may be like it, too."""
    return f"queue:{{{realm}}}:*" if realm else "queue:{*}"


def queue_of(queue_key: str) -> QueueName:
    """The inverse of `queue`; the key may be of foreign making."""
    tag, has_realm, mode = queue_key.removeprefix("queue:{").partition("}:")
    return QueueName(realm=tag, mode=mode) if has_realm else QueueName(mode=tag.removesuffix("}"))


def metadata(queue: QueueName) -> str:
    """HASH: ticket -> metadata JSON."""
    return f"metadata:{_in(queue)}"


def hand_made_metadata(ticket_id: str | bytes, realm: str = NO_REALM) -> bytes:
    """STRING: the metadata of a ticket that an operator put into a queue by hand."""
    tag = b"{%b}::" % realm.encode() if realm else b""
    return b"metadata:%b%b" % (tag, raw(ticket_id))


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


def latest(player_id: str | bytes, scope: QueueName = _ANY_QUEUE) -> bytes:
    """STRING with TTL: the latest request of a player that was done; of one queue or, where `scope`
    has no mode, of any of the realm.
    """
    tag = _in(scope) if scope.realm or scope.mode else ""
    return b"latest:%b:%b" % (tag.encode(), raw(player_id))


def last_match(player_id: str | bytes, realm: str = NO_REALM) -> bytes:
    """STRING with TTL: last match, and when, of a player who may wait in several queues."""
    tag = b"{%b}:{}" % realm.encode() if realm else b"{}"
    return b"latest:%b:%b" % (tag, raw(player_id))


def trace(queue: QueueName, ticket_id: str | bytes) -> bytes:
    """STRING with TTL: enqueue time and traceparent of a queued ticket, where traces are on."""
    return b"trace:%b:%b" % (_in(queue).encode(), raw(ticket_id))


def answered(queue: QueueName, token: str) -> str:
    """STRING with TTL: the reply of a script call, in case the call is sent again."""
    return f"answered:{_in(queue)}:{token}"


TYPES: Mapping[object, str] = {
    **dict.fromkeys((queue, pending, pods), "zset"),
    **dict.fromkeys((metadata, match, matched, leaving, claimers), "hash"),
    **dict.fromkeys((parties, news, settings, servers, modes, clock, version), "hash"),
    **dict.fromkeys((hand_made_metadata, seen, latest, last_match, answered, alert), "string"),
    **dict.fromkeys((dead, history, requests, heard), "stream"),
}
"""The types, as Redis names them, of keys that scripts use."""

_WITHOUT_REALM = (
    *("queue:{*}", "metadata:*", "pending:{*}", "match:*", "matched:{*}", "leaving:{*}"),
    *("claimers:{*}", "dead:{*}", "history:{*}", "seen:{*}:*", "latest:*", "answered:{*}:*"),
    *("trace:{*}:*", "alert:{*}:*", "settings:*", "hearing:*"),
    "news:*",
)


def patterns(realm: str = NO_REALM) -> Sequence[str]:
    """All keys of a realm, as patterns for an ACL."""
    whole = [
        make(realm)
        for make in (clock, pods, hearing, heard, servers, modes, parties, news, version)
    ]
    if not realm:
        return [*_WITHOUT_REALM, *whole]
    words = [each.partition(":")[0] for each in _WITHOUT_REALM]
    return [*(f"{word}:{{{realm}}}:*" for word in words), *whole, requests(realm)]


def raw(text: str | bytes) -> bytes:
    """An id as its bytes in Redis, even where those are no UTF-8."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def text(value: bytes) -> str:
    """The inverse of `raw`."""
    return value.decode("utf-8", "surrogateescape")
