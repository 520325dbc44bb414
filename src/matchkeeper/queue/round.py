"""One round: read a queue, set aside what cannot be read, propose, commit."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Ticket, members_of
from matchkeeper.errors import StoreRefusedError
from matchkeeper.handoff.decide import Cause
from matchkeeper.handoff.game_servers import GameServers
from matchkeeper.handoff.offers import Offers
from matchkeeper.handoff.pods import PodRecords
from matchkeeper.matching.strategy import Pairing, Strategy
from matchkeeper.observe.runtime import Runtime
from matchkeeper.queue.departures import Departures
from matchkeeper.queue.fleet import Fleet
from matchkeeper.queue.view import QueueView, View
from matchkeeper.resilience.waiting import Behind
from matchkeeper.store.committing import CommitReply
from matchkeeper.store.matches import Committed, NewMatch

_LONG = 10_000
"""From so many tickets on a strategy gets a thread: it takes microseconds for each."""

_LONG_BY_RULES = 20
"""The same with rules, where it takes milliseconds for each."""

_COMMITS_AT_ONCE = 2
"""One batch that Redis works on, and one that is there when the first is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """What a round has done."""

    matches: int = 0
    looking_seconds: float = 0.0
    """The time for reading the queue and choosing; commits took the rest."""
    no_server: bool = False
    bound_hit: bool = False


class Round:
    """Runs rounds over one queue."""

    def __init__(
        self,
        mode: GameMode,
        strategy: Strategy,
        view: QueueView,
        runtime: Runtime,
        *,
        offers: Offers,
        departures: Departures,
        pods: PodRecords,
        game_servers: GameServers,
        fleet: Fleet,
    ) -> None:
        self.mode = mode
        self._strategy = strategy
        self.view = view
        self._offers = offers
        self._departures = departures
        self._pods = pods
        self._game_servers = game_servers
        self._fleet = fleet
        self._facts = runtime.facts
        self._clock = runtime.clock
        self._stop = runtime.stop
        self._gone: dict[str, float] = {}
        """Tickets, by enqueue time, that made a proposal of the last round stale."""

    async def run(self) -> RoundResult:
        """Runs one round. Raises StoreError; what was committed until then stays."""
        begun = self._clock()
        with self._step("read"):
            view = await self._read()
        if view.poisoned:
            # The connection has told it. Tickets that cannot be set aside are not matched and do no
            # harm.
            with suppress(StoreRefusedError):
                await self._departures.set_aside(self.mode, view.poisoned)
        waiting = await self._departures.expire(self.mode, list(view.tickets.values()), view.now)
        if self._fleet.paused(self.mode.queue):
            return RoundResult(bound_hit=view.bound_hit)
        free = self._without_held(self._without_gone(waiting))
        with self._step("pair"):
            pairing = await self._pair(free, view.now, parties=view.has_parties)
        self.view.unmatched(pairing.unmatched)
        for why in pairing.refused:
            self._facts.proposal_refused(mode=self.mode.name, why=why)
        looking_seconds = self._clock() - begun
        if pairing.proposals and pairing.unmatched:
            unmatched = members_of(pairing.unmatched)
            self._facts.odd_players(mode=self.mode.name, players=len(unmatched))
        with self._step("commit"):
            matches, no_server = await self._commit(pairing.proposals, view.now)
        with self._step("refresh"):
            await self.view.refresh()
        return RoundResult(
            matches=matches,
            looking_seconds=looking_seconds,
            no_server=no_server,
            bound_hit=view.bound_hit,
        )

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        begun = self._clock()
        yield
        self._facts.round_step(mode=self.mode.name, step=name, seconds=self._clock() - begun)

    async def _read(self) -> View:
        view = await self.view.read()
        length, more = view.queue_length, view.more_players
        self._facts.queue_read(mode=self.mode.name, length=length, more=more)
        if view.bound_hit:
            self._facts.round_bound_hit(mode=self.mode.name)
        return view

    async def _pair(self, tickets: Sequence[Ticket], now: float, *, parties: bool) -> Pairing:
        """Runs the strategy, in a thread where it takes long, so that requests are heard
        meanwhile.
        """
        if len(tickets) < (_LONG if self.mode.rules is None else _LONG_BY_RULES):
            return self._strategy(tickets, now, parties=parties)
        return await asyncio.to_thread(self._strategy, tickets, now, parties=parties)

    def _without_gone(self, tickets: Sequence[Ticket]) -> Sequence[Ticket]:
        """Leaves out tickets that spoilt a proposal and still stand here: somebody put them here by
        hand while they are in a pending match elsewhere. They are left out of every second round,
        so that nobody waits for such a ticket.
        """
        gone, self._gone = self._gone, {}
        if not gone:
            return tickets
        return [each for each in tickets if gone.get(each.ticket_id) != each.enqueued_at]

    def _without_held(self, tickets: Sequence[Ticket]) -> Sequence[Ticket]:
        free, held = tickets, Counter[str]()
        if self._pods.holding:
            free = []
            for ticket in tickets:
                why = self._pods.hold(ticket)
                if why is None:
                    free.append(ticket)
                else:
                    held[why] += 1
        self._facts.tickets_held(mode=self.mode.name, counts=held)
        return free

    async def _commit(self, proposals: Sequence[Proposal], now: float) -> tuple[int, bool]:
        """Commits in batches; returns how many were made, and whether nobody heard the offer."""
        made, unheard = 0, 0
        left, at_once = iter(proposals), self._offers.at_once(self.mode)

        def add(ended: Sequence[tuple[int, int]]) -> None:
            nonlocal made, unheard
            made += sum(matches for matches, _ in ended)
            unheard += sum(players for _, players in ended)

        async with Behind[tuple[int, int]](at_once=_COMMITS_AT_ONCE) as behind:
            while not unheard and (batch := list(islice(left, at_once))):
                if self._stop.is_set():
                    self._kept(Cause.SHUTDOWN, self._players_of((*batch, *left)))
                    break
                ready = await self._offers.ready(self.mode, batch)
                for ticket_id in ready.changed:
                    self.view.forget(ticket_id)
                add(await behind.start(self._commit_batch(ready.matches, now)))
            add(await behind.rest())
        if unheard:
            self._kept(Cause.NO_GAME_SERVER, unheard + self._players_of(tuple(left)))
            self._game_servers.failed()
        return made, unheard > 0

    def _players_of(self, proposals: Sequence[Proposal]) -> int:
        return sum(len(members_of(each.tickets)) for each in proposals)

    async def _commit_batch(self, matches: Sequence[NewMatch], now: float) -> tuple[int, int]:
        """Returns how many were made, and how many players are in offers that nobody heard."""
        results = await self._offers.commit(self.mode, matches, now)
        made = [each for each in results if each.reply is CommitReply.COMMITTED]
        if made:
            self._game_servers.succeeded(max(each.subscribers for each in made))
            self.view.left([ticket.ticket_id for each in made for ticket in each.match.tickets])
        unheard = 0
        for each in results:
            if each.reply is CommitReply.NO_SERVER:
                unheard += len(members_of(each.match.tickets))
            elif each.reply is CommitReply.STALE:
                self._spoilt(each)
        return len(made), unheard

    def _spoilt(self, result: Committed) -> None:
        for ticket in result.match.tickets:
            if ticket.ticket_id == result.stale_ticket:
                self._gone[ticket.ticket_id] = ticket.enqueued_at
        self.view.forget(result.stale_ticket)

    def _kept(self, cause: Cause, players: int) -> None:
        """These players wait on in their old places: they never left the queue."""
        self._facts.reenqueued(mode=self.mode.name, players=players, cause=cause.value)
