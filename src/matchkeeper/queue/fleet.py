"""The servers on this Redis, what operators decided for modes, and which server matches a mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from matchkeeper.domain.agreement import Agreement, ModeState, Shared, agreement
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.realm import QueueName, folded
from matchkeeper.errors import StoreError, StoreRefusedError
from matchkeeper.observe.runtime import Runtime
from matchkeeper.resilience.waiting import pause
from matchkeeper.store.servers import Servers, States

_EVERY_SECONDS = 1.0


class Fleet:
    """Tells the other servers of this one every second, and hears of them. Before the first time
    nothing is matched: others may have newer settings. `wake` makes a round of a mode due.
    """

    def __init__(
        self,
        modes: Sequence[GameMode],
        servers: Servers,
        shared: Shared,
        runtime: Runtime,
        *,
        wake: Callable[[QueueName], None],
    ) -> None:
        self._modes = {mode.queue.mode: mode for mode in modes}
        self._servers = servers
        self._shared = shared
        self._digest = shared.digest()
        self._wake = wake
        self._facts = runtime.facts
        self._stop = runtime.stop
        self._heard: object = None
        self._looked = False
        self.agreement = Agreement(others=frozenset(self._modes))
        self.states: States = {}

    def matches(self, queue: QueueName) -> bool:
        """Whether this server is to match a mode: no other server has newer settings for it."""
        return queue.mode not in self.agreement.others

    def knows(self, game_mode: str) -> bool:
        """Whether another server may have a mode that this one does not have."""
        return not self._looked or folded(game_mode) in self.agreement.elsewhere

    def paused(self, queue: QueueName) -> bool:
        """Whether an operator wants nobody to be matched."""
        return ModeState.PAUSED in self.states.get(queue.mode, ())

    def warnings(self) -> list[str]:
        """What people should know, in sentences."""
        found = [f"Servers run different settings: {each}." for each in self.agreement.differences]
        return found + [
            f"{mode.name} is {' and '.join(sorted(states))} by an operator."
            for name, mode in self._modes.items()
            if (states := self.states.get(name))
        ]

    async def run(self) -> None:
        """Runs until the server stops; then tells the others. Raises StoreError; starting again is
        safe.
        """
        while True:
            try:
                await self.look()
            except StoreRefusedError:
                # The connection has told it. This server acts as if alone: a damaged key stops no
                # match.
                if self._heard is None:
                    self._take(Agreement(), {})
            if await pause(self._stop, _EVERY_SECONDS):
                with suppress(StoreError):
                    await self._servers.leave()
                return

    async def look(self) -> None:
        """One beat. Raises StoreError."""
        me, roster = await self._servers.beat(self._shared, digest=self._digest)
        heard = [(peer.name, peer.number, peer.digest) for peer in (me, *roster.others)]
        known = self.agreement if heard == self._heard else agreement(me, roster.others)
        self._heard = heard
        self._take(known, roster.states)

    def _take(self, found: Agreement, states: States) -> None:
        self._looked = True
        before, self.agreement = self.agreement, found
        states_before, self.states = self.states, states
        if found.differences != before.differences:
            if found.differences:
                self._facts.settings_differ(differences=found.differences)
            else:
                self._facts.settings_agree()
        concerned = states.keys() | states_before.keys() | before.others
        for name in sorted(self._modes.keys() & concerned):
            mode, was = self._modes[name], states_before.get(name, frozenset())
            self._tell(mode, was)
            freed = ModeState.PAUSED in was and not self.paused(mode.queue)
            if self.matches(mode.queue) and (freed or name in before.others):
                self._wake(mode.queue)

    def _tell(self, mode: GameMode, before: frozenset[ModeState]) -> None:
        now = self.states.get(mode.queue.mode, frozenset())
        if now == before:
            return
        if now:
            self._facts.mode_held(mode=mode.name, states=now)
        else:
            self._facts.mode_resumed(mode=mode.name)
