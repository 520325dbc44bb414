"""Where players are, and what they were told last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from matchkeeper.domain.realm import NO_REALM, QueueName
from matchkeeper.store import keys
from matchkeeper.store.connection import Connection
from matchkeeper.store.scripts import Unsent, each, script
from matchkeeper.store.stream import Entry, as_named
from matchkeeper.wire.answers import MOST_NAMED
from matchkeeper.wire.status import State

_MOST_KEYS = 50_000
"""Of one call. Where players may wait in several queues, each player has a key in each of them."""


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """A player, and the pod that is told where the player is."""

    player_id: str
    pod_id: str
    """Empty: nobody is told."""
    token: str = ""
    entry: Entry | None = None
    """The place of the question in a stream."""


class Found(NamedTuple):
    """Where a player is."""

    state: State
    detail: str
    """Waiting: mode, line break, and the party, if any; pending: mode and match id."""
    channel: str
    """Of the pod; empty: there was nothing to tell it."""
    payload: bytes
    """What the caller is to publish there; empty: nothing."""


class Place(NamedTuple):
    """A queue in which players may be."""

    queue: Unsent[QueueName]
    queue_mode: str


class Asker(NamedTuple):
    """A player who may have been queued, by the parts of the key that says so."""

    player_id: Unsent[str]
    scope: Unsent[QueueName]


def _found(reply: Sequence[bytes]) -> list[Found]:
    parts = zip(reply[::4], reply[1::4], reply[2::4], reply[3::4], strict=True)
    return [
        Found(State(state.decode()), keys.text(detail), keys.text(channel), payload)
        for state, detail, channel, payload in parts
    ]


@script(
    _found,
    *(keys.parties, keys.news),
    each("queues", queue_key=keys.queue, matched_key=keys.matched),
    each("latest", latest_key=keys.latest),
    requests=as_named,
)
def status(
    *,
    realm: Unsent[str],
    stream: Unsent[str],
    packed: Mapping[str, object],
    queues: Sequence[Place],
    latest: Sequence[Asker],
) -> None:
    """Where each player is.

    `packed`: `players`, `pods` to tell and `tokens` to repeat; `channel` of the answers, in two
    parts between which the pod stands; `names`, mode -> its name; `durable`, whether the caller
    publishes; `news_ms`, how long news is kept; `group` and `entries` as in `enqueue`.
    `asked_again`: they are told as news, not as a status; then `asked` has player -> mode that was
    asked for, and matches of more than `most_named` players name none. `latest`: for each player
    `scopes` keys.
    """


class Statuses:
    """Where players of a realm are. Methods raise StoreError."""

    def __init__(
        self,
        connection: Connection,
        *,
        names: Mapping[QueueName, str],
        several_queues: bool = False,
        channel: Sequence[str],
        realm: str = NO_REALM,
    ) -> None:
        """`names`: queue -> name of its mode. `channel`: of the answers, in two parts, between
        which the pod stands.
        """
        self._connection = connection
        self._names = dict(names)
        self._several = several_queues
        self._channel = tuple(channel)
        self._realm = realm

    def in_parts(self, sought: Sequence[Sought]) -> Iterator[Sequence[Sought]]:
        """The questions of one call each, so that no call keeps Redis busy for long."""
        scopes = len(self._names) if self._several else 1
        most = max(1, _MOST_KEYS // scopes)
        for first in range(0, len(sought), most):
            yield sought[first : first + most]

    async def tell(self, sought: Sequence[Sought], *, elsewhere: Iterable[str] = ()) -> list[Found]:
        """Tells pods where players are. In the same step the questions leave their stream, which
        is the same for all. `elsewhere`: modes that only other servers have.
        """
        return await self._found(sought, elsewhere, {})

    async def tell_again(
        self, sought: Sequence[Sought], *, queue: QueueName, elsewhere: Iterable[str] = ()
    ) -> list[Found]:
        """Tells players who asked for this queue again what they were told last, or that they
        wait. Of those who are somewhere else, or unknown, nobody is told.
        """
        asked = {each.player_id: queue.mode for each in sought}
        more = {"asked_again": True, "asked": asked, "most_named": MOST_NAMED}
        return await self._found(sought, elsewhere, more)

    async def _found(
        self, sought: Sequence[Sought], elsewhere: Iterable[str], more: Mapping[str, Any]
    ) -> list[Found]:
        queues = [*self._names, *(QueueName(realm=self._realm, mode=each) for each in elsewhere)]
        scopes = queues if self._several else [QueueName(realm=self._realm, mode="")]
        entries = [each.entry for each in sought if each.entry]
        call = status(
            realm=self._realm,
            stream=entries[0].stream if entries else keys.requests(self._realm),
            packed={
                "players": [each.player_id for each in sought],
                "pods": [each.pod_id for each in sought],
                "tokens": [each.token for each in sought],
                "channel": self._channel,
                "names": {queue.mode: name for queue, name in self._names.items()},
                "durable": self._connection.options.durability.command is not None,
                "news_ms": self._connection.news_ms,
                "scopes": len(scopes),
                "group": entries[0].group if entries else "",
                "entries": [each.entry_id for each in entries],
                "asked": {},
                **more,
            },
            queues=[Place(queue, queue.mode) for queue in queues],
            latest=[Asker(each.player_id, scope) for each in sought for scope in scopes],
        )
        return await self._connection.script(call, durable=True)
