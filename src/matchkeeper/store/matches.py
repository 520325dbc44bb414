"""Committed matches: made, handed over, given back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from matchkeeper.domain.match import Seating
from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.domain.realm import QueueName
from matchkeeper.domain.ticket import Ticket
from matchkeeper.store import keys
from matchkeeper.store.claimers import Refusals
from matchkeeper.store.committing import ByHand, CommitReply, Mark, Proposed, commit
from matchkeeper.store.connection import Connection
from matchkeeper.store.given_back import GivenBack, When, give_back
from matchkeeper.store.pending import (
    Overdue,
    PendingMatch,
    Unreadable,
    UnreadableMatch,
    overdue,
    read_match,
    set_aside_matches,
    text_of_seating,
)
from matchkeeper.store.places import others
from matchkeeper.store.present import Present
from matchkeeper.store.scripts import Unsent, script
from matchkeeper.wire.offers import Found

_SET_ASIDE_KEPT = timedelta(days=1)

_OTHERS_EVERY = timedelta(seconds=2)


class NewMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal made ready to be committed."""

    match_id: str
    tickets: tuple[Ticket, ...]
    """All of them, team after team."""
    team_sizes: tuple[int, ...]
    seating: Seating | None = None
    """What the rules of the mode decided, where it has some."""
    offer: tuple[str, ...]
    """The battle request in pieces; the metadata of the next ticket belongs between two of them."""
    notices: Found
    """What the players are told when the match starts."""


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one new match. `detail`: subscribers, or the ticket that is gone."""

    match: NewMatch
    reply: CommitReply
    subscribers: int = 0
    stale_ticket: str = ""


@script(
    lambda reply: int(reply[1]) if reply[0] == b"offered" else None,
    *(keys.answered, keys.match, keys.pending, keys.history, keys.clock),
)
def redeliver(
    *,
    queue: Unsent[QueueName],
    token: Unsent[str],
    memory: int,
    match_id: str,
    epoch: int,
    channel: str,
    offer: str,
    offer_seconds: float,
) -> None:
    """How many heard the offer; None: it is not due, or another server was faster.

    `epoch`: the epoch that ended.
    """


class MatchStore:
    """The matches of all modes. Methods raise StoreError."""

    def __init__(
        self,
        connection: Connection,
        *,
        queues: Sequence[QueueName],
        several_queues: bool = False,
    ) -> None:
        self._connection = connection
        self._queues = tuple(queues)
        self._present = Present(
            connection, keys.pending, keys.claimers, queues=queues, others_every=_OTHERS_EVERY
        )
        self._several = several_queues

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
        queue, tickets = mode.queue, [ticket for match in matches for ticket in match.tickets]
        packed = {
            "mode": queue.mode,
            "claim": mode.handoff is Handoff.CLAIM,
            "channel": channel,
            "offer_seconds": offer_timeout.total_seconds(),
            "lease_seconds": mode.claim_lease.total_seconds(),
            "memory_ms": int(memory.total_seconds() * 1000),
            "ids": [ticket.ticket_id for ticket in tickets],
            "scores": [repr(ticket.enqueued_at) for ticket in tickets],
            "sums": [ticket.metadata_sum for ticket in tickets],
            "proposals": [
                (each.match_id, each.team_sizes, each.offer, text_of_seating(each.seating))
                for each in matches
            ],
            "parties": {
                place: [each.player_id for each in ticket.members]
                for place, ticket in enumerate(tickets, start=1)
                if ticket.is_party
            },
        }
        call = commit(
            queue=queue,
            packed=packed,
            others=others(queue, self._queues),
            proposed=[Proposed(match.match_id, match.notices) for match in matches],
            by_hand=[
                ByHand(each.ticket_id, place)
                for place, each in enumerate(tickets, start=1)
                if each.hand_made
            ],
            marks=[
                Mark(each.player_id, place)
                for place, ticket in enumerate(tickets, start=1)
                for each in ticket.members
            ]
            if self._several
            else [],
        )
        reply = await self._connection.script(call, durable=True)
        self._present.written(queue)
        return [_committed(match, *came) for match, came in zip(matches, reply, strict=True)]

    async def texts(self, queue: QueueName, tickets: Sequence[Ticket]) -> dict[str, bytes]:
        """Ticket id -> metadata of tickets that wait, as it stands there now."""
        ids = [ticket.ticket_id for ticket in tickets]
        if not ids:
            return {}

        async def get(redis: Redis) -> Any:
            return await redis.hmget(keys.metadata(queue), list(map(keys.raw, ids)))

        found = await self._connection.run("read parties", get)
        return {ticket_id: text for ticket_id, text in zip(ids, found, strict=True) if text}

    async def present(self) -> set[QueueName]:
        """The queues with pending matches, or with game servers that start nothing. A queue where
        only other servers make matches appears up to two seconds later.
        """
        return await self._present.look()

    async def overdue(self, queue: QueueName, *, start: int = 0, count: int) -> Overdue:
        """How many matches are pending, and `count` at most of those whose deadline has passed,
        without the first `start` of them.
        """
        return await self._connection.script(overdue(queue=queue, start=start, count=count))

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
        """Takes matches that cannot be read out of the pending ones, and frees their players.
        Returns those that this call has set aside, and the tickets that are dead letters now. At
        most `kept` dead letters are kept.
        """
        described = [
            Unreadable(
                match.match_id,
                match.state,
                match.epoch,
                f"Match {match.match_id}: {match.reason}".encode("utf-8", "replace"),
            )
            for match in matches
        ]
        call = set_aside_matches(
            queue=queue,
            token=token,
            memory=self._connection.memory_ms,
            news_ms=self._connection.news_ms,
            kept=kept,
            mode=queue.mode,
            look_ms=int(_SET_ASIDE_KEPT.total_seconds() * 1000),
            matches=described,
        )
        return await self._connection.script(call)

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
        """Offers an unclaimed match again; returns how many heard it, None when it is not due."""
        call = redeliver(
            queue=mode.queue,
            token=token,
            memory=self._connection.memory_ms,
            match_id=match.match_id,
            epoch=match.epoch,
            channel=channel,
            offer=offer,
            offer_seconds=offer_timeout.total_seconds(),
        )
        return await self._connection.script(call)

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
        """Ends a pending match; its players keep their place. None when another server was
        faster.
        """
        call = give_back(
            queue=queue,
            token=token,
            memory=self._connection.memory_ms,
            news_ms=self._connection.news_ms,
            match_id=match_id,
            epoch=epoch,
            cause=cause,
            when=when,
            threshold=refusals.unstarted_threshold,
            refused_seconds=refusals.unstarted_refusal_seconds,
            longest_seconds=refusals.unstarted_refusal_max_seconds,
            mode=queue.mode,
            others=others(queue, self._queues),
        )
        return await self._connection.script(call)


def _committed(match: NewMatch, reply: CommitReply, detail: str) -> Committed:
    return Committed(
        match=match,
        reply=reply,
        subscribers=int(detail) if reply is CommitReply.COMMITTED else 0,
        stale_ticket=detail if reply is CommitReply.STALE else "",
    )
