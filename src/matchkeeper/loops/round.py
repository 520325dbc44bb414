"""One round: read a queue, set aside what cannot be read, propose, commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import PoisonedTicket, Ticket
from matchkeeper.errors import StoreError
from matchkeeper.handoff.decide import Cause
from matchkeeper.handoff.offers import new_match
from matchkeeper.handoff.pods import PodRecords
from matchkeeper.loops.committed import CommittedMatches
from matchkeeper.loops.departures import Departures
from matchkeeper.loops.game_servers import GameServers
from matchkeeper.matching.strategy import Strategy
from matchkeeper.observe.events import Event, emit
from matchkeeper.observe.metrics import Metrics
from matchkeeper.store.matches import CommitReply, Committed, MatchStore, NewMatch
from matchkeeper.store.tickets import TicketStore

_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRules:
    """The limits of a round."""

    channel: str
    result_channel: Callable[[str], str]
    max_tickets: int = 10_000
    commit_batch: int = 200
    offer_timeout: timedelta = timedelta(seconds=5)
    memory: timedelta = timedelta(seconds=120)
    metadata_grace: timedelta = timedelta(seconds=10)
    """Who puts a player in by hand types two commands: metadata may follow the ticket so late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """What a round has done."""

    matches: int = 0
    no_server: bool = False
    bound_hit: bool = False


@dataclass(slots=True)
class _View:
    """A queue as it was read."""

    now: float = 0.0
    queue_length: int = 0
    tickets: dict[str, Ticket] = field(default_factory=dict)
    poisoned: dict[str, PoisonedTicket] = field(default_factory=dict)
    bound_hit: bool = False


class Round:
    """Runs rounds over one queue. Nothing is held between rounds but where to read on."""

    def __init__(
        self,
        mode: GameMode,
        strategy: Strategy,
        *,
        tickets: TicketStore,
        matches: MatchStore,
        departures: Departures,
        pods: PodRecords,
        game_servers: GameServers,
        committed: CommittedMatches,
        rules: RoundRules,
        metrics: Metrics,
        new_id: Callable[[], str],
        stop: asyncio.Event,
    ) -> None:
        self.mode = mode
        self._strategy = strategy
        self._tickets = tickets
        self._matches = matches
        self._departures = departures
        self._pods = pods
        self._game_servers = game_servers
        self._committed = committed
        self._rules = rules
        self._metrics = metrics
        self._new_id = new_id
        self._stop = stop
        self._read_from = 0
        self._gone: dict[str, float] = {}
        """Players, by enqueue time, who made a proposal of the last round stale."""

    async def run(self) -> RoundResult:
        """One round. Raises StoreError; whatever was committed until then stands."""
        view = await self._read()
        if view.poisoned:
            await self._departures.set_aside(self.mode, list(view.poisoned.values()))
        waiting = await self._departures.expire(self.mode, list(view.tickets.values()), view.now)
        free = self._without_held(self._without_gone(waiting))
        pairing = self._strategy(free, view.now)
        if pairing.proposals and pairing.unmatched:
            self._kept(Cause.ODD_PLAYER, len(pairing.unmatched), log=False)
        matches, no_server = await self._commit(pairing.proposals, view.now)
        return RoundResult(matches=matches, no_server=no_server, bound_hit=view.bound_hit)

    async def _read(self) -> _View:
        """A bounded part of the queue. Where the bound is hit, the next round reads on from here,
        so that tickets which cannot be matched do not hide those behind them for ever.
        """
        view = _View()
        start, left = self._read_from, self._rules.max_tickets
        while left > 0:
            page = await self._tickets.read(self.mode, start=start, count=min(_PAGE, left))
            view.now, view.queue_length = page.now, page.queue_length
            view.tickets.update((ticket.player_id, ticket) for ticket in page.tickets)
            grace = page.now - self._rules.metadata_grace.total_seconds()
            late = (each for each in page.incomplete if each.enqueued_at < grace)
            view.poisoned.update((each.player_id, each) for each in (*page.poisoned, *late))
            start += page.read
            left -= page.read
            if page.read < _PAGE:
                break
        view.bound_hit = view.queue_length > self._rules.max_tickets
        self._read_from = start if view.bound_hit and start < view.queue_length else 0
        self._metrics.queue_length(self.mode.name, view.queue_length)
        if view.bound_hit:
            self._metrics.bound_hit(self.mode.name)
        return view

    def _without_gone(self, tickets: Sequence[Ticket]) -> list[Ticket]:
        """Who spoilt a proposal and still stands here is in a pending match elsewhere, put here by
        hand: left out of every second round, so that nobody waits for such a player.
        """
        gone, self._gone = self._gone, {}
        return [each for each in tickets if gone.get(each.player_id) != each.enqueued_at]

    def _without_held(self, tickets: Sequence[Ticket]) -> list[Ticket]:
        free: list[Ticket] = []
        held: dict[str, int] = {}
        for ticket in tickets:
            why = self._pods.hold(ticket)
            if why is None:
                free.append(ticket)
            else:
                held[why.value] = held.get(why.value, 0) + 1
        self._metrics.held(self.mode.name, held)
        return free

    async def _commit(self, proposals: Sequence[Proposal], now: float) -> tuple[int, bool]:
        """Commits in batches; returns how many were made, and whether nobody heard the offer."""
        made = 0
        left = iter(proposals)
        while batch := list(islice(left, self._rules.commit_batch)):
            if self._stop.is_set():
                players = sum(len(each.tickets) for each in (*batch, *left))
                self._kept(Cause.SHUTDOWN, players)
                break
            results = await self._commit_batch(batch)
            made += self._count(results, now)
            unheard = [each for each in results if each.reply is CommitReply.NO_SERVER]
            if unheard:
                players = sum(len(each.match.tickets) for each in unheard)
                players += sum(len(each.tickets) for each in left)
                self._kept(Cause.NO_GAME_SERVER, players)
                self._game_servers.failed()
                return made, True
        return made, False

    async def _commit_batch(self, batch: Sequence[Proposal]) -> list[Committed]:
        matches = [self._new_match(proposal) for proposal in batch]
        for match in matches:
            self._committed.add(self.mode, match)
        try:
            return await self._matches.commit(
                self.mode,
                matches,
                channel=self._rules.channel,
                offer_timeout=self._rules.offer_timeout,
                memory=self._rules.memory,
            )
        except StoreError:
            self._kept(Cause.PUBLISH_FAILED, sum(len(match.tickets) for match in matches))
            raise

    def _new_match(self, proposal: Proposal) -> NewMatch:
        return new_match(
            proposal,
            self.mode,
            match_id=self._new_id(),
            claim_within_seconds=self._rules.offer_timeout.total_seconds(),
            result_channel=self._rules.result_channel,
        )

    def _count(self, results: Sequence[Committed], now: float) -> int:
        made = 0
        for result in results:
            if result.reply is CommitReply.COMMITTED:
                made += 1
                self._made(result, now)
            else:
                self._committed.forget(result.match.match_id)
            if result.reply is CommitReply.STALE:
                for ticket in result.match.tickets:
                    if ticket.player_id == result.stale_player:
                        self._gone[ticket.player_id] = ticket.enqueued_at
                self._metrics.stale_proposal(self.mode.name)
                emit(Event.PROPOSAL_STALE, mode=self.mode.name, player_id=result.stale_player)
        return made

    def _made(self, result: Committed, now: float) -> None:
        tickets = result.match.tickets
        self._game_servers.succeeded(result.subscribers)
        self._committed.made(self.mode, result.match)
        self._metrics.match(
            self.mode.name, [max(0.0, now - ticket.enqueued_at) for ticket in tickets]
        )
        emit(
            Event.MATCH_COMMITTED,
            mode=self.mode.name,
            match_id=result.match.match_id,
            players=", ".join(ticket.player_id for ticket in tickets),
            subscribers=result.subscribers,
        )

    def _kept(self, cause: Cause, players: int, *, log: bool = True) -> None:
        """These players wait on, with the place they had: they never left the queue."""
        self._metrics.reenqueued(self.mode.name, cause.value, players)
        if log:
            emit(Event.REENQUEUED, mode=self.mode.name, players=players, cause=cause.value)
