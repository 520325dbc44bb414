"""The keys that a script needs beyond those of its own queue: the same player may be elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matchkeeper.store import keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """All queues of this deployment, seen from one of them."""

    tag: str
    tags: tuple[str, ...]
    """Of every mode, this one among them."""

    @property
    def others(self) -> tuple[str, ...]:
        """The tags of the other modes."""
        return tuple(tag for tag in self.tags if tag != self.tag)

    def searched(self, first: int) -> tuple[list[str], list[tuple[str, int, int]]]:
        """Keys to append from index `first` on (1-based), and (tag, matched, queue) indices."""
        names = [keys.matched(self.tag)]
        table = [(self.tag, first, 0)]
        for tag in self.others:
            table.append((tag, first + len(names), first + len(names) + 1))
            names += [keys.matched(tag), keys.queue(tag)]
        return names, table

    def left(self, first: int) -> tuple[list[str], list[tuple[str, int, int, int]]]:
        """As `searched`, with the metadata key of each other queue as a fourth element."""
        names = [keys.matched(self.tag)]
        table = [(self.tag, first, 0, 0)]
        for tag in self.others:
            at = first + len(names)
            table.append((tag, at, at + 1, at + 2))
            names += [keys.matched(tag), keys.queue(tag), keys.metadata(tag)]
        return names, table


def places(tag: str, tags: Sequence[str]) -> Places:
    """`tags` may or may not hold `tag` itself."""
    return Places(tag=tag, tags=tuple(dict.fromkeys((tag, *tags))))
