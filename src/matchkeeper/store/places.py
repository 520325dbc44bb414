"""The keys that a script needs beyond those of its own queue: the same player may be elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matchkeeper.domain.realm import QueueName
from matchkeeper.store import keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """All queues of this deployment, seen from one of them."""

    queue: QueueName
    queues: tuple[QueueName, ...]
    """Of every mode, this one among them."""

    @property
    def others(self) -> tuple[QueueName, ...]:
        """The queues of the other modes."""
        return tuple(queue for queue in self.queues if queue != self.queue)

    def searched(self, first: int) -> tuple[list[str], list[tuple[str, int, int]]]:
        """Keys to append from index `first` on (1-based), and (mode, matched, queue) indices."""
        names = [keys.matched(self.queue)]
        table = [(self.queue.mode, first, 0)]
        for queue in self.others:
            table.append((queue.mode, first + len(names), first + len(names) + 1))
            names += [keys.matched(queue), keys.queue(queue)]
        return names, table

    def left(self, first: int) -> tuple[list[str], list[tuple[str, int, int, int]]]:
        """As `searched`, with the metadata key of each other queue as a fourth element."""
        names = [keys.matched(self.queue)]
        table = [(self.queue.mode, first, 0, 0)]
        for queue in self.others:
            at = first + len(names)
            table.append((queue.mode, at, at + 1, at + 2))
            names += [keys.matched(queue), keys.queue(queue), keys.metadata(queue)]
        return names, table


def places(queue: QueueName, queues: Sequence[QueueName]) -> Places:
    """`queues` may or may not hold `queue` itself."""
    return Places(queue=queue, queues=tuple(dict.fromkeys((queue, *queues))))
