"""How many players a match may have while servers differ: what each of them has heard says so."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from matchkeeper.domain.agreement import Peer, Shared
from matchkeeper.errors import StoreRefusedError
from matchkeeper.store.servers import Roster, Servers

Sizes = Mapping[str, tuple[int, ...]]
"""mode -> how many players a match may have."""
_BEATS = 4
"""No match on its way was made by settings that a server heard of longer ago than this."""


class Heard:
    """Matches are made by the newest settings of any server that lives, as far as a server has
    heard of them; it hears nothing while frozen. `tell` is called when sizes may have changed.
    `sizes`: mode -> players of a match, by the first settings.
    """

    def __init__(self, sizes: Mapping[str, int], tell: Callable[[Sizes], None]) -> None:
        self._tell = tell
        self._told: Sizes = {mode: (players,) for mode, players in sizes.items()}
        self._newest: dict[str, deque[Mapping[str, int]]] = {}

    def follow(self, name: str, servers: Servers) -> None:
        """Notes what a process that has just started hears of the others."""
        beat, knows = servers.beat, False

        async def noted(shared: Shared, *, digest: str) -> tuple[Peer, Roster]:
            nonlocal knows
            try:
                me, roster = await beat(shared, digest=digest)
            except StoreRefusedError:
                if not knows:
                    self._note(name, shared)  # alone, as far as it knows
                raise
            knows = True
            self._note(name, max((me, *roster.others), key=lambda peer: peer.number).shared)
            return me, roster

        servers.beat = noted  # type: ignore[method-assign]  # as it is, and noted

    def _note(self, name: str, newest: Shared) -> None:
        sizes = {mode: each["required_players"] for mode, each in newest.modes.items()}
        self._newest.setdefault(name, deque(maxlen=_BEATS)).append(sizes)
        each = [known for every in self._newest.values() for known in every]
        allowed = {mode: tuple(sorted({known[mode] for known in each})) for mode in self._told}
        if allowed != self._told:
            self._told = allowed
            self._tell(allowed)
