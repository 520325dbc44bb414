"""What says in which form the state of a realm stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from matchkeeper.domain.form import FORM, Stamp
from matchkeeper.domain.realm import NO_REALM, QueueName
from matchkeeper.store import keys
from matchkeeper.store.connection import Connection
from matchkeeper.store.scripts import Unsent, each, script

_OF_A_STATE: Mapping[str, Callable[[QueueName], str]] = {
    "metadata": keys.metadata,
    "pending": keys.pending,
    "matched": keys.matched,
}


def stamp_of(form: bytes | None, by: bytes | None) -> Stamp:
    """A stamp as Redis has it. A form that is no number counts as unknown."""
    text = keys.text(form or b"")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    return Stamp(form=number, by=keys.text(by or b"") or ("" if form is None else "version"))


@script(
    lambda reply: stamp_of(reply[0], reply[1]),
    keys.version,
    each("queues", **_OF_A_STATE),
)
def stamp(*, realm: Unsent[str], form: int, by: str, queues: Unsent[Sequence[QueueName]]) -> None:
    """The stamp that stands now. A state of other queues than these is known to be of this form."""


class FormStore:
    """The stamp of a realm. Methods raise StoreError."""

    def __init__(
        self,
        connection: Connection,
        *,
        queues: Sequence[QueueName],
        version: str,
        realm: str = NO_REALM,
    ) -> None:
        self._connection = connection
        self._queues = tuple(queues)
        self._version = version
        self._realm = realm

    async def stamp(self, *, checked: bool = False) -> Stamp:
        """What stands now. Where nothing stands, this version stamps it. Where it is `checked`, it
        also stamps a state that says no form.
        """
        queues = () if checked else self._queues
        return await self._connection.script(
            stamp(realm=self._realm, form=FORM, by=self._version, queues=queues)
        )

    async def look(self) -> Stamp:
        """What stands now; writes nothing."""

        async def ask(redis: Redis) -> Stamp:
            held: Any = await redis.hmget(keys.version(self._realm), "form", "by")
            if held[0] is not None:
                return stamp_of(*held)
            names = [make(queue) for queue in self._queues for make in _OF_A_STATE.values()]
            async with redis.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.exists(name)
                found: list[Any] = await pipe.execute()
            there = [name for name, is_there in zip(names, found, strict=True) if is_there]
            return Stamp(form=0, by=there[0] if there else "")

        return await self._connection.run("look at the form", ask)
