"""Requests in: decoded, put into the store in batches, answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import msgspec
from msgspec.structs import replace

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Ticket
from matchkeeper.errors import StoreError, StoreRefusedError
from matchkeeper.loops.answering import Told, refusal, told
from matchkeeper.loops.traces import Traces
from matchkeeper.observe.events import Event, Throttle, emit
from matchkeeper.observe.metrics import Metrics
from matchkeeper.protocol import answers
from matchkeeper.protocol.codes import ErrorCode, WireError
from matchkeeper.protocol.metadata import BadMetadataError, metadata_sum, rating_in
from matchkeeper.protocol.requests import Request, RequestKind, decode, fingerprint
from matchkeeper.store.connection import Connection
from matchkeeper.store.coordination import Coordination
from matchkeeper.store.failures import NotDurableError
from matchkeeper.store.streams import Entry, RequestStreams
from matchkeeper.store.tickets import Heard, Outcome, Reply, TicketStore


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came in; `entry` is set where it came by stream."""

    kind: RequestKind
    payload: bytes
    entry: Entry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Messages that were read: requests by the tag of their queue, and what cannot be used."""

    by_tag: Mapping[str, Sequence[Heard]]
    refused: Sequence[tuple[Message, WireError]]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestRules:
    """The limits of requests."""

    max_bytes: int
    memory: timedelta
    result_channel: Callable[[str], str]


class Queue(Protocol):
    """Is told who came and who left, by tag."""

    def arrived(self, queue_length: int, tickets: Sequence[Ticket]) -> None:
        """These were put into the queue."""

    def left(self, players: Sequence[str]) -> None:
        """These were taken out."""


class Ingest:
    """Takes batches of messages in. One batch is one script call per queue and kind."""

    def __init__(
        self,
        modes: Sequence[GameMode],
        *,
        tickets: TicketStore,
        streams: RequestStreams,
        coordination: Coordination,
        connection: Connection,
        rules: IngestRules,
        queues: Mapping[str, Queue],
        traces: Traces,
        metrics: Metrics,
        throttle: Throttle,
        new_token: Callable[[], str],
        stop: asyncio.Event,
    ) -> None:
        self._modes: Mapping[str, GameMode] = {mode.tag: mode for mode in modes}
        self._tickets = tickets
        self._streams = streams
        self._coordination = coordination
        self._connection = connection
        self._rules = rules
        self._queues = queues
        self._traces = traces
        self._metrics = metrics
        self._throttle = throttle
        self._new_token = new_token
        self._stop = stop

    async def take(self, messages: Sequence[Message]) -> None:
        """Handles a batch, in order for each player. Raises StoreError where a batch from a stream
        could not be handled; it stays in the stream then.
        """
        await self.apply(self.read(messages))

    def read(self, messages: Sequence[Message]) -> Batch:
        """The first half of `take`: touches nothing outside."""
        by_tag: dict[str, list[Heard]] = {}
        refused: list[tuple[Message, WireError]] = []
        ways = Counter((each.kind, "stream" if each.entry else "pubsub") for each in messages)
        for (kind, via), count in ways.items():
            self._metrics.requests(kind.value, via, count)
        for message in messages:
            try:
                heard = self._heard(message)
            except WireError as error:
                refused.append((message, error))
            except Exception as error:  # noqa: BLE001  # one message must not keep out the others
                emit(Event.LOOP_FAILED, loop="requests", error=repr(error), exc_info=error)
                why = "This message cannot be read"
                refused.append((message, WireError(ErrorCode.INTERNAL_ERROR, why)))
            else:
                by_tag.setdefault(heard.request.game_mode, []).append(heard)
        return Batch(by_tag=by_tag, refused=refused)

    async def apply(self, batch: Batch) -> None:
        """The second half of `take`. Raises StoreError as that does."""
        for message, error in batch.refused:
            await self._refuse(message, error)
        failure: StoreError | None = None
        for tag, requests in batch.by_tag.items():
            try:
                await self._queue_batch(self._modes[tag], requests)
            except StoreError as error:
                failure = error
        if failure is not None:
            raise failure

    def _heard(self, message: Message) -> Heard:
        """The checked request; its `game_mode` is the mode's tag. Raises WireError."""
        request = decode(message.kind, message.payload, max_bytes=self._rules.max_bytes)
        mode = self._modes.get(request.game_mode.lower())
        if mode is None or (message.entry is not None and message.entry.tag != mode.tag):
            known = ", ".join(sorted(mode.name for mode in self._modes.values()))
            raise WireError(
                ErrorCode.INVALID_GAME_MODE,
                f"No game mode {request.game_mode[:64]!r} here; known are {known}",
                player_id=request.player_id,
                pod_id=request.pod_id,
            )
        rating = _rating(request, mode) if request.kind is RequestKind.ENQUEUE else None
        entry_id = message.entry.entry_id if message.entry else ""
        return Heard(
            request=_identified(replace(request, game_mode=mode.tag), entry_id),
            token=self._new_token(),
            entry_id=entry_id,
            rating=rating,
            answer=self._queued_answer(request),
        )

    def _queued_answer(self, request: Request) -> tuple[str, bytes] | None:
        if request.kind is not RequestKind.ENQUEUE or request.pod_id is None:
            return None
        payload = answers.plain(request.player_id, answers.ENQUEUED)
        return self._rules.result_channel(request.pod_id), payload

    async def _queue_batch(self, mode: GameMode, batch: Sequence[Heard]) -> None:
        for kind, heard in _runs(batch):
            try:
                outcomes = await self._apply(mode, kind, heard)
            except NotDurableError as error:
                await self._apologise(heard, ErrorCode.NOT_DURABLE, error)
            except StoreRefusedError as error:
                await self._apologise(heard, ErrorCode.INTERNAL_ERROR, error)
                for each in heard:
                    if each.entry_id:
                        await self._streams.discard(mode.tag, each.entry_id)
            except StoreError as error:
                heard_only = [each for each in heard if not each.entry_id]
                await self._apologise(heard_only, self._why(), error)
                if len(heard_only) < len(heard):
                    raise
            else:
                await self._answer(mode, outcomes)

    def _why(self) -> ErrorCode:
        stopping = self._stop.is_set()
        return ErrorCode.SERVER_SHUTTING_DOWN if stopping else ErrorCode.INTERNAL_ERROR

    async def _apply(
        self, mode: GameMode, kind: RequestKind, heard: Sequence[Heard]
    ) -> list[Outcome]:
        if kind is RequestKind.DEQUEUE:
            outcomes = await self._tickets.dequeue(mode.tag, heard)
            gone = [e.heard.request.player_id for e in outcomes if e.reply is Reply.DEQUEUED]
            self._queues[mode.tag].left(gone)
            return outcomes
        begun = self._traces.now()
        try:
            length, outcomes = await self._tickets.enqueue(mode.tag, heard)
        except StoreError as error:
            self._traces.not_done(mode, heard, error, begun=begun)
            raise
        self._traces.asked(mode, outcomes, begun=begun)
        queued = [_ticket(each) for each in outcomes if each.reply is Reply.QUEUED]
        if queued:
            self._metrics.enqueued(mode.name, len(queued))
            self._queues[mode.tag].arrived(length, queued)
        return outcomes

    async def _answer(self, mode: GameMode, outcomes: Sequence[Outcome]) -> None:
        to_tell = []
        answered = 0
        for outcome in outcomes:
            if outcome.answered:
                answered += 1
                continue
            self._count(mode, outcome)
            answer = told(outcome)
            if answer is not None:
                to_tell.append(answer)
        if answered:
            self._metrics.answer(answers.ENQUEUED, answered)
        await self._send(mode.name, to_tell)

    def _count(self, mode: GameMode, outcome: Outcome) -> None:
        if outcome.reply is Reply.DEQUEUED:
            self._metrics.dequeued(mode.name)
        elif outcome.reply in (Reply.AGAIN, Reply.DUPLICATE):
            self._metrics.duplicate(mode.name)
            if outcome.reply is Reply.AGAIN:
                player = outcome.heard.request.player_id
                emit(Event.DUPLICATE_REQUEST, mode=mode.name, player_id=player)
        elif outcome.reply in (Reply.OVERTAKEN, Reply.REQUEST_EXPIRED):
            self._came_late(mode, outcome)

    def _came_late(self, mode: GameMode, outcome: Outcome) -> None:
        event = Event.REQUEST_EXPIRED
        if outcome.reply is Reply.OVERTAKEN:
            event = Event.REQUEST_OVERTAKEN
            self._metrics.overtaken(mode.name)
        request = outcome.heard.request
        emit(event, request=request.kind.value, mode=mode.name, player_id=request.player_id)

    async def _send(self, mode: str, to_tell: Sequence[Told]) -> None:
        for answer in to_tell:
            self._metrics.answer(answer.word)
            if answer.code is not None:
                self._metrics.refused(mode, answer.code)
        try:
            await self._connection.publish(
                [
                    (self._rules.result_channel(answer.pod_id), answer.payload)
                    for answer in to_tell
                    if answer.pod_id
                ]
            )
        except StoreError as error:
            # The requests are done; Pub/Sub promises no more. Who asks again is told again.
            emit(Event.ANSWERS_LOST, count=len(to_tell), error=error.message)

    def _mode_name(self, game_mode: str) -> str:
        """As it is in the settings; empty where there is no such mode."""
        mode = self._modes.get(game_mode.lower())
        return "" if mode is None else mode.name

    async def _apologise(self, heard: Sequence[Heard], code: ErrorCode, error: StoreError) -> None:
        if heard:
            emit(Event.REQUESTS_FAILED, count=len(heard), error=error.message)
        await self._send(
            self._mode_name(heard[0].request.game_mode) if heard else "",
            [
                refusal(each.request.pod_id, each.request.player_id, code, error.message)
                for each in heard
            ],
        )

    async def _refuse(self, message: Message, error: WireError) -> None:
        tag = message.entry.tag if message.entry else error.game_mode
        self._metrics.refused(self._mode_name(tag), error.code)
        self._throttle.emit(
            Event.REQUEST_REFUSED,
            key=error.code.value,
            code=error.code.value,
            reason=error.message,
            player_id=error.player_id,
            pod_id=error.pod_id or "",
        )
        if message.entry is not None:
            await self._streams.discard(message.entry.tag, message.entry.entry_id)
        if error.pod_id is None:
            return
        self._metrics.answer("Error")
        answer = refusal(error.pod_id, error.player_id, error.code, error.message)
        mark = message.entry.entry_id if message.entry else None
        try:
            await self._coordination.answer_once(
                fingerprint(message.kind, message.payload, mark, error.player_id),
                self._rules.result_channel(error.pod_id),
                answer.payload,
                memory=self._rules.memory,
            )
        except StoreError as failure:
            emit(Event.ANSWERS_LOST, count=1, error=failure.message)


def _runs(batch: Sequence[Heard]) -> list[tuple[RequestKind, list[Heard]]]:
    """The batch in few script calls, each of one kind. One player's requests stay in their order,
    and so do all enqueues; an enqueue and a dequeue of two players do not depend on each other.
    """
    runs: dict[tuple[int, RequestKind], list[Heard]] = {}
    last: dict[str, tuple[int, RequestKind]] = {}
    latest: Counter[RequestKind] = Counter()
    for heard in batch:
        kind, player = heard.request.kind, heard.request.player_id
        turn, before = last.get(player, (0, kind))
        latest[kind] = max(latest[kind], turn + (before is not kind))
        last[player] = (latest[kind], kind)
        runs.setdefault(last[player], []).append(heard)
    return [(kind, runs[turn, kind]) for turn, kind in sorted(runs)]


def _identified(request: Request, entry_id: str) -> Request:
    """A request without an id of its own is known by its place in the stream."""
    if request.has_id or not entry_id:
        return request
    name = fingerprint(request.kind, b"", entry_id, request.player_id)
    return replace(request, fingerprint=name, has_id=True)


def _rating(request: Request, mode: GameMode) -> float | None:
    try:
        return rating_in(request.metadata, mode)
    except BadMetadataError as error:
        raise WireError(
            ErrorCode.INVALID_METADATA,
            str(error),
            player_id=request.player_id,
            pod_id=request.pod_id,
            game_mode=mode.name,
        ) from None


def _ticket(queued: Outcome) -> Ticket:
    """What now stands in the queue."""
    request = queued.heard.request
    return Ticket(
        player_id=request.player_id,
        enqueued_at=float(queued.detail),
        pod_id=request.pod_id or "",
        metadata_sum=metadata_sum(request.metadata.encode()),
        rating=queued.heard.rating,
    )
