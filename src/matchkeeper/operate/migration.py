"""Brings what stands in Redis to the form of this version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matchkeeper.domain.form import DOCUMENTED, Stamp, unfit
from matchkeeper.domain.mode import GameMode
from matchkeeper.errors import FormError, MatchkeeperError
from matchkeeper.store.form import FormStore
from matchkeeper.store.matches import MatchStore
from matchkeeper.store.pending import PendingMatch
from matchkeeper.store.servers import Servers
from matchkeeper.store.tickets import TicketStore

_PAGE = 1000
_MOST_MATCHES = 1_000_000
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """What was done."""

    stamp: Stamp
    tickets: int = 0
    matches: int = 0
    """How many of each there are."""
    unreadable: int = 0
    done: bool
    """False: there was nothing to do."""

    def __str__(self) -> str:
        if not self.done:
            return f"Nothing to do: the state has {self.stamp}."
        return (
            f"The state now says that it has form {self.stamp.form}: {self.tickets} ticket(s) and "
            f"{self.matches} pending match(es), {self.unreadable} of which cannot be read."
        )


class Migration:
    """Methods raise StoreError."""

    def __init__(
        self,
        modes: Sequence[GameMode],
        *,
        version: str,
        form: FormStore,
        tickets: TicketStore,
        matches: MatchStore,
        servers: Servers,
    ) -> None:
        self._modes = modes
        self._version = version
        self._form = form
        self._tickets = tickets
        self._matches = matches
        self._servers = servers

    async def run(self, *, anyway: bool = False) -> Migrated:
        """Safe to repeat. `anyway`: what cannot be read is left to the servers, which set it aside.

        Raises FormError where this version cannot help, and MatchkeeperError where servers run or
        something cannot be read.
        """
        stamp = await self._form.look()
        if stamp.form:
            if why := unfit(stamp, self._version):
                raise FormError(why.found, hint=why.mend)
            return Migrated(stamp=stamp, done=False)
        if stamp.by:
            return await self._unstamped(anyway=anyway)
        return Migrated(stamp=await self._form.stamp(), done=True)

    async def _unstamped(self, *, anyway: bool) -> Migrated:
        """A state from before forms were written down: its form is the first."""
        if others := (await self._servers.look()).others:
            raise MatchkeeperError(
                f"Servers still run: {', '.join(other.name for other in others)}",
                hint="Stop them first: what they write is of another form.",
            )
        tickets = matches = 0
        unreadable: list[str] = []
        for mode in self._modes:
            tickets += await self._read_tickets(mode, unreadable)
            matches += await self._read_matches(mode, unreadable)
        if unreadable and not anyway:
            raise MatchkeeperError(
                f"{len(unreadable)} of the state cannot be read: {'; '.join(unreadable[:_NAMED])}",
                hint="--anyway leaves these to the servers, which make dead letters of them "
                f"({DOCUMENTED}).",
            )
        stamp = await self._form.stamp(checked=True)
        return Migrated(
            stamp=stamp,
            tickets=tickets,
            matches=matches,
            unreadable=len(unreadable),
            done=True,
        )

    async def _read_tickets(self, mode: GameMode, unreadable: list[str]) -> int:
        start = 0
        while True:
            page = await self._tickets.read(mode, start=start, count=_PAGE)
            unreadable += [
                f"{each.ticket_id} in {mode.name}, {each.reason}" for each in page.fetched.poisoned
            ]
            start += len(page.scan.places)
            if not page.scan.places:
                return start

    async def _read_matches(self, mode: GameMode, unreadable: list[str]) -> int:
        ids = await self._matches.pending_ids(mode.queue, count=_MOST_MATCHES)
        for match_id in ids:
            match = await self._matches.read(mode, match_id)
            if not isinstance(match, PendingMatch) and not match.is_over:
                unreadable.append(f"match {match_id} of {mode.name}")
        return len(ids)
