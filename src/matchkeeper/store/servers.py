"""The servers of one realm: which live, their settings, and what operators decided for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import msgspec
from redis.asyncio import Redis

from matchkeeper.domain.agreement import ModeState, Peer, Shared
from matchkeeper.domain.realm import NO_REALM, QueueName
from matchkeeper.store import keys
from matchkeeper.store.connection import Connection
from matchkeeper.store.scripts import Unsent, script

_SILENT = timedelta(seconds=10)
_REMEMBERED = timedelta(days=1)

States = Mapping[str, frozenset[ModeState]]
"""The states of each mode, by its `folded` name. A mode without a state is not in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """The other servers, and the states of modes. A server with unreadable settings is left out."""

    others: tuple[Peer, ...]
    states: States = field(default_factory=dict)


@script(
    tuple[int, Sequence[bytes], Sequence[bytes]],
    *(keys.settings, keys.servers, keys.modes, keys.clock),
)
def beat(
    *,
    realm: Unsent[str],
    server: str,
    digest: str,
    text: str,
    silent_seconds: float,
    kept_seconds: int,
) -> None:
    """The number of these settings (0: their text is wanted); name, digest and number of each
    server that lives; the states of each mode.

    `digest`: empty where the server leaves. `text`: the settings; empty where they were sent
    before.
    """


@script(bytes, keys.modes)
def mode_state(*, realm: Unsent[str], mode: str, state: ModeState | Literal[""]) -> None:
    """The states of a mode now, separated by spaces; an empty `state` removes all."""


class Servers:
    """Heartbeats of servers, and the states of modes. Methods raise StoreError.

    `me` is the id of this server, which no other process has.
    """

    def __init__(self, connection: Connection, *, me: str, realm: str = NO_REALM) -> None:
        self._connection = connection
        self._realm = realm
        self._me = me
        self._own = ""
        self._known: dict[str, Shared] = {}

    async def beat(self, shared: Shared, *, digest: str) -> tuple[Peer, Roster]:
        """Tells that this server lives, with these settings. Returns this server and the others."""
        self._own, self._known[digest] = digest, shared
        number, servers, modes = await self._beat(digest, "")
        if not number:
            number, servers, modes = await self._beat(digest, shared.text())
        me = Peer(name=self._me, number=number, digest=digest, shared=shared)
        return me, Roster(others=await self._peers(servers), states=_states(modes))

    async def look(self) -> Roster:
        """The servers that live, seen by a process that is none of them."""
        _, servers, modes = await self._beat("", "")
        return Roster(others=await self._peers(servers), states=_states(modes))

    async def leave(self) -> None:
        """Tells that this server ends."""
        await self._beat("", "")

    async def set_state(self, queue: QueueName, state: ModeState | None) -> frozenset[ModeState]:
        """Drains or pauses a mode; None: the mode goes on as usual. Returns the states that hold
        now.
        """
        states = await self._connection.script(
            mode_state(realm=queue.realm, mode=queue.mode, state=state or "")
        )
        return _read_states(states)

    async def _beat(self, digest: str, text: str) -> tuple[int, Sequence[bytes], Sequence[bytes]]:
        return await self._connection.script(
            beat(
                realm=self._realm,
                server=self._me,
                digest=digest,
                text=text,
                silent_seconds=_SILENT.total_seconds(),
                kept_seconds=int(_REMEMBERED.total_seconds()),
            )
        )

    async def _peers(self, servers: Sequence[bytes]) -> tuple[Peer, ...]:
        found = sorted(zip(*[iter(map(keys.text, servers))] * 3, strict=True))
        digests = {digest for _, digest, _ in found}
        self._known = {
            digest: shared
            for digest, shared in self._known.items()
            if digest in digests or digest == self._own
        }
        await self._learn(sorted(digests - self._known.keys()))
        return tuple(
            Peer(name=name, number=int(number), digest=digest, shared=self._known[digest])
            for name, digest, number in found
            if digest in self._known and name != self._me
        )

    async def _learn(self, digests: Sequence[str]) -> None:
        if not digests:
            return

        async def read(redis: Redis) -> list[Any]:
            async with redis.pipeline(transaction=False) as pipe:
                for digest in digests:
                    pipe.hget(keys.settings(digest, self._realm), "text")
                return list(await pipe.execute())

        for digest, text in zip(
            digests, await self._connection.run("read settings", read), strict=True
        ):
            try:
                self._known[digest] = msgspec.json.decode(text or b"", type=Shared)
            except msgspec.DecodeError:
                continue  # looked at again with the next beat


def _states(modes: Sequence[bytes]) -> States:
    found = {
        keys.text(mode): _read_states(states)
        for mode, states in zip(modes[::2], modes[1::2], strict=True)
    }
    return {mode: states for mode, states in found.items() if states}


def _read_states(text: bytes) -> frozenset[ModeState]:
    words = keys.text(text).split()
    return frozenset(state for state in ModeState if state.value in words)
