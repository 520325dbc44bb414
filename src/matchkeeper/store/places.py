"""The other queues, as a script is told of them: the same player may be there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matchkeeper.domain.realm import QueueName
from matchkeeper.store.scripts import Unsent


class Other(NamedTuple):
    """The queue of another mode."""

    queue: Unsent[QueueName]
    other_mode: str


def others(queue: QueueName, queues: Sequence[QueueName]) -> list[Other]:
    """All queues but this one, each once."""
    return [Other(each, each.mode) for each in dict.fromkeys(queues) if each != queue]
