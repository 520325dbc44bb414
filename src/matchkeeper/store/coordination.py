"""What several servers and pods share beside the queues: heartbeats, alerts, listeners."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from redis.asyncio import Redis

from . import keys
from .connection import Connection
from .scripts import Script

_LONGEST_OUTAGE = timedelta(days=7)


class Coordination:
    """Small shared facts. Methods raise StoreError."""

    def __init__(self, connection: Connection, *, new_token: Callable[[], str]) -> None:
        self._connection = connection
        self._new_token = new_token

    async def heartbeat(self, pod_id: str, *, leaving: bool = False) -> None:
        """A pod lives, or leaves."""
        await self._connection.script(
            Script.HEARTBEAT,
            [keys.PODS],
            [pod_id, "bye" if leaving else "here"],
        )

    async def pods(self) -> dict[str, float]:
        """Seconds since each pod that sends heartbeats was last heard."""
        now, entries = await self._connection.script(Script.PODS, [keys.PODS])
        return {
            keys.text(pod): float(now) - float(heard)
            for pod, heard in zip(entries[::2], entries[1::2], strict=True)
        }

    async def subscribers(self, channel: str) -> int:
        """How many connections listen on a channel. A frozen process counts, too."""

        async def count(redis: Redis) -> int:
            reply = await redis.pubsub_numsub(channel)
            return int(reply[0][1])

        return await self._connection.run("count subscribers", count)

    async def may_send(self, name: str, interval: timedelta) -> bool:
        """Whether this server is the one that sends an alert in this interval."""
        reply = await self._connection.script(
            Script.ALERT_RAISE,
            [keys.alert(name, "sent"), keys.alert(name, "open")],
            [
                self._new_token(),
                int(interval.total_seconds() * 1000),
                int(_LONGEST_OUTAGE.total_seconds() * 1000),
            ],
        )
        return bool(reply)

    async def may_resolve(self, name: str) -> bool:
        """Whether this server is the one that tells the end of an outage."""
        reply = await self._connection.script(
            Script.ALERT_RESOLVE,
            [keys.alert(name, "sent"), keys.alert(name, "open"), keys.alert(name, "resolved")],
            [self._new_token(), self._connection.memory_ms],
        )
        return bool(reply)
