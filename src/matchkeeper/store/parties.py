"""The index of players who are in a party.

It is player -> `<mode> <party>`. The scripts that put parties into a queue and take them out keep
it; what they do not see, since it was done by hand, is entered and swept here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from matchkeeper.domain.realm import QueueName
from matchkeeper.domain.ticket import Poison, PoisonedTicket, Ticket
from matchkeeper.store import keys
from matchkeeper.store.connection import Connection
from matchkeeper.store.places import Other, others
from matchkeeper.store.scripts import Unsent, each, script

_SWEPT_AT_ONCE = 200


def _pairs(reply: Sequence[bytes]) -> list[tuple[str, str]]:
    pairs = zip(reply[::2], reply[1::2], strict=True)
    return [(code.decode(), keys.text(detail)) for code, detail in pairs]


@script(
    _pairs,
    *(keys.queue, keys.metadata, keys.matched, keys.parties),
    each("others", other_matched=keys.matched, other_queue=keys.queue),
    each("tickets", hand_made_metadata=keys.hand_made_metadata),
)
def enter(
    *,
    queue: Unsent[QueueName],
    packed: Mapping[str, object],
    others: Sequence[Other],
    tickets: Unsent[Sequence[str]],
) -> None:
    """What came of each ticket, and why.

    `packed`: `mode`; and for each ticket its `ids`, `scores`, `sums` of the metadata that was read,
    and `players`: empty where a player came alone.
    """


class Indexed(NamedTuple):
    """An entry of the index."""

    queue: Unsent[QueueName]
    player_id: str
    place: str


@script(
    int,
    keys.parties,
    each("entries", queue_of=keys.queue, matched=keys.matched, metadata=keys.metadata),
)
def sweep(*, queue: Unsent[QueueName], entries: Sequence[Indexed]) -> None:
    """How many entries are gone. `queue`: any of the realm."""


class PartyIndex:
    """The index of players who are in parties. Methods raise StoreError."""

    def __init__(self, connection: Connection, *, queues: Sequence[QueueName]) -> None:
        self._connection = connection
        self._queues = tuple(queues)
        self._cursors = {queue.realm: 0 for queue in queues}
        """Realm -> how far it was swept."""

    async def enter(
        self, queue: QueueName, tickets: Sequence[Ticket]
    ) -> tuple[list[Ticket], list[PoisonedTicket]]:
        """Enters parties that were read. Players who came alone are looked up, too. Returns those
        that may be matched, and those of which a player is somewhere else, too; what does not stand
        there any more as it was read is in neither.
        """
        packed = {
            "mode": queue.mode,
            "ids": [ticket.ticket_id for ticket in tickets],
            "scores": [repr(ticket.enqueued_at) for ticket in tickets],
            "sums": [ticket.metadata_sum for ticket in tickets],
            "players": [
                [each.player_id for each in ticket.members] if ticket.is_party else []
                for ticket in tickets
            ],
        }
        call = enter(
            queue=queue,
            packed=packed,
            others=others(queue, self._queues),
            tickets=[ticket.ticket_id for ticket in tickets],
        )
        entered: list[Ticket] = []
        twice: list[PoisonedTicket] = []
        answers = await self._connection.script(call)
        for ticket, (code, detail) in zip(tickets, answers, strict=True):
            if code == "entered":
                # From now on its metadata stands with the queue.
                entered.append(replace(ticket, hand_made=False) if ticket.is_party else ticket)
            elif code == "twice":
                twice.append(_twice(ticket, detail))
        return entered, twice

    async def place_of(self, player_id: str) -> tuple[QueueName, str] | None:
        """Queue and party of a player who is in one, as far as the index knows."""
        indexes = [keys.parties(realm) for realm in self._cursors]

        async def look(redis: Redis) -> list[Any]:
            async with redis.pipeline(transaction=False) as pipe:
                for index in indexes:
                    pipe.hget(index, keys.raw(player_id))
                return list(await pipe.execute())

        found = await self._connection.run("party of player", look)
        places = zip(self._cursors, found, strict=True)
        return next((_place(realm, place) for realm, place in places if place is not None), None)

    async def sweep(self) -> int:
        """Looks at some entries, others each time, and forgets those that are not true any more.
        Returns how many.
        """
        return sum([await self._sweep(realm) for realm in self._cursors])

    async def _sweep(self, realm: str) -> int:
        anything = QueueName(realm=realm, mode="")
        cursor = self._cursors[realm]

        async def look(redis: Redis) -> tuple[int, dict[bytes, bytes]]:
            try:
                found: Any = await redis.hscan(keys.parties(realm), cursor, count=_SWEPT_AT_ONCE)
            except ResponseError as error:
                if str(error).startswith("WRONGTYPE"):
                    return 0, {}
                raise
            return int(found[0]), dict(found[1])

        self._cursors[realm], found = await self._connection.run("look at parties", look)
        entries = [
            Indexed(_place(realm, place)[0], keys.text(player_id), keys.text(place))
            for player_id, place in found.items()
        ]
        if not entries:
            return 0
        return await self._connection.script(sweep(queue=anything, entries=entries))


def _place(realm: str, text: bytes) -> tuple[QueueName, str]:
    mode, _, party_id = keys.text(text).partition(" ")
    return QueueName(realm=realm, mode=mode), party_id


def _twice(ticket: Ticket, why: str) -> PoisonedTicket:
    return PoisonedTicket(
        ticket_id=ticket.ticket_id,
        enqueued_at=ticket.enqueued_at,
        raw_metadata=None,
        reason=why,
        kind=Poison.IN_TWO_PLACES,
        members=ticket.members,
        hand_made=ticket.hand_made,
    )
