"""Tickets that leave the queue without a match: unreadable ones, and those that waited too long."""

from __future__ import annotations

from collections.abc import Sequence

from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import PoisonedTicket, Ticket
from matchkeeper.handoff.notices import Notice, Notices, plain, refusal
from matchkeeper.observe.runtime import Runtime
from matchkeeper.store.tickets import TicketStore
from matchkeeper.wire import answers
from matchkeeper.wire.codes import ErrorCode
from matchkeeper.wire.limits import printable

_BATCH = 500
_RAW_LIMIT = 4096
"""Bytes of unreadable metadata that are kept; enough to see what it was."""


class Departures:
    """Takes tickets out in batches and tells their pods."""

    def __init__(
        self,
        tickets: TicketStore,
        notices: Notices,
        settings: MatchmakingSettings,
        runtime: Runtime,
    ) -> None:
        self._tickets = tickets
        self._notices = notices
        self._settings = settings
        self._facts = runtime.facts
        self._new_token = runtime.new_token

    async def set_aside(self, mode: GameMode, poisoned: Sequence[PoisonedTicket]) -> None:
        """Moves tickets that cannot be read to the dead letters. Raises StoreError."""
        for first in range(0, len(poisoned), _BATCH):
            batch = poisoned[first : first + _BATCH]
            moved = await self._tickets.set_aside(
                mode.queue,
                batch,
                token=self._new_token(),
                kept=self._settings.max_dead_letters,
                raw_limit=_RAW_LIMIT,
            )
            told: list[Notice] = []
            for ticket in batch:
                if ticket.ticket_id not in moved:
                    continue
                self._facts.poisoned(
                    player_id=printable(ticket.ticket_id),
                    reason=printable(ticket.reason),
                    mode=mode.name,
                    kind=ticket.kind,
                )
                text = f"Set aside: {ticket.reason}"
                told += [
                    refusal(
                        member.pod_id,
                        member.player_id,
                        ErrorCode.INVALID_METADATA,
                        text,
                        party_id=ticket.party_id,
                    )
                    for member in ticket.members
                ]
            await self._notices.send(told)

    async def expire(
        self, mode: GameMode, tickets: Sequence[Ticket], now: float
    ) -> Sequence[Ticket]:
        """Takes out tickets that waited `max_wait`; returns the others. Raises StoreError."""
        if mode.max_wait is None:
            return tickets
        latest = now - mode.max_wait.total_seconds()
        over = [ticket for ticket in tickets if ticket.enqueued_at <= latest]
        for first in range(0, len(over), _BATCH):
            batch = over[first : first + _BATCH]
            gone = await self._tickets.expire(
                mode.queue, batch, token=self._new_token(), max_wait=mode.max_wait
            )
            told = [
                plain(each.pod_id, each.player_id, answers.EXPIRED, party_id=ticket.party_id)
                for ticket in batch
                if ticket.ticket_id in gone
                for each in ticket.members
            ]
            self._facts.expired(mode=mode.name, players=len(told))
            await self._notices.send(told)
        return [ticket for ticket in tickets if ticket.enqueued_at > latest]
