"""Which queue is meant. All keys of a queue are made of its name, in `store/keys.py`."""

from __future__ import annotations

import msgspec


class QueueName(msgspec.Struct, frozen=True, order=True, kw_only=True, gc=False):
    """The name of a queue. It is compared here and nowhere else: `Normal` and `NORMAL` are one."""

    mode: str
    """In lower case, as scripts, servers and operators write it: `Normal` is `queue:{normal}`."""

    @staticmethod
    def of(game_mode: str) -> QueueName:
        """The queue of a mode, in whichever case its name is written."""
        return QueueName(mode=game_mode.lower())
