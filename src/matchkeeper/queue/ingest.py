"""Requests in: decoded, put into the store in batches, answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.realm import QueueName, folded
from matchkeeper.domain.ticket import Ticket, Traits
from matchkeeper.errors import StoreError, StoreRefusedError
from matchkeeper.handoff.notices import Notice, Notices, refusal
from matchkeeper.handoff.requests import HandoffRequests, PodSaid
from matchkeeper.handoff.statuses import StatusRequests
from matchkeeper.matching.rules.hopeless import never_for
from matchkeeper.observe.runtime import Runtime
from matchkeeper.queue.answering import refused, told
from matchkeeper.queue.failing import Failing
from matchkeeper.queue.requested import (
    identified,
    place_of,
    queued_ticket,
    refuse_hopeless,
    runs,
    traits_of,
)
from matchkeeper.store.asked import Reply
from matchkeeper.store.failures import NotDurableError
from matchkeeper.store.handoffs import Handed
from matchkeeper.store.statuses import Sought
from matchkeeper.store.stream import Entry, RequestStream
from matchkeeper.store.tickets import Heard, Outcome, TicketStore
from matchkeeper.wire import answers
from matchkeeper.wire.codes import ErrorCode, WireError
from matchkeeper.wire.handoffs import HANDOFF
from matchkeeper.wire.requests import RequestKind, decode, kind_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Entries that were read: requests by their queue and stream, and what cannot be used."""

    requests: Mapping[tuple[QueueName, str], Sequence[Heard]]
    """(queue, key of the stream) -> requests."""
    handoffs: Mapping[tuple[QueueName, str], Sequence[Handed]]
    """(queue, key of the stream) -> what game servers say of matches."""
    pods: Mapping[str, Sequence[PodSaid]]
    """Key of the stream -> what game servers say of themselves."""
    sought: Mapping[str, Sequence[Sought]]
    """Key of the stream -> players of whom game servers ask where they are."""
    refused: Sequence[tuple[Entry, WireError]]
    handed: Mapping[str, Sequence[Entry]]
    """Key of the stream -> entries for modes that only other servers know."""


class Queue(Protocol):
    """Is told which tickets came and which left."""

    def arrived(self, queue_length: int, tickets: Sequence[Ticket]) -> None:
        """These were put into the queue."""

    def left(self, ticket_ids: Sequence[str]) -> None:
        """These were taken out."""


_KINDS = frozenset({*RequestKind, HANDOFF})
_TRIES = 5
"""A request may fail by itself so often."""
_HANDED_PAUSE_SECONDS = 0.01
"""The pause before a request is handed on, which servers without its mode do again and again."""


class Ingest:
    """Takes batches of messages in. One batch is one script call per queue and kind."""

    def __init__(
        self,
        modes: Sequence[GameMode],
        runtime: Runtime,
        *,
        tickets: TicketStore,
        handoffs: HandoffRequests,
        statuses: StatusRequests,
        stream: RequestStream,
        notices: Notices,
        settings: MatchmakingSettings,
        queues: Mapping[QueueName, Queue],
        known_elsewhere: Callable[[str], bool],
    ) -> None:
        self._modes: Mapping[str, GameMode] = {mode.queue.mode: mode for mode in modes}
        self._never = {each.queue: never_for(each) for each in modes if each.rules is not None}
        self._tickets = tickets
        self._handoffs = handoffs
        self._statuses = statuses
        self._stream = stream
        self._notices = notices
        self._settings = settings
        self._queues = queues
        self._facts = runtime.facts
        self._clock = runtime.clock
        self._known_elsewhere = known_elsewhere
        self._new_token = runtime.new_token
        self._failing = Failing(clock=runtime.clock)
        """Requests that fail by themselves, by stream and entry."""

    async def take(self, entries: Sequence[Entry]) -> int:
        """Handles entries, in order for each player. Returns how many failed by themselves and stay
        in their stream. Raises StoreError where Redis could not do its work: entries that are not
        done stay in their stream.
        """
        return await self.apply(self.read(entries))

    def read(self, entries: Sequence[Entry]) -> Batch:
        """The first half of `take`: touches nothing outside."""
        requests: dict[tuple[QueueName, str], list[Heard]] = {}
        handoffs: dict[tuple[QueueName, str], list[Handed]] = {}
        pods: dict[str, list[PodSaid]] = {}
        sought: dict[str, list[Sought]] = {}
        refused: list[tuple[Entry, WireError]] = []
        others: dict[str, list[Entry]] = {}
        ways = Counter((each.kind, "stream" if each.group else "pubsub") for each in entries)
        for (kind, via), count in ways.items():
            self._facts.requests_heard(
                kind=kind if kind in _KINDS else "other", via=via, count=count
            )
        for entry in entries:
            try:
                if entry.kind == HANDOFF:
                    said = self._handoffs.read(entry)
                    if isinstance(said, PodSaid):
                        pods.setdefault(entry.stream, []).append(said)
                    elif isinstance(said, Sought):
                        sought.setdefault(entry.stream, []).append(said)
                    else:
                        queue, handed = said
                        handoffs.setdefault((queue, entry.stream), []).append(handed)
                    continue
                queue, heard = self._heard(entry)
            except WireError as error:
                if self._is_for_others(error):
                    others.setdefault(entry.stream, []).append(entry)
                else:
                    refused.append((entry, error))
            except Exception as error:  # noqa: BLE001  # one message must not keep out the others
                self._facts.loop_failed(loop="requests", error=error)
                why = "This message cannot be read"
                refused.append((entry, WireError(ErrorCode.INTERNAL_ERROR, why)))
            else:
                requests.setdefault((queue, entry.stream), []).append(heard)
        return Batch(
            requests=requests,
            handoffs=handoffs,
            pods=pods,
            sought=sought,
            refused=refused,
            handed=others,
        )

    async def apply(self, batch: Batch) -> int:
        """The second half of `take`. Raises StoreError as `take` does."""
        for entry, error in batch.refused:
            await self._refuse(entry, error)
        for (queue, _), said in batch.handoffs.items():
            await self._handoffs.do(self._modes[queue.mode], said)
        for beats in batch.pods.values():
            await self._handoffs.beats(beats)
        failed = 0
        failure: StoreError | None = None
        for (queue, _), requests in batch.requests.items():
            for kind, heard in runs(requests):
                try:
                    failed += await self._do(self._modes[queue.mode], kind, heard)
                except StoreError as error:
                    failure = error
                    break
        if failure is not None:
            raise failure
        # Last, so that a pod is told what came of the requests that it sent before it asked.
        for players in batch.sought.values():
            await self._statuses.answer(players)
        for stream, entries in batch.handed.items():
            failed += await self._hand_on(stream, entries)
        return failed

    def _is_for_others(self, error: WireError) -> bool:
        unknown = error.code is ErrorCode.INVALID_GAME_MODE
        return unknown and self._known_elsewhere(error.game_mode)

    async def _hand_on(self, stream: str, entries: Sequence[Entry]) -> int:
        """Hands entries on; returns how many stay. Raises StoreError."""
        try:
            count = await self._stream.hand_on(stream, entries)
        except StoreRefusedError:
            return len(entries)  # its key is no stream: that is told, and other entries go on
        if count:
            self._facts.requests_handed_on(count=count)
            await asyncio.sleep(_HANDED_PAUSE_SECONDS)
        return 0

    def _heard(self, entry: Entry) -> tuple[QueueName, Heard]:
        """The queue and the checked request. Raises WireError."""
        kind = kind_of(entry.kind, entry.body)
        request = decode(kind, entry.body, max_bytes=self._settings.max_message_bytes)
        mode = self._modes.get(folded(request.game_mode))
        if mode is None:
            known = ", ".join(sorted(mode.name for mode in self._modes.values()))
            raise WireError(
                ErrorCode.INVALID_GAME_MODE,
                f"No game mode {request.game_mode[:64]!r} here; known are {known}",
                player_id=request.player_id,
                pod_id=request.pod_id,
                game_mode=request.game_mode,
                party=request.party,
            )
        traits = Traits()
        if kind is RequestKind.ENQUEUE:
            traits = traits_of(request, mode)
            if never := self._never.get(mode.queue):
                refuse_hopeless(request, traits, mode, never)
        return mode.queue, Heard(
            request=identified(request, entry),
            token=self._new_token(),
            entry=entry,
            since=entry.since if request.fingerprint else 0,
            traits=traits,
        )

    async def _do(self, mode: GameMode, kind: RequestKind, heard: Sequence[Heard]) -> int:
        """Does requests in one call; returns how many failed by themselves. Raises StoreError."""
        try:
            outcomes = await self._apply(mode, kind, heard)
        except NotDurableError as error:
            await self._apologise(mode, heard, ErrorCode.NOT_DURABLE, error)
        except StoreRefusedError as error:
            return await self._apart(mode, kind, heard, error)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  # a defect of ours harms what it met, alone
            self._facts.loop_failed(loop="requests", error=error)
            defect = StoreRefusedError(f"A defect of the server: {error!r}")
            return await self._apart(mode, kind, heard, defect)
        else:
            await self._answer(mode, outcomes)
            for each in heard if self._failing else ():
                self._failing.over(place_of(each))
        return 0

    async def _apart(
        self, mode: GameMode, kind: RequestKind, heard: Sequence[Heard], error: StoreError
    ) -> int:
        """Does the requests one by one, so that only the faulty one fails."""
        if len(heard) > 1:
            return sum([await self._do(mode, kind, [each]) for each in heard])
        return await self._failed(mode, heard[0], error)

    async def _failed(self, mode: GameMode, heard: Heard, error: StoreError) -> int:
        """Tries a request that fails by itself some more times, then sets it aside."""
        entry = heard.entry
        if entry is None:
            raise error
        name = place_of(heard)
        if self._failing.again(name) < _TRIES:
            return 1
        try:
            buried = await self._stream.bury(
                entry,
                mode.queue,
                player_id=heard.request.player_id,
                reason=error.message,
                kept=self._settings.max_dead_letters,
            )
        except StoreRefusedError:
            return 1  # the dead letters are no stream: the request stays, others go on
        self._failing.over(name)
        if buried:
            self._facts.request_buried(
                request=heard.request.kind.value,
                mode=mode.name,
                player_id=heard.request.player_id,
                error=error.message,
            )
            await self._apologise(mode, [heard], ErrorCode.INTERNAL_ERROR, error)
        return 0

    async def _apply(
        self, mode: GameMode, kind: RequestKind, heard: Sequence[Heard]
    ) -> list[Outcome]:
        if kind is RequestKind.DEQUEUE:
            outcomes = await self._tickets.dequeue(mode.queue, heard)
            done = [each for each in outcomes if each.reply is Reply.DEQUEUED]
            self._queues[mode.queue].left([each.ticket_id for each in done])
            if done:
                players = sum(each.players for each in done)
                self._facts.dequeued(mode=mode.name, players=players)
            return outcomes
        begun = self._clock()
        try:
            length, outcomes = await self._tickets.enqueue(mode.queue, heard)
        except StoreError as error:
            seconds = self._clock() - begun
            self._facts.not_enqueued(mode=mode, heard=heard, error=error, seconds=seconds)
            raise
        seconds = self._clock() - begun
        tickets = [queued_ticket(each) for each in outcomes if each.reply is Reply.QUEUED]
        players = sum(len(ticket.members) for ticket in tickets)
        self._facts.enqueued(mode=mode, players=players, outcomes=outcomes, seconds=seconds)
        if tickets:
            self._queues[mode.queue].arrived(length, tickets)
        return outcomes

    async def _answer(self, mode: GameMode, outcomes: Sequence[Outcome]) -> None:
        to_tell: list[Notice] = []
        answered = 0
        for outcome in outcomes:
            if outcome.answered:
                answered += len(outcome.heard.request.members)
                continue
            self._count(mode, outcome)
            to_tell += told(outcome)
        over = [each.heard.request for each in outcomes if each.reply is Reply.OVER]
        to_tell += await self._statuses.tell_again(mode, over)
        if answered:
            self._facts.answered(result_type=answers.ENQUEUED, count=answered)
        await self._send(mode.name, to_tell)

    def _count(self, mode: GameMode, outcome: Outcome) -> None:
        request, facts = outcome.heard.request, self._facts
        kind, player = request.kind.value, request.player_id
        match outcome.reply:
            case Reply.AGAIN | Reply.OVER:
                facts.duplicate_request(mode=mode.name, player_id=player)
            case Reply.DUPLICATE:
                facts.done_by_others(mode=mode.name)
            case Reply.OVERTAKEN | Reply.OVERTAKEN_BY:
                facts.request_overtaken(request=kind, mode=mode.name, player_id=player)
            case Reply.REQUEST_EXPIRED:
                facts.request_expired(request=kind, mode=mode.name, player_id=player)

    async def _send(self, mode: str, notices: Sequence[Notice]) -> None:
        for code, count in Counter(each.code for each in notices if each.code).items():
            self._facts.refused(mode=mode, code=code, count=count)
        await self._notices.send(notices)

    def _mode_name(self, game_mode: str) -> str:
        """The name as it is in the settings; empty where there is no such mode."""
        mode = self._modes.get(folded(game_mode))
        return "" if mode is None else mode.name

    async def _apologise(
        self, mode: GameMode, heard: Sequence[Heard], code: ErrorCode, error: StoreError
    ) -> None:
        self._facts.requests_failed(count=len(heard), error=error.message)
        await self._send(
            mode.name,
            [
                refusal(
                    one.pod_id, one.player_id, code, error.message, party_id=each.request.party_id
                )
                for each in heard
                for one in each.request.members
            ],
        )

    async def _refuse(self, entry: Entry, error: WireError) -> None:
        if not await self._stream.discard(entry):
            return  # another server has done so
        self._facts.request_refused(
            code=error.code.value,
            reason=error.message,
            player_id=error.player_id,
            pod_id=error.pod_id or "",
        )
        await self._send(self._mode_name(error.game_mode), refused(error))
