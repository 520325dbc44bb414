"""Traces from a player's request to the start of the match. Imported only where they are on.

A player's context, the traceparent of the span in which the request was taken in, is remembered
here and kept in Redis beside the queue, for other servers and for after a restart.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.domain.realm import QueueName
from matchkeeper.domain.ticket import Ticket, members_of
from matchkeeper.errors import StoreError
from matchkeeper.observe.facts import Facts, Hears
from matchkeeper.observe.traces import Loop
from matchkeeper.observe.tracing import Span, SpanKind, Spans, failed, nanoseconds
from matchkeeper.resilience.waiting import pause, unless
from matchkeeper.store.asked import Reply
from matchkeeper.store.history import Happened
from matchkeeper.store.matches import Committed
from matchkeeper.store.pending import PendingMatch
from matchkeeper.store.tickets import Heard, Outcome
from matchkeeper.store.traces import Kept, TraceStore
from matchkeeper.wire.limits import printable

_PLAYERS = 50_000
_MATCHES = 10_000
"""Whose end is not heard yet."""
_TO_WRITE = 10_000
_AT_ONCE = 500
_LOOK_EVERY_SECONDS = 5.0
_LONGEST_WAIT = timedelta(hours=1)
"""For how long the context of a player is kept in a mode where players never expire."""
_LEFT = ("dequeued", "expired", "set_aside")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A player whom this server has queued; an empty traceparent is not traced."""

    mode: str
    enqueued_at: float
    traceparent: str


@dataclass(slots=True, kw_only=True)
class _Match:
    mode: str
    span: Span
    traceparent: str
    players: tuple[tuple[Ticket, str], ...]
    """The traced ones, each with its context."""
    handoff: Span | None = None


class PlayerTraces:
    """Implements `Traces`."""

    def __init__(
        self,
        spans: Spans,
        store: TraceStore,
        *,
        facts: Facts,
        wall: Callable[[], float],
        stop: asyncio.Event,
    ) -> None:
        self._spans = spans
        self._store = store
        self._facts = facts
        self._wall = wall
        self._stop = stop
        self._known: dict[tuple[QueueName, str], _Known] = {}
        """By queue and ticket."""
        self._matches: dict[str, _Match] = {}
        self._to_write: deque[Kept] = deque()
        self._due = asyncio.Event()

    def hears(self) -> Hears:
        """What happens to requests, proposals and matches."""
        return (
            (Facts.enqueued, self._asked),
            (Facts.not_enqueued, self._not_asked),
            (Facts.match_committed, self._committed),
            (Facts.not_committed, self._not_committed),
            (Facts.commit_failed, self._commit_failed),
            (Facts.history_read, self._happened),
        )

    def loops(self) -> Mapping[str, Loop]:
        """The writer, and who tells of spans that could not be sent."""
        return {"traces": self._write, "sent spans": self._look}

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Sends at the end what is left; a handoff whose end was not heard ends as unknown."""
        try:
            async with self._store.connection:
                try:
                    yield
                finally:
                    await self._flush()
        finally:
            for match in self._matches.values():
                self._end_handoff(match, "unknown", self._wall())
            await self._spans.close()
            self._tell_not_sent()

    # Requests

    def _asked(self, mode: GameMode, outcomes: Sequence[Outcome], seconds: float) -> None:
        """Spans of requests; who was queued just now is remembered."""
        now = self._wall()
        begun, ended = now - seconds, nanoseconds(now)
        for outcome in outcomes:
            if outcome.reply is Reply.DUPLICATE:
                continue  # another server has heard it as well, and traces it
            span = self._intake(mode, outcome.heard, begun, outcome.reply.value)
            span.end(ended)
            if outcome.reply is Reply.QUEUED:
                self._queued(mode, outcome, self._spans.traceparent(span))

    def _not_asked(
        self, mode: GameMode, heard: Sequence[Heard], error: StoreError, seconds: float
    ) -> None:
        for each in heard:
            span = self._intake(mode, each, self._wall() - seconds, "failed")
            failed(span, error.message)
            span.end()

    def _intake(self, mode: GameMode, heard: Heard, begun: float, outcome: str) -> Span:
        return self._spans.start(
            "intake",
            at=begun,
            parent=heard.request.traceparent,
            kind=SpanKind.CONSUMER,
            mode=mode.name,
            player_id=heard.request.player_id,
            pod_id=heard.request.pod_id or "",
            via="stream" if heard.entry and heard.entry.group else "pubsub",
            outcome=outcome,
        )

    def _queued(self, mode: GameMode, outcome: Outcome, traceparent: str) -> None:
        ticket_id, enqueued_at = outcome.heard.request.ticket_id, float(outcome.detail)
        self._known[mode.queue, ticket_id] = _Known(
            mode=mode.name, enqueued_at=enqueued_at, traceparent=traceparent
        )
        while len(self._known) > _PLAYERS:
            self._known.pop(next(iter(self._known)))
        if not traceparent:
            return
        if len(self._to_write) >= _TO_WRITE:
            self._lost("keep", 1, "too many wait to be written")
            return
        self._to_write.append(
            Kept(
                queue=mode.queue,
                ticket_id=ticket_id,
                enqueued_at=enqueued_at,
                traceparent=traceparent,
                memory=mode.max_wait or _LONGEST_WAIT,
            )
        )
        self._due.set()

    # Matches

    async def proposed(
        self, mode: GameMode, proposals: Mapping[str, Proposal]
    ) -> Mapping[str, str]:
        """Begins the spans of matches in which anybody is traced."""
        begun = self._wall()
        tickets = [ticket for each in proposals.values() for ticket in each.tickets]
        contexts = await self._contexts(mode, tickets)
        offered = {}
        for match_id, proposal in proposals.items():
            players = tuple(
                (ticket, contexts[ticket.ticket_id])
                for ticket in proposal.tickets
                if contexts.get(ticket.ticket_id)
            )
            if players:
                match = self._begun(mode, match_id, proposal, players, begun)
                offered[match_id] = match.traceparent
        return offered

    def _begun(
        self,
        mode: GameMode,
        match_id: str,
        proposal: Proposal,
        players: tuple[tuple[Ticket, str], ...],
        begun: float,
    ) -> _Match:
        first, *others = (context for _, context in players)
        span = self._spans.start(
            "match",
            at=begun,
            parent=first,
            links=others,
            kind=SpanKind.PRODUCER,
            mode=mode.name,
            match_id=match_id,
            players=len(members_of(proposal.tickets)),
            handoff=mode.handoff.value,
        )
        match = _Match(
            mode=mode.name,
            span=span,
            traceparent=self._spans.traceparent(span),
            players=players,
        )
        self._matches[match_id] = match
        while len(self._matches) > _MATCHES:
            oldest = self._matches.pop(next(iter(self._matches)))
            self._end_handoff(oldest, "unknown", self._wall())
        return match

    def _committed(self, mode: GameMode, made: Sequence[Committed]) -> None:
        for each in made:
            match_id = each.match.match_id
            match = self._matches.get(match_id)
            if match is not None:
                self._made(mode.queue, match_id, match)
                if mode.handoff is Handoff.PUBLISH:
                    del self._matches[match_id]

    def _not_committed(self, match_id: str) -> None:
        """Nothing is sent of it."""
        self._matches.pop(match_id, None)

    def _commit_failed(self, match_ids: Iterable[str], error: StoreError) -> None:
        for match_id in match_ids:
            match = self._matches.pop(match_id, None)
            if match is not None:
                failed(match.span, error.message)
                match.span.end()

    async def of_match(self, mode: GameMode, match: PendingMatch) -> str:
        """Of the match where this server has made it, else of its first traced player: the same
        trace.
        """
        mine = self._matches.get(match.match_id)
        if mine is not None:
            return mine.traceparent
        contexts = await self._contexts(mode, match.tickets)
        traced = (contexts.get(ticket.ticket_id, "") for ticket in match.tickets)
        return next(filter(None, traced), "")

    def _made(self, queue: QueueName, match_id: str, match: _Match) -> None:
        """Ends what ends with the commit, by its reply or by the history, whichever comes first."""
        if not match.span.is_recording():
            return
        ended = self._wall()
        match.span.end(nanoseconds(ended))
        for ticket, context in match.players:
            self._known.pop((queue, ticket.ticket_id), None)
            self._waited(
                match.mode, ticket.ticket_id, ticket.enqueued_at, ended, context,
                outcome="matched", match_id=match_id, link=match.traceparent,
            )  # fmt: skip

    def _waited(
        self,
        mode: str,
        player_id: str,
        since: float,
        until: float,
        context: str,
        *,
        outcome: str,
        match_id: str = "",
        link: str = "",
    ) -> None:
        span = self._spans.start(
            "wait",
            at=min(since, until),
            parent=context,
            links=[link] if link else [],
            mode=mode,
            player_id=player_id,
            outcome=outcome,
            match_id=match_id,
        )
        span.end(nanoseconds(until))

    # Histories

    def _happened(self, happened: Iterable[Happened]) -> None:
        """Handoffs, and players who left their queue without a match."""
        for each in happened:
            match = self._matches.get(each.match_id)
            if match is not None:
                self._handed_over(match, each)
            elif each.what in _LEFT:
                for ticket_id in [each.party_id] if each.party_id else each.players.split("\n"):
                    self._left(ticket_id, each)

    def _handed_over(self, match: _Match, each: Happened) -> None:
        if each.what == "committed":
            if match.handoff is not None:
                return  # a match of many players is told in several entries
            self._made(each.queue, each.match_id, match)
            match.handoff = self._spans.start(
                "handoff",
                at=each.at,
                parent=match.traceparent,
                mode=match.mode,
                match_id=each.match_id,
            )
        elif each.what in ("started", "given_back"):
            self._matches.pop(each.match_id)
            told = {"pod_id": printable(each.pod_id), "cause": each.detail}
            self._end_handoff(match, each.what, each.at, **told)
        elif match.handoff is not None:
            told = {"pod_id": printable(each.pod_id), "code": each.detail}
            match.handoff.add_event(
                each.what,
                {f"matchkeeper.{name}": value for name, value in told.items() if value},
                nanoseconds(each.at),
            )

    def _end_handoff(self, match: _Match, outcome: str, at: float, **told: str) -> None:
        handoff = match.handoff
        if handoff is None:
            return
        for name, value in {"outcome": outcome, **told}.items():
            if value:
                handoff.set_attribute(f"matchkeeper.{name}", value)
        if outcome == "given_back":
            failed(handoff, told["cause"])
        handoff.end(nanoseconds(at))

    def _left(self, ticket_id: str, each: Happened) -> None:
        known = self._known.get((each.queue, ticket_id))
        if known is None or known.enqueued_at > each.at:
            return  # came back since
        del self._known[each.queue, ticket_id]
        if known.traceparent:
            self._waited(
                known.mode, ticket_id, known.enqueued_at, each.at, known.traceparent,
                outcome=each.what,
            )  # fmt: skip

    # Redis, and the collector

    async def _contexts(self, mode: GameMode, tickets: Sequence[Ticket]) -> dict[str, str]:
        """Ticket id -> context. Only those that another server has queued are looked up."""
        found: dict[str, str] = {}
        unknown = []
        for ticket in tickets:
            known = self._known.get((mode.queue, ticket.ticket_id))
            if known is not None and known.enqueued_at == ticket.enqueued_at:
                found[ticket.ticket_id] = known.traceparent
            else:
                unknown.append(ticket)
        if unknown:
            try:
                found |= await self._store.read(mode.queue, unknown)
            except StoreError as error:
                self._lost("read", len(unknown), error.message)
        return found

    async def _write(self) -> None:
        while not self._stop.is_set():
            await unless(self._stop, self._due.wait())
            self._due.clear()
            await self._flush()

    async def _flush(self) -> None:
        while self._to_write:
            count = min(_AT_ONCE, len(self._to_write))
            batch = [self._to_write.popleft() for _ in range(count)]
            try:
                await self._store.write(batch)
            except StoreError as error:
                self._lost("keep", len(batch), error.message)

    async def _look(self) -> None:
        while not await pause(self._stop, _LOOK_EVERY_SECONDS):
            self._tell_not_sent()

    def _tell_not_sent(self) -> None:
        count, reason = self._spans.not_sent()
        if count:
            self._facts.spans_not_sent(count=count, error=reason)

    def _lost(self, step: str, count: int, error: str) -> None:
        self._facts.traces_lost(count=count, step=step, error=error)
