"""Which queue is meant. All keys of a queue are made of its name, in `store/keys.py`."""

from __future__ import annotations

from functools import lru_cache

import msgspec


def folded(game_mode: str) -> str:
    """A mode's name as it is compared and stored in Redis: `Normal` and `NORMAL` are the same."""
    return game_mode.lower()


class QueueName(msgspec.Struct, frozen=True, order=True, kw_only=True, gc=False, cache_hash=True):
    """Names one queue: all that its keys are made of."""

    mode: str
    """As `folded`: `Normal` is `queue:{normal}`."""

    @staticmethod
    @lru_cache(1024)
    def of(game_mode: str) -> QueueName:
        """The queue of a mode, however the name is written."""
        return QueueName(mode=folded(game_mode))
