"""A queue as one server sees it: what is known is kept, and only what is new is read.

Redis stays the truth: a match is committed only if its tickets still stand where they were seen,
with the metadata that was read.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from heapq import nsmallest
from itertools import chain, islice

import msgspec

from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import PoisonedTicket, Ticket
from matchkeeper.matching.density import Density
from matchkeeper.store import keys
from matchkeeper.store.pages import Place
from matchkeeper.store.tickets import TicketStore

_SCAN = 2000
_FETCH = 500
_AGAIN = 100
_SPARE = 1000
_SCAN_SHARE = 20


@dataclass(slots=True)
class View:
    """A queue, or the part of it that a round may look at."""

    now: float = 0.0
    """Unix time in seconds, by the clock of Redis."""
    queue_length: int = 0
    """Tickets, those among them that were not read."""
    tickets: dict[bytes, Ticket] = field(default_factory=dict)
    poisoned: list[PoisonedTicket] = field(default_factory=list)
    bound_hit: bool = False
    has_parties: bool = False
    """Whether a ticket may have more than one player."""

    @property
    def more_players(self) -> int:
        """How many more players than tickets were read."""
        if not self.has_parties:
            return 0
        return sum([len(each.members) for each in self.tickets.values()]) - len(self.tickets)


class QueueView:
    """Reads one queue.

    `again_every`: how often a hundred tickets are read again, since an operator may have changed
    their metadata. `scan_every`: how often all places are read, even if the known tickets add up to
    the length of the queue. Where a scan takes long it comes less often, so that scans take a
    twentieth of the time at most. `rng` draws lots where more tickets found nobody than can be
    looked at again with others.
    """

    def __init__(
        self,
        mode: GameMode,
        tickets: TicketStore,
        settings: MatchmakingSettings,
        *,
        rng: random.Random,
        again_every: timedelta = timedelta(seconds=1),
        scan_every: timedelta = timedelta(seconds=5),
    ) -> None:
        self._mode = mode
        self._tickets = tickets
        self._max_tickets = settings.max_tickets_per_round
        self._again_every_seconds = again_every.total_seconds()
        self._scan_every_seconds = scan_every.total_seconds()
        self._grace_seconds = settings.metadata_grace_seconds
        self._known: dict[bytes, Ticket] = {}
        self._standing: dict[bytes, Ticket] | None = None
        """All tickets of the queue, as far as this server knows; None where it has to look."""
        self._largest = 1
        """Players of the largest ticket. While it is 1, there is nothing to count."""
        self._newest = 0.0
        self._scan_at = 0.0
        self._last = View()
        self._again_at = 0.0
        self._again_turn = 0
        self._read_from = 0
        self._room = max(self._max_tickets // 2, mode.required_players - 1)
        self._lots: dict[bytes, float] = {}
        """The lots of tickets that found nobody in the parts read so far; the next part includes
        them.
        """
        self._rng = rng
        self._rules = mode.rating
        worth = None if mode.rating is None else mode.rating.second_is_worth
        self._density = None if worth is None else Density()

    def arrived(self, tickets: Sequence[Ticket]) -> None:
        """This server has just put these into the queue, and need not read them."""
        for ticket in tickets:
            self._keep(ticket, ticket.enqueued_at)

    @property
    def _has_parties(self) -> bool:
        return self._largest > 1

    def may_fill_a_match(self, queue_length: int) -> bool:
        """Whether the players of so many tickets may be enough for a match. A ticket that this
        server has not read may be as large as the largest that it has seen.
        """
        if queue_length >= self._mode.required_players or not self._has_parties:
            return queue_length >= self._mode.required_players
        unread = max(0, queue_length - len(self._known))
        known = sum([len(ticket.members) for ticket in self._known.values()])
        return known + unread * self._largest >= self._mode.required_players

    @property
    def knows_somebody(self) -> bool:
        """Whether somebody waited, as far as this server has seen."""
        return bool(self._known or self._last.tickets)

    async def somebody_waits(self) -> bool:
        """Whether there is a queue to read. Views that ask at one moment share one command.
        Raises StoreError.
        """
        return self.knows_somebody or self._mode.queue in await self._tickets.present()

    def forget(self, ticket_id: str) -> None:
        """What was known of this ticket was wrong."""
        self._known.pop(keys.raw(ticket_id), None)
        self._standing = None

    def left(self, ticket_ids: Sequence[str]) -> None:
        """This server has just taken these out: tickets behind them have moved up."""
        for name in map(keys.raw, ticket_ids):
            ticket = self._known.pop(name, None)
            if ticket is not None and ticket.enqueued_at <= self._newest and self._read_from:
                self._read_from -= 1
            if self._standing is not None:
                self._standing.pop(name, None)

    def unmatched(self, tickets: Sequence[Ticket]) -> None:
        """These tickets were read and found nobody. Where only a part of the queue was read, they
        also come with the next parts, up to the end of the queue: tickets that fit them may stand
        in any part. Where they are more than half the bound, lots decide, so that every ticket
        meets every other one in time.
        """
        if not self._read_from:
            return
        lots = {
            name: self._lots.get(name) or self._rng.random()
            for name in (keys.raw(each.ticket_id) for each in tickets)
        }
        if len(lots) > self._room:
            lots = {each: lots[each] for each in nsmallest(self._room, lots, key=lots.__getitem__)}
        self._lots = lots

    async def read(self) -> View:
        """Reads a bounded part of the queue. Where the bound is hit, the next call reads on from
        here, so that tickets which cannot be matched do not hide those behind them for ever. That
        call also returns the tickets `unmatched` so far.

        Raises StoreError.
        """
        return await self._follow() or await self._scan()

    async def _follow(self) -> View | None:
        """The known tickets and those that came since; None if their number is not the queue
        length.
        """
        if self._standing is None:
            return None
        scan = await self._tickets.newer(self._mode.queue, than=self._newest, count=_SCAN)
        standing = self._standing
        if standing is None or scan.now >= self._scan_at:
            return None
        length = len(standing) + len(scan.places)
        if length != scan.queue_length or length > self._max_tickets:
            return None
        view = View(now=scan.now, queue_length=scan.queue_length, tickets=standing)
        await self._add(view, scan.places)
        self._stands(view, scan.places)
        return view

    async def _scan(self) -> View:
        if not self._read_from:
            self._lots = {}
        view, begun = View(), 0.0
        view.tickets = {each: self._known[each] for each in self._lots if each in self._known}
        places: Sequence[Place] = ()
        start, left = self._read_from, self._max_tickets - len(view.tickets)
        while left > 0:
            scan = await self._tickets.scan(self._mode.queue, start=start, count=min(_SCAN, left))
            view.now, view.queue_length = scan.now, scan.queue_length
            begun = begun or scan.now
            await self._add(view, scan.places)
            places = scan.places or places
            start += len(scan.places)
            left -= len(scan.places)
            if not scan.places and 0 < start == self._read_from:
                start = 0  # the queue has become shorter meanwhile
            elif len(scan.places) < _SCAN:
                break
        # It also is a part where the queue has become shorter meanwhile.
        view.bound_hit = view.queue_length > self._max_tickets or self._read_from > 0
        self._read_from = start if view.bound_hit and start < view.queue_length else 0
        took_seconds = view.now - begun
        self._scan_at = view.now + max(self._scan_every_seconds, _SCAN_SHARE * took_seconds)
        if self._has_parties:
            tickets = chain(self._known.values(), view.tickets.values())
            self._largest = max([len(each.members) for each in tickets], default=1)
        self._stands(view, places)
        if not view.queue_length or len(self._known) > 2 * view.queue_length + _SPARE:
            self._known = dict(view.tickets)
        return view

    async def refresh(self) -> None:
        """When it is time, reads some tickets of the last reading again, each time different ones:
        somebody may have changed their metadata by hand. Raises StoreError.
        """
        now, tickets = self._last.now, self._last.tickets
        if now - self._again_at < self._again_every_seconds:
            return
        self._again_at = now
        self._again_turn += 1
        step = len(tickets) // _AGAIN + 1
        again = islice(tickets.values(), self._again_turn % step, None, step)
        places = [(keys.raw(each.ticket_id), each.enqueued_at) for each in again]
        found = await self._tickets.to_match(self._mode, places)
        for ticket in found.tickets:
            name = keys.raw(ticket.ticket_id)
            for kept in (self._known, self._standing or {}):
                if name in kept:
                    kept[name] = self._placed(ticket, kept[name], now)
                    self._largest = max(self._largest, len(ticket.members))
        for poisoned in (*found.poisoned, *found.incomplete):
            self.forget(poisoned.ticket_id)

    def _stands(self, view: View, latest: Sequence[Place]) -> None:
        """The next read follows on from this one, unless this one was only a part."""
        view.has_parties = self._has_parties
        self._last = view
        self._standing = None if view.bound_hit or view.poisoned else view.tickets
        if latest:
            self._newest = latest[-1][1]

    async def _add(self, view: View, places: Sequence[Place]) -> None:
        """Puts tickets into the view; reads those that are not known."""
        unknown: list[Place] = []
        for place in places:
            name, since = place
            ticket = self._known.get(name)
            if ticket is None or ticket.enqueued_at != since:
                unknown.append(place)
            else:
                view.tickets[name] = ticket
        for first in range(0, len(unknown), _FETCH):
            found = await self._tickets.to_match(self._mode, unknown[first : first + _FETCH])
            for ticket in found.tickets:
                name, kept = self._keep(ticket, view.now)
                view.tickets[name] = kept
            view.poisoned += found.poisoned
            latest = view.now - self._grace_seconds
            view.poisoned += (each for each in found.incomplete if each.enqueued_at < latest)

    def _keep(self, ticket: Ticket, now: float) -> tuple[bytes, Ticket]:
        """Notes a ticket; returns its name in Redis, and how it was noted."""
        name = keys.raw(ticket.ticket_id)
        kept = self._known[name] = self._placed(ticket, self._known.get(name), now)
        self._largest = max(self._largest, len(ticket.members))
        return name, kept

    def _placed(self, ticket: Ticket, known: Ticket | None, now: float) -> Ticket:
        """The ticket, with the density of newcomers where it stands, if the mode asks for it."""
        if self._density is None or self._rules is None or len(ticket.members) > 1:
            return ticket
        if known is not None and known.enqueued_at == ticket.enqueued_at:
            return msgspec.structs.replace(ticket, density=known.density)
        rating = self._rules.default_rating if ticket.rating is None else ticket.rating
        density = self._density.seen(ticket.enqueued_at, rating, now)
        return msgspec.structs.replace(ticket, density=density)
