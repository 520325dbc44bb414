"""Which keys of many modes exist, asked in few commands: a mode where nothing waits costs none."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from redis.asyncio import Redis

from matchkeeper.domain.realm import QueueName
from matchkeeper.store.connection import Connection


class Present:
    """Tells for which queues at least one of some keys exists. Redis drops a queue with its last
    entry.
    """

    def __init__(
        self,
        connection: Connection,
        *keys_of: Callable[[QueueName], str],
        queues: Sequence[QueueName],
        others_every: timedelta = timedelta(0),
    ) -> None:
        """`others_every`: how often to look at queues without a key or a call of `written`."""
        self._connection = connection
        self._keys_of = keys_of
        self._queues = {key_of(queue): queue for key_of in keys_of for queue in queues}
        self._others_every_seconds = others_every.total_seconds()
        self._others_at = -math.inf
        self._written: set[QueueName] = set()
        self._there: frozenset[str] = frozenset()
        self._looked_at = -math.inf
        self._looking = asyncio.Lock()

    def written(self, queue: QueueName) -> None:
        """This server has put something there."""
        self._written.add(queue)

    async def look(self) -> set[QueueName]:
        """The queues with a key, seen after this call began. A caller who comes while others look
        shares the next look. Where it fails, one caller is told, and the others get what was known
        before. Raises StoreError.
        """
        clock = asyncio.get_running_loop().time
        asked_at = clock()
        async with self._looking:
            if self._looked_at <= asked_at:
                self._looked_at = clock()
                await self._look_again()
        return {self._queues[name] for name in self._there}

    async def _look_again(self) -> None:
        written, self._written = self._written, set()
        others_at, self._others_at = self._others_at, -math.inf  # due at once, if this look fails
        if self._looked_at - others_at >= self._others_every_seconds:
            names, others_at = list(self._queues), self._looked_at
        else:
            queues = sorted(written | {self._queues[name] for name in self._there})
            names = [key_of(queue) for queue in queues for key_of in self._keys_of]
        if names:
            look = partial(self._look, names)
            self._there = await self._connection.run("look at keys", look)
        self._others_at = others_at

    async def _look(self, names: Sequence[str], redis: Redis) -> frozenset[str]:
        found: set[str] = set()
        groups = [sorted(self._there), [name for name in names if name not in self._there]]
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
    """Parts of the group, so that two looks find a few keys among a thousand."""
    size = max(1, math.isqrt(len(group)))
    return [group[first : first + size] for first in range(0, len(group), size)]
