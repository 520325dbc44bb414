"""Which of the keys of many modes exist, in few commands: a mode where nothing waits costs none."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence

from redis.asyncio import Redis

from matchkeeper.store.connection import Connection


class Present:
    """Tells for which tags one of some keys exists. Redis drops a queue with its last entry."""

    def __init__(
        self, connection: Connection, *keys_of: Callable[[str], str], tags: Sequence[str]
    ) -> None:
        self._connection = connection
        self._tags = {key_of(tag): tag for key_of in keys_of for tag in tags}
        self._there: frozenset[str] = frozenset()
        self._looked_at = -math.inf
        self._looking = asyncio.Lock()

    async def look(self) -> set[str]:
        """The tags, as they are after this call. Who asks while others look shares the next look;
        where it fails, one is told, and the others get what was known before. Raises StoreError.
        """
        clock = asyncio.get_running_loop().time
        asked_at = clock()
        async with self._looking:
            if self._looked_at <= asked_at:
                self._looked_at = clock()
                self._there = await self._connection.run("look at keys", self._look)
        return {self._tags[name] for name in self._there}

    async def _look(self, redis: Redis) -> frozenset[str]:
        found: set[str] = set()
        groups = [sorted(self._there), [name for name in self._tags if name not in self._there]]
        while groups := [group for group in groups if group]:
            async with redis.pipeline(transaction=False) as pipe:
                for group in groups:
                    pipe.exists(*group)
                counts = await pipe.execute()
            unsure: list[list[str]] = []
            for group, count in zip(groups, counts, strict=True):
                if count == len(group):
                    found.update(group)
                elif count:
                    unsure += _parts(group)
            groups = unsure
        return frozenset(found)


def _parts(group: list[str]) -> list[list[str]]:
    """Two looks find a few among a thousand."""
    size = max(1, math.isqrt(len(group)))
    return [group[first : first + size] for first in range(0, len(group), size)]
