"""Looks at Redis again and again, and believes only what cannot be lost any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crowd.history import State
from proof.chaos.wire import Client, WireError
from proof.look import SCRIPT, read


class Looker:
    """Each look tells only those started matches that are new."""

    def __init__(self, tags: Sequence[str], *, realm: str, replicas: int) -> None:
        self._realm = realm
        self._tags = tuple(tags)
        self._replicas = replicas
        self._started: set[str] = set()
        self.requests = 0
        """How many waited in the streams at the last look."""

    async def look(self, port: int) -> State | None:
        """What stands there and can be relied on; None where nothing can be relied on now."""
        client = Client(port)
        try:
            text, _, reached = await client.call(
                ("EVAL", SCRIPT, 0, self._realm, *self._tags),
                # Behind a write, so that it waits for all that was seen.
                ("SET", "chaos:looked", "1"),
                ("WAIT", self._replicas, 500),
            )
        except WireError:
            return None
        finally:
            client.close()
        if reached < self._replicas:
            return None
        seen = read(text, self._tags)
        self.requests = seen.requests
        started = {
            match: who for match, who in seen.state.started.items() if match not in self._started
        }
        self._started.update(started)
        return replace(seen.state, started=started)
