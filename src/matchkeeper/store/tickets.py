"""Players into a queue, out of it, and a look at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from matchkeeper.domain.realm import QueueName
from matchkeeper.domain.ticket import Poison, PoisonedTicket, Ticket, Traits
from matchkeeper.store import keys
from matchkeeper.store.asked import (
    Answer,
    Asked,
    PartyPlayer,
    Reply,
    dequeue,
    enqueue,
    party_in,
)
from matchkeeper.store.connection import Connection
from matchkeeper.store.looks import Looks
from matchkeeper.store.places import others
from matchkeeper.store.scripts import Unsent, each, script
from matchkeeper.store.stream import Entry
from matchkeeper.wire.limits import MAX_METADATA_BYTES
from matchkeeper.wire.requests import Request


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A request as one server has it in hand."""

    request: Request
    token: str
    """Made once for each message in hand; retries repeat it."""
    entry: Entry | None = None
    """Its place in a stream."""
    traits: Traits = Traits()
    """What strategies read of the players, for an enqueue."""
    since: int = 0
    """Of one that may be a copy of another: since when it may have been sent, Unix milliseconds."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one request. `detail`: the enqueue time of a player who was queued just now,
    where the player is, or the pod to tell.
    """

    heard: Heard
    reply: Reply
    detail: str
    answered: bool = False
    """The script itself has published the answers."""

    @property
    def ticket_id(self) -> str:
        """The ticket that it was about: of a dequeue, the one that was taken out."""
        party = party_in(self.detail)
        return self.heard.request.ticket_id if party is None else party[0]

    @property
    def players(self) -> int:
        """How many players left with that ticket."""
        party = party_in(self.detail)
        return 1 if party is None else len(party[1])


class Standing(NamedTuple):
    """A ticket to be taken out, if it stands where it was read."""

    ticket_id: str
    score: str


class Letter(NamedTuple):
    """A ticket that cannot be read."""

    ticket_id: str
    score: str
    raw: bytes
    reason: bytes


def _ids(reply: Sequence[bytes]) -> set[str]:
    return {keys.text(ticket_id) for ticket_id in reply}


@script(
    _ids,
    *(keys.answered, keys.queue, keys.metadata, keys.dead, keys.history, keys.parties),
    *(keys.news, keys.clock),
    each("letters", hand_made_metadata=keys.hand_made_metadata),
)
def set_aside(
    *,
    queue: Unsent[QueueName],
    token: Unsent[str],
    memory: int,
    news_ms: int,
    kept: int,
    mode: str,
    of_parties: Mapping[int, Sequence[str]],
    letters: Sequence[Letter],
) -> None:
    """The tickets that this call has set aside. `kept`: how many dead letters are kept;
    `of_parties`: place among the letters -> players of a party.
    """


@script(
    _ids,
    *(keys.answered, keys.queue, keys.metadata, keys.history, keys.parties, keys.news, keys.clock),
    each("tickets", hand_made_metadata=keys.hand_made_metadata),
)
def expire(
    *,
    queue: Unsent[QueueName],
    token: Unsent[str],
    memory: int,
    news_ms: int,
    max_wait_seconds: float,
    mode: str,
    of_parties: Mapping[int, Sequence[str]],
    tickets: Sequence[Standing],
) -> None:
    """The tickets that this call has taken out. `of_parties`: place -> players of a party."""


class TicketStore(Looks):
    """The queues of all modes. Methods raise StoreError.

    `longest`: how many may wait in a queue; a queue that is not in it has no limit. `channel`: of
    the answers, in two parts, between which the pod stands; empty: the caller answers.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        queues: Sequence[QueueName],
        several_queues: bool = False,
        longest: Mapping[QueueName, int] = MappingProxyType({}),
        channel: Sequence[str] = (),
    ) -> None:
        super().__init__(connection, queues=queues)
        self._channel = tuple(channel)
        self._several = several_queues
        self._longest = longest

    async def enqueue(self, queue: QueueName, batch: Sequence[Heard]) -> tuple[int, list[Outcome]]:
        """Puts players into a queue; returns its length and what came of each request. In the same
        step the requests leave their stream, which is the same for all.
        """
        # The script itself publishes the answer, so that it comes before any news of a match.
        channel = () if self._connection.options.durability.command else self._channel
        together = {nth: each for nth, each in enumerate(batch, start=1) if each.request.party}
        members = [PartyPlayer(one.player_id) for e in together.values() for one in e.request.party]
        packed = {
            **self._packed(queue, batch),
            "several": self._several,
            "longest": self._longest.get(queue, 0),
            "metadata": [heard.request.metadata for heard in batch],
            "channel": channel,
            "pods": [heard.request.pod_id or "" for heard in batch],
            "parties": {
                nth: (
                    [one.player_id for one in each.request.party],
                    [one.pod_id for one in each.request.party],
                )
                for nth, each in together.items()
            },
        }
        call = enqueue(
            queue=queue,
            scope=self._scope(queue),
            stream=_stream(queue, batch),
            packed=packed,
            asked=_asked(batch),
            others=others(queue, self._queues),
            marks=[*(heard.request.player_id for heard in batch), *(m.player_id for m in members)]
            if self._several
            else [],
            members=members,
        )
        length, answers = await self._connection.script(call, durable=True)
        return length, _outcomes(batch, answers, answered=bool(channel))

    async def dequeue(self, queue: QueueName, batch: Sequence[Heard]) -> list[Outcome]:
        """Takes players out of a queue because they ask to leave; streams as in `enqueue`."""
        call = dequeue(
            queue=queue,
            scope=self._scope(queue),
            stream=_stream(queue, batch),
            packed={**self._packed(queue, batch), "news_ms": self._connection.news_ms},
            asked=_asked(batch),
            others=others(queue, self._queues) if self._several else [],
        )
        answers = await self._connection.script(call, durable=True)
        return _outcomes(batch, answers)

    def _scope(self, queue: QueueName) -> QueueName:
        return queue if self._several else QueueName(realm=queue.realm, mode="")

    def _packed(self, queue: QueueName, batch: Sequence[Heard]) -> dict[str, object]:
        return {
            "mode": queue.mode,
            "group": batch[0].entry.group if batch[0].entry else "",
            "memory_ms": self._connection.memory_ms,
            "players": [heard.request.ticket_id for heard in batch],
            "tokens": [heard.token for heard in batch],
            "entries": [heard.entry.entry_id if heard.entry else "" for heard in batch],
            "repeats": {
                nth: heard.request.repeats
                for nth, heard in enumerate(batch, start=1)
                if heard.request.repeats and _repeats(heard)
            },
            "since": {nth: heard.since for nth, heard in enumerate(batch, start=1) if heard.since},
        }

    async def set_aside(
        self,
        queue: QueueName,
        tickets: Sequence[PoisonedTicket],
        *,
        token: str,
        kept: int,
        raw_limit: int,
    ) -> set[str]:
        """Moves tickets to the dead letters; returns the ids of those that this call has moved."""
        letters = [
            Letter(
                ticket.ticket_id,
                repr(ticket.enqueued_at),
                (ticket.raw_metadata or "").encode("utf-8", "replace")[: _limit(ticket, raw_limit)],
                ticket.reason.encode("utf-8", "replace"),
            )
            for ticket in tickets
        ]
        memory = self._connection.memory_ms
        call = set_aside(
            queue=queue,
            token=token,
            memory=memory,
            news_ms=self._connection.news_ms,
            kept=kept,
            mode=queue.mode,
            of_parties=_of_parties(tickets),
            letters=letters,
        )
        return await self._connection.script(call)

    async def expire(
        self, queue: QueueName, tickets: Sequence[Ticket], *, token: str, max_wait: timedelta
    ) -> set[str]:
        """Takes out tickets that have waited `max_wait`; returns the ids of those taken out."""
        call = expire(
            queue=queue,
            token=token,
            memory=self._connection.memory_ms,
            news_ms=self._connection.news_ms,
            max_wait_seconds=max_wait.total_seconds(),
            mode=queue.mode,
            of_parties=_of_parties(tickets),
            tickets=[Standing(ticket.ticket_id, repr(ticket.enqueued_at)) for ticket in tickets],
        )
        return await self._connection.script(call, durable=True)


def _of_parties(tickets: Sequence[Ticket | PoisonedTicket]) -> dict[int, list[str]]:
    return {
        place: [each.player_id for each in ticket.members]
        for place, ticket in enumerate(tickets, start=1)
        if ticket.party_id is not None
    }


def _limit(ticket: PoisonedTicket, raw_limit: int) -> int:
    """Nothing is wrong with a party that is in two places: it can go back as it is."""
    return MAX_METADATA_BYTES if ticket.kind is Poison.IN_TWO_PLACES else raw_limit


def _asked(batch: Sequence[Heard]) -> list[Asked]:
    return [
        Asked(each.request.fingerprint, each.request.player_id, each.request.ticket_id)
        for each in batch
    ]


def _stream(queue: QueueName, batch: Sequence[Heard]) -> str:
    entry = batch[0].entry
    return entry.stream if entry else keys.requests(queue.realm)


def _repeats(heard: Heard) -> bool:
    """Whether the request that it repeats stands before it in the same stream, as far as anybody
    can tell.
    """
    entry = heard.entry
    if entry is None or not entry.group:
        return False
    first, again = (
        tuple(map(int, entry_id.split("-"))) for entry_id in (heard.request.repeats, entry.entry_id)
    )
    return first < again


def _outcomes(
    batch: Sequence[Heard], answers: Sequence[Answer], *, answered: bool = False
) -> list[Outcome]:
    return [
        Outcome(
            heard=heard,
            reply=reply,
            detail=detail,
            answered=answered and reply is Reply.QUEUED,
        )
        for heard, (reply, detail) in zip(batch, answers, strict=True)
    ]
