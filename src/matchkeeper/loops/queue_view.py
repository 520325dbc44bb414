"""A queue as one server sees it: who stands there is read each time, what is known of them is kept.

Redis stays the truth: a match is committed only if its players still stand where they were seen,
with the metadata that was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import PoisonedTicket, Ticket
from matchkeeper.store import keys
from matchkeeper.store.pages import Place, Scan
from matchkeeper.store.tickets import TicketStore

_SCAN = 2000
_FETCH = 500
_AGAIN = 100
_SPARE = 1000


@dataclass(slots=True)
class View:
    """A queue, or the part of it that a round may look at."""

    now: float = 0.0
    """Unix time in seconds, of Redis."""
    queue_length: int = 0
    tickets: dict[bytes, Ticket] = field(default_factory=dict)
    poisoned: list[PoisonedTicket] = field(default_factory=list)
    bound_hit: bool = False


class QueueView:
    """Reads one queue. `grace`: for how long a ticket may be without metadata. `again_every`: how
    often a hundred are read again, whose metadata an operator may have changed.
    """

    def __init__(
        self,
        mode: GameMode,
        tickets: TicketStore,
        *,
        max_tickets: int,
        grace: timedelta,
        again_every: timedelta = timedelta(seconds=1),
    ) -> None:
        self._mode = mode
        self._tickets = tickets
        self._max_tickets = max_tickets
        self._again_every_seconds = again_every.total_seconds()
        self._grace_seconds = grace.total_seconds()
        self._known: dict[bytes, Ticket] = {}
        self._read_from = 0
        self._again_step = 0
        self._again_turn = 0
        self._again_at = 0.0

    def arrived(self, tickets: Sequence[Ticket]) -> None:
        """This server has just put these into the queue, and need not read what it wrote."""
        for ticket in tickets:
            self._known[keys.raw(ticket.player_id)] = ticket

    def forget(self, player_id: str) -> None:
        """What was known of this player was wrong."""
        self._known.pop(keys.raw(player_id), None)

    def taken_out(self, players: int) -> None:
        """So many of those who were read last have left: who stood behind them has moved up."""
        self._read_from = max(0, self._read_from - players)

    async def read(self) -> View:
        """A bounded part of the queue. Where the bound is hit, the next call reads on from here,
        so that tickets which cannot be matched do not hide those behind them for ever.

        Raises StoreError.
        """
        view = View()
        self._again_step = 0
        start, left = self._read_from, self._max_tickets
        while left > 0:
            scan = await self._tickets.scan(self._mode.tag, start=start, count=min(_SCAN, left))
            view.now, view.queue_length = scan.now, scan.queue_length
            self._look_again(scan)
            await self._add(view, self._unknown(view, scan, first=start))
            start += len(scan.places)
            left -= len(scan.places)
            if not scan.places and 0 < start == self._read_from:
                start = 0  # the queue has become shorter meanwhile
            elif len(scan.places) < _SCAN:
                break
        view.bound_hit = view.queue_length > self._max_tickets
        self._read_from = start if view.bound_hit and start < view.queue_length else 0
        self._forget_who_left(view)
        return view

    def _look_again(self, scan: Scan) -> None:
        """When it is time, every nth ticket of this reading is read again, each time others."""
        if scan.now - self._again_at >= self._again_every_seconds:
            self._again_at = scan.now
            self._again_step = scan.queue_length // _AGAIN + 1
            self._again_turn += 1

    def _unknown(self, view: View, scan: Scan, *, first: int) -> list[Place]:
        """Puts those who are known into the view; returns the others. `first` is the rank of the
        first place.
        """
        step = self._again_step
        offset = (self._again_turn - first) % step if step else len(scan.places)
        again = range(offset, len(scan.places), step or 1)
        unknown: list[Place] = []
        for number, place in enumerate(scan.places):
            player, since = place
            ticket = self._known.get(player)
            if ticket is None or ticket.enqueued_at != since or number in again:
                unknown.append(place)
            else:
                view.tickets[player] = ticket
        return unknown

    async def _add(self, view: View, places: Sequence[Place]) -> None:
        """Reads what is not known."""
        for first in range(0, len(places), _FETCH):
            found = await self._tickets.fetch(self._mode, places[first : first + _FETCH])
            for ticket in found.tickets:
                player = keys.raw(ticket.player_id)
                self._known[player] = view.tickets[player] = ticket
            view.poisoned += found.poisoned
            latest = view.now - self._grace_seconds
            view.poisoned += (each for each in found.incomplete if each.enqueued_at < latest)

    def _forget_who_left(self, view: View) -> None:
        if len(self._known) > 2 * view.queue_length + _SPARE:
            self._known = dict(view.tickets)
