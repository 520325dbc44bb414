"""What an operator can see and do, by the command line or by the HTTP API."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.agreement import ModeState
from matchkeeper.domain.match import MatchState
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.realm import folded
from matchkeeper.domain.ticket import Member, PoisonedTicket, Ticket, party_of
from matchkeeper.errors import MatchkeeperError, NotFoundError
from matchkeeper.handoff.notices import Notice, left, left_match, messages
from matchkeeper.store import keys
from matchkeeper.store.asked import Reply, party_in
from matchkeeper.store.connection import Connection
from matchkeeper.store.dead_letters import DeadLetter, DeadLetterStore
from matchkeeper.store.given_back import When
from matchkeeper.store.history import Happened, History
from matchkeeper.store.matches import MatchStore
from matchkeeper.store.pages import Page
from matchkeeper.store.pending import PendingMatch, UnreadableMatch
from matchkeeper.store.servers import Servers, States
from matchkeeper.store.tickets import Heard, TicketStore
from matchkeeper.wire.metadata import read_ticket
from matchkeeper.wire.requests import Request, RequestKind

_HISTORY = 200
_END_ATTEMPTS = 3


class BadRequestError(MatchkeeperError):
    """The request can never be done, whatever stands in Redis."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """One queue as it is now."""

    mode: GameMode
    length: int
    oldest_wait_seconds: float | None
    pending_matches: int
    dead_letters: int
    states: frozenset[ModeState] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyPlace:
    """A party that waits, or is in a pending match."""

    mode: str
    party_id: str
    players: tuple[str, ...]
    """In the order in which it named them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where a player is, or a party."""

    player_id: str
    """The party's id, where that was asked about."""
    queues: tuple[tuple[str, float], ...]
    """(mode, enqueue time in Unix seconds)."""
    pending_match: tuple[str, str] | None
    """(mode, match id)."""
    party: PartyPlace | None = None
    """The party with which the player waits, or is in the pending match."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedMatch:
    """How many players of a match that an operator ended went where."""

    put_back: int
    left: int
    """Players out of the queue: they had asked to leave, or the operator asked for it."""
    set_aside: int

    def __str__(self) -> str:
        parts = (
            f"{self.put_back} player(s) are back with their place",
            f"{self.left} out of the queue" if self.left else "",
            f"{self.set_aside} among the dead letters, since it cannot be read"
            if self.set_aside
            else "",
        )
        return ", ".join(filter(None, parts))


class Operator:
    """Every method raises StoreError, and NotFoundError for what does not exist."""

    def __init__(
        self,
        settings: MatchmakingSettings,
        *,
        connection: Connection,
        tickets: TicketStore,
        matches: MatchStore,
        dead_letters: DeadLetterStore,
        history: History,
        servers: Servers,
        new_token: Callable[[], str],
    ) -> None:
        self.modes = settings.modes()
        self._settings = settings
        self._connection = connection
        self._tickets = tickets
        self._matches = matches
        self._dead_letters = dead_letters
        self._history = history
        self._servers = servers
        self._new_token = new_token

    def mode(self, name: str) -> GameMode:
        """A mode by its name, in upper or lower case."""
        modes = {mode.queue.mode: mode for mode in self.modes}
        mode = modes.get(folded(name))
        if mode is None:
            close = get_close_matches(folded(name), modes, n=1)
            guess = f"Did you mean {modes[close[0]].name}? " if close else ""
            known = ", ".join(each.name for each in self.modes)
            raise NotFoundError(f"There is no game mode {name!r}", hint=f"{guess}Known: {known}")
        return mode

    def asked_for(self, name: str | None) -> tuple[GameMode, ...]:
        """A mode by its name; without a name, all of them."""
        return self.modes if name is None else (self.mode(name),)

    async def queues(self) -> list[QueueState]:
        """All queues."""
        states = (await self._servers.look()).states
        return [await self._queue(mode, states) for mode in self.modes]

    async def hold(self, mode: GameMode, state: ModeState) -> frozenset[ModeState]:
        """Drains or pauses a mode on all servers; returns the states that hold now. Safe to
        repeat.
        """
        return await self._servers.set_state(mode.queue, state)

    async def resume(self, mode: GameMode) -> None:
        """Ends what `hold` began. Safe to repeat."""
        await self._servers.set_state(mode.queue, None)

    async def _queue(self, mode: GameMode, states: States) -> QueueState:
        length, oldest = await self._tickets.length_and_oldest(mode.queue)
        overdue = await self._matches.overdue(mode.queue, count=0)
        return QueueState(
            mode=mode,
            length=length,
            oldest_wait_seconds=oldest,
            pending_matches=overdue.pending,
            dead_letters=await self._dead_letters.length(mode.queue),
            states=states.get(mode.queue.mode, frozenset()),
        )

    async def page(
        self, mode: GameMode, *, start: int, count: int, most_bytes: float = math.inf
    ) -> Page:
        """Tickets of a queue, longest waiting first; the page ends early where it grows too
        large.
        """
        return await self._tickets.read(mode, start=start, count=count, most_bytes=most_bytes)

    async def where(self, player_id: str) -> Whereabouts:
        """Where a player is now, or a party."""
        names = {mode.queue: mode.name for mode in self.modes}
        place = await self._tickets.parties.place_of(player_id)
        tickets = [player_id] if place is None else [player_id, place[1]]
        waits = [
            (each, queue, at) for each in tickets for queue, at in await self._tickets.where(each)
        ]
        pending = None
        for each in tickets:
            pending = pending or await self._matches.pending_match_of(each)
        party = None
        for ticket_id, queue, at in waits:
            party = party or await self._waiting_party(self.mode(queue.mode), ticket_id, at)
        if pending is not None and party is None:
            party = await self._party_in(self.mode(pending[0].mode), pending[1], tickets)
        return Whereabouts(
            player_id=player_id,
            queues=tuple((names[queue], at) for _, queue, at in waits),
            pending_match=None if pending is None else (names[pending[0]], pending[1]),
            party=party,
        )

    async def _waiting_party(self, mode: GameMode, ticket_id: str, at: float) -> PartyPlace | None:
        found = await self._tickets.fetch(mode, [(keys.raw(ticket_id), at)])
        return _party_of(mode, [*found.tickets, *found.poisoned])

    async def _party_in(
        self, mode: GameMode, match_id: str, tickets: Collection[str]
    ) -> PartyPlace | None:
        match = await self._matches.read(mode, match_id)
        if isinstance(match, UnreadableMatch):
            return None
        return _party_of(mode, [each for each in match.tickets if each.ticket_id in tickets])

    async def history(self, player_id: str) -> list[Happened]:
        """What happened to a player lately, newest first; at most the last 200."""
        return await self._history.of_player(player_id, limit=_HISTORY)

    async def remove(self, mode: GameMode, player_id: str) -> None:
        """Takes a player out of a queue and tells the pod, as if the player had asked."""
        request = Request(
            kind=RequestKind.DEQUEUE,
            player_id=player_id,
            game_mode=mode.name,
            pod_id=None,
            metadata="",
            fingerprint=self._new_token(),
        )
        heard = Heard(request=request, token=self._new_token())
        (outcome,) = await self._tickets.dequeue(mode.queue, [heard])
        if outcome.reply is Reply.MATCH_PENDING:
            raise NotFoundError(
                f"{player_id} is in pending match {outcome.detail} of {mode.name}",
                hint="If the match falls through, the player is not put back.",
            )
        if outcome.reply is not Reply.DEQUEUED:
            raise NotFoundError(
                f"{player_id} does not wait in {mode.name}",
                hint=f"See who does with: matchkeeper queue show {mode.name}",
            )
        party = party_in(outcome.detail)
        if party is None:
            await self._tell(left([Member(player_id, outcome.detail)]))
        else:
            party_id, members = party
            by = None if party_id == player_id else player_id
            await self._tell(left(members, party_id, by))

    async def _tell(self, notices: Sequence[Notice]) -> None:
        await self._connection.publish(messages(notices, self._settings.result_channel))

    async def pending(
        self, mode: GameMode, *, count: int, most_bytes: float = math.inf
    ) -> list[PendingMatch | UnreadableMatch]:
        """Pending matches of a mode, those due first; fewer where they grow too large."""
        ids = await self._matches.pending_ids(mode.queue, count=count)
        found: list[PendingMatch | UnreadableMatch] = []
        size = 0
        for match_id in ids:
            match = await self._matches.read(mode, match_id)
            if isinstance(match, PendingMatch):
                size += sum(map(len, match.metadata.values()))
            elif match.is_over:
                continue
            found.append(match)
            if size >= most_bytes:
                break
        return found

    async def match(self, mode: GameMode, match_id: str) -> PendingMatch | UnreadableMatch:
        """One pending match."""
        match = await self._matches.read(mode, match_id)
        if isinstance(match, UnreadableMatch) and (match.is_over or not match.state):
            raise _no_match(mode, match_id)
        return match

    async def end_match(self, mode: GameMode, match_id: str, *, leave: bool) -> EndedMatch:
        """Ends a pending match. Its players go back with the place they had; with `leave` they are
        out of this queue, and their pods are told. A game server that has claimed it is refused.

        One that cannot be read is set aside: its players are free, and are dead letters.
        """
        for _ in range(_END_ATTEMPTS):
            match = await self._matches.read(mode, match_id)
            if isinstance(match, UnreadableMatch):
                return await self._set_aside(mode, match)
            if match.state is MatchState.CONFIRMED:
                raise NotFoundError(
                    f"Match {match_id} of {mode.name} was confirmed by {match.claimed_by}",
                    hint="It may have started there; only that game server can give it back.",
                )
            back = await self._matches.give_back(
                mode.queue,
                match_id,
                self._settings,
                epoch=match.epoch,
                cause="operator",
                token=self._new_token(),
                when=When.LEAVE if leave else When.NOW,
            )
            if back is not None:
                notices = left_match(back)
                await self._tell(notices)
                return EndedMatch(put_back=back.put_back, left=len(notices), set_aside=0)
        raise _no_match(mode, match_id)

    async def _set_aside(self, mode: GameMode, match: UnreadableMatch) -> EndedMatch:
        done, players = await self._matches.set_aside(
            mode.queue, [match], token=self._new_token(), kept=self._settings.max_dead_letters
        )
        if not done:
            raise _no_match(mode, match.match_id)
        return EndedMatch(put_back=0, left=0, set_aside=len(players))

    async def dead_letters(
        self,
        mode: GameMode,
        *,
        count: int,
        before: str | None = None,
        most_bytes: float = math.inf,
    ) -> list[DeadLetter]:
        """The newest dead letters of a mode; with `before`, only those before that entry. Fewer
        where they grow too large.
        """
        if before is not None:
            _checked_entry(before)
        return await self._dead_letters.list(
            mode.queue, count=count, before=before, most_bytes=most_bytes
        )

    async def dead_letter(self, mode: GameMode, entry_id: str) -> DeadLetter:
        """One dead letter."""
        return await self._dead_letters.get(mode.queue, _checked_entry(entry_id))

    async def requeue(self, mode: GameMode, entry_id: str, *, metadata: str | None) -> str:
        """Puts a dead letter back with the place it had; returns the player.

        `metadata` replaces what could not be read. Raises BadRequestError where the ticket would
        be set aside again.
        """
        letter = await self.dead_letter(mode, entry_id)
        text = letter.metadata if metadata is None else metadata
        ticket = read_ticket(letter.player_id, letter.enqueued_at, text.encode(), mode)
        if isinstance(ticket, PoisonedTicket) and not letter.request:
            raise BadRequestError(
                f"{letter.player_id} would be set aside again: {ticket.reason}",
                hint='Give mended metadata, such as {"pod_id": "pod-a"}.',
            )
        return await self._dead_letters.requeue(
            mode.queue, entry_id, metadata=metadata or "", token=self._new_token()
        )

    async def drop(self, mode: GameMode, entry_id: str) -> None:
        """Deletes a dead letter for good."""
        await self._dead_letters.drop(mode.queue, _checked_entry(entry_id), token=self._new_token())


def _party_of(mode: GameMode, tickets: Iterable[Ticket | PoisonedTicket]) -> PartyPlace | None:
    for ticket in tickets:
        if party_id := party_of(ticket.ticket_id, ticket.members):
            players = tuple(member.player_id for member in ticket.members)
            return PartyPlace(mode=mode.name, party_id=party_id, players=players)
    return None


def _no_match(mode: GameMode, match_id: str) -> NotFoundError:
    return NotFoundError(
        f"There is no pending match {match_id} in {mode.name}",
        hint="It may have started or been given back.",
    )


def _checked_entry(entry_id: str) -> str:
    first, dash, second = entry_id.partition("-")
    parts = (first, second)
    if not (dash and all(each.isascii() and each.isdecimal() for each in parts)) or any(
        int(each[:30]) >= 2**64 for each in parts
    ):
        raise BadRequestError(
            f"{entry_id!r} is no id of a dead letter", hint="It looks like 1700000000000-0."
        )
    return entry_id
