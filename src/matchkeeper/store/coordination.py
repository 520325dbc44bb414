"""What several servers and pods share beside the queues: heartbeats, alerts, listeners."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from redis.asyncio import Redis

from matchkeeper.domain.realm import NO_REALM
from matchkeeper.store import keys
from matchkeeper.store.connection import Connection
from matchkeeper.store.scripts import Unsent, script
from matchkeeper.store.stream import Entry, as_named

_LONGEST_OUTAGE = timedelta(days=7)


def _since(reply: Any) -> dict[str, float]:
    now, entries = reply
    return {
        keys.text(pod): float(now) - float(heard)
        for pod, heard in zip(entries[::2], entries[1::2], strict=True)
    }


class Beat(NamedTuple):
    """A pod lives, or leaves."""

    pod_id: str
    leaving: bool


@script(int, keys.pods, keys.clock, requests=as_named)
def heartbeat(*, realm: Unsent[str], stream: Unsent[str], packed: Mapping[str, object]) -> None:
    """How many pods said that they live, or leave.

    `packed`: `pods`, and for each whether it is `leaving`; `group` and `entries` as in `enqueue`.
    """


@script(_since, keys.pods, keys.clock)
def pods(*, realm: Unsent[str]) -> None:
    """Seconds since each pod was last heard."""


_sent, _open = partial(keys.alert, part="sent"), partial(keys.alert, part="open")


@script(bool, sent=_sent, open=_open)
def alert_raise(
    *,
    realm: Unsent[str],
    name: Unsent[str],
    token: str,
    interval_ms: int,
    longest_outage_ms: int,
) -> None:
    """Whether the caller must send the alert."""


@script(bool, sent=_sent, open=_open, resolved=partial(keys.alert, part="resolved"))
def alert_resolve(*, realm: Unsent[str], name: Unsent[str], token: str, memory_ms: int) -> None:
    """Whether the caller must tell the end of an outage."""


class Coordination:
    """Small facts that a realm shares. Methods raise StoreError."""

    def __init__(
        self, connection: Connection, *, new_token: Callable[[], str], realm: str = NO_REALM
    ) -> None:
        self._connection = connection
        self._realm = realm
        self._new_token = new_token

    async def beats(self, beats: Sequence[Beat], entries: Sequence[Entry] = ()) -> None:
        """Pods live, or leave; in the same step what they sent leaves its stream."""
        packed = {
            "pods": [each.pod_id for each in beats],
            "leaving": [each.leaving for each in beats],
            "group": entries[0].group if entries else "",
            "entries": [entry.entry_id for entry in entries],
        }
        stream = entries[0].stream if entries else keys.requests(self._realm)
        await self._connection.script(heartbeat(realm=self._realm, stream=stream, packed=packed))

    async def pods(self) -> dict[str, float]:
        """Seconds since each pod that sends heartbeats was last heard."""
        return await self._connection.script(pods(realm=self._realm))

    async def subscribers(self, channel: str) -> int:
        """How many connections listen on a channel. A frozen process counts as well."""

        async def count(redis: Redis) -> int:
            reply = await redis.pubsub_numsub(channel)
            return int(reply[0][1])

        return await self._connection.run("count subscribers", count)

    async def may_send(self, name: str, interval: timedelta) -> bool:
        """Whether this server is the one that sends an alert in this interval."""
        return await self._connection.script(
            alert_raise(
                realm=self._realm,
                name=name,
                token=self._new_token(),
                interval_ms=int(interval.total_seconds() * 1000),
                longest_outage_ms=int(_LONGEST_OUTAGE.total_seconds() * 1000),
            )
        )

    async def may_resolve(self, name: str) -> bool:
        """Whether this server is the one that tells the end of an outage."""
        return await self._connection.script(
            alert_resolve(
                realm=self._realm,
                name=name,
                token=self._new_token(),
                memory_ms=self._connection.memory_ms,
            )
        )
