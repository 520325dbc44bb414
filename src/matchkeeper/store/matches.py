"""Committed matches: made, handed over, given back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.domain.realm import QueueName
from matchkeeper.domain.ticket import Ticket, members_of
from matchkeeper.store import keys
from matchkeeper.store.claimers import Refusals, claimers
from matchkeeper.store.connection import Connection
from matchkeeper.store.durability import Durability
from matchkeeper.store.handoffs import Handoffs
from matchkeeper.store.pending import Overdue, PendingMatch, UnreadableMatch, read_match
from matchkeeper.store.places import places
from matchkeeper.store.present import Present
from matchkeeper.store.scripts import Script
from matchkeeper.store.tickets import pack
from matchkeeper.wire import answers
from matchkeeper.wire.metadata import members_in

_SET_ASIDE_KEPT = timedelta(days=1)

_OTHERS_EVERY = timedelta(seconds=2)


class CommitReply(StrEnum):
    """What came of a proposal."""

    COMMITTED = "committed"
    NO_SERVER = "no_server"
    """Nobody heard the offer; nothing left the queue."""
    STALE = "stale"
    """A player left, or is in another match, since the queue was read."""


class NewMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal made ready to be committed."""

    match_id: str
    tickets: tuple[Ticket, ...]
    """All of them, team after team."""
    team_sizes: tuple[int, ...]
    offer: tuple[str, ...]
    """The battle request in pieces; between two belongs the metadata of the next ticket."""
    notices: tuple[tuple[str, str], ...]
    """(channel, payload) for the pods of the players, sent when the match starts."""


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one new match. `detail`: subscribers, or the ticket that is gone."""

    match: NewMatch
    reply: CommitReply
    subscribers: int = 0
    stale_ticket: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenBack:
    """A match that ended without a start."""

    put_back: int
    left: tuple[tuple[str, str], ...]
    """(ticket id, metadata) of those that do not go back, to be told `DeQueued`."""

    def news(self, result_channel: Callable[[str], str]) -> list[tuple[str, bytes]]:
        """(channel, payload) for the pods of those who do not go back."""
        return [
            (result_channel(member.pod_id), answers.plain(member.player_id, answers.DEQUEUED))
            for ticket_id, metadata in self.left
            for member in members_in(ticket_id, metadata.encode())
        ]


class When(StrEnum):
    """When a match may be given back."""

    DUE = "due"
    NOW = "now"
    LEAVE = "leave"
    """At once, and its players do not go back into the queue of the mode."""


class MatchStore(Handoffs):
    """The matches of all modes. Methods raise StoreError."""

    def __init__(
        self,
        connection: Connection,
        *,
        queues: Sequence[QueueName],
        several_queues: bool = False,
    ) -> None:
        super().__init__(connection)
        self._queues = tuple(queues)
        self._present = Present(
            connection, keys.pending, keys.claimers, queues=queues, others_every=_OTHERS_EVERY
        )
        self._several = several_queues

    @property
    def durability(self) -> Durability:
        """What a start must have reached before anybody is told."""
        return self._connection.options.durability

    async def commit(
        self,
        mode: GameMode,
        matches: Sequence[NewMatch],
        *,
        channel: str,
        offer_timeout: timedelta,
        memory: timedelta,
    ) -> list[Committed]:
        """Makes matches of proposals, each wholly or not at all."""
        queue = mode.queue
        more, table = places(queue, self._queues).left(5)
        names: list[str | bytes] = [
            *(keys.queue(queue), keys.metadata(queue), keys.pending(queue), keys.history(queue)),
            *more,
        ]
        first_match = len(names) + 1
        names += [keys.match(queue, match.match_id) for match in matches]
        tickets = [ticket for match in matches for ticket in match.tickets]
        hand_made = {place: each for place, each in enumerate(tickets, start=1) if each.hand_made}
        by_hand = {place: len(names) + nth for nth, place in enumerate(hand_made, start=1)}
        names += [keys.hand_made_metadata(each.ticket_id) for each in hand_made.values()]
        last_match = len(names) + 1 if self._several else 0
        if self._several:
            names += [keys.last_match(each.player_id) for each in members_of(tickets)]
        call = pack(
            {
                "claim": mode.handoff is Handoff.CLAIM,
                "channel": channel,
                "offer_seconds": offer_timeout.total_seconds(),
                "lease_seconds": mode.claim_lease.total_seconds(),
                "durability": str(self.durability),
                "memory_ms": int(memory.total_seconds() * 1000),
                "places": table,
                "ids": [ticket.ticket_id for ticket in tickets],
                "scores": [repr(ticket.enqueued_at) for ticket in tickets],
                "sums": [ticket.metadata_sum for ticket in tickets],
                "hand_made": by_hand,
                "first_match": first_match,
                "last_match": last_match,
                "proposals": [(each.match_id, each.team_sizes, each.offer) for each in matches],
            }
        )
        args = [call, *(pack(match.notices) for match in matches)]
        reply = await self._connection.script(Script.COMMIT, names, args, durable=True)
        self._present.written(queue)
        pairs = zip(matches, reply[::2], reply[1::2], strict=True)
        return [_committed(match, _commit_replies[code], detail) for match, code, detail in pairs]

    async def present(self) -> set[QueueName]:
        """The queues with pending matches, or with game servers that start nothing; those where
        only other servers make matches two seconds later.
        """
        return await self._present.look()

    async def overdue(self, queue: QueueName, *, start: int = 0, count: int) -> Overdue:
        """How many matches are pending, and those whose deadline has passed: `count` at most, but
        for the first `start`.
        """
        names = [keys.pending(queue), keys.claimers(queue)]
        now, pending, overdue, failing = await self._connection.script(
            Script.OVERDUE, names, [start, count]
        )
        return Overdue(
            pending=int(pending),
            match_ids=tuple(map(keys.text, overdue)),
            claimers=claimers(float(now), failing),
        )

    async def pending_ids(self, queue: QueueName, *, count: int) -> list[str]:
        """Ids of pending matches, the earliest deadline first."""

        async def fetch(redis: Redis) -> Any:
            return await redis.zrange(keys.pending(queue), 0, count - 1)

        return [keys.text(match_id) for match_id in await self._connection.run("pending", fetch)]

    async def read(self, mode: GameMode, match_id: str) -> PendingMatch | UnreadableMatch:
        """What stands behind an entry of the pending matches."""
        name = keys.raw(keys.match(mode.queue, match_id))

        async def get(redis: Redis) -> dict[bytes, bytes] | None:
            try:
                fields: Any = await redis.hgetall(name)
            except ResponseError as error:
                if str(error).startswith("WRONGTYPE"):
                    return None
                raise
            return dict(fields)

        fields = await self._connection.run("pending match", get)
        return read_match(mode, match_id, fields)

    async def set_aside(
        self,
        queue: QueueName,
        matches: Sequence[UnreadableMatch],
        *,
        token: str,
        kept: int,
    ) -> tuple[list[str], list[str]]:
        """Matches that cannot be read are no longer pending, and their players are free. Returns
        those that this call has set aside, and the tickets that are dead letters now, of which
        `kept` are kept at most.
        """
        described: list[str | bytes] = []
        for match in matches:
            match_id, state, epoch = map(keys.raw, (match.match_id, match.state, match.epoch))
            reason = f"Match {match.match_id}: {match.reason}".encode("utf-8", "replace")
            described += [match_id, state, epoch, reason]
        names: list[str | bytes] = [
            keys.answered(queue, token),
            keys.pending(queue),
            keys.matched(queue),
            keys.leaving(queue),
            keys.dead(queue),
            keys.history(queue),
            *(keys.raw(keys.match(queue, match.match_id)) for match in matches),
        ]
        memory_ms, look_ms = self._connection.memory_ms, int(_SET_ASIDE_KEPT.total_seconds() * 1000)
        done, tickets = await self._connection.script(
            Script.SET_ASIDE_MATCHES, names, [memory_ms, kept, look_ms, *described]
        )
        return [keys.text(each) for each in done], [keys.text(each) for each in tickets]

    async def pending_match_of(self, player_id: str) -> tuple[QueueName, str] | None:
        """(queue, match id) of the pending match that a player is in."""

        async def look(redis: Redis) -> list[Any]:
            async with redis.pipeline(transaction=False) as pipe:
                for queue in self._queues:
                    pipe.hget(keys.matched(queue), keys.raw(player_id))
                return list(await pipe.execute())

        found = await self._connection.run("where", look)
        return next(
            (
                (queue, keys.text(match_id))
                for queue, match_id in zip(self._queues, found, strict=True)
                if match_id is not None
            ),
            None,
        )

    async def redeliver(
        self,
        mode: GameMode,
        match: PendingMatch,
        *,
        token: str,
        channel: str,
        offer: str,
        offer_timeout: timedelta,
    ) -> int | None:
        """Offers an unclaimed match again; returns who heard it, None when it is not due."""
        reply = await self._connection.script(
            Script.REDELIVER,
            [
                keys.answered(mode.queue, token),
                keys.match(mode.queue, match.match_id),
                keys.pending(mode.queue),
                keys.history(mode.queue),
            ],
            [
                self._connection.memory_ms,
                match.match_id,
                match.epoch,
                channel,
                offer,
                offer_timeout.total_seconds(),
            ],
        )
        return int(reply[1]) if reply[0] == b"offered" else None

    async def give_back(
        self,
        queue: QueueName,
        match_id: str,
        refusals: Refusals,
        *,
        epoch: int,
        cause: str,
        token: str,
        when: When = When.DUE,
    ) -> GivenBack | None:
        """Ends a pending match; its players keep their place. None when somebody was faster."""
        seen = places(queue, self._queues)
        names = [
            keys.answered(queue, token),
            keys.match(queue, match_id),
            keys.pending(queue),
            keys.matched(queue),
            keys.leaving(queue),
            keys.history(queue),
            keys.claimers(queue),
        ]
        for each in (queue, *seen.others):
            names += [keys.queue(each), keys.metadata(each)]
        reply = await self._connection.script(
            Script.GIVE_BACK,
            names,
            [
                self._connection.memory_ms,
                match_id,
                epoch,
                cause,
                when.value,
                refusals.unstarted_threshold,
                refusals.unstarted_refusal_seconds,
                refusals.unstarted_refusal_max_seconds,
                queue.mode,
                *(each.mode for each in seen.others),
            ],
        )
        if reply[0] != b"given_back":
            return None
        left = reply[2]
        return GivenBack(
            put_back=int(reply[1]),
            left=tuple(
                (ticket_id.decode(), text.decode())
                for ticket_id, text in zip(left[::2], left[1::2], strict=True)
            ),
        )


_commit_replies: Mapping[bytes, CommitReply] = {each.value.encode(): each for each in CommitReply}


def _committed(match: NewMatch, reply: CommitReply, detail: bytes) -> Committed:
    return Committed(
        match=match,
        reply=reply,
        subscribers=int(detail) if reply is CommitReply.COMMITTED else 0,
        stale_ticket=detail.decode() if reply is CommitReply.STALE else "",
    )
