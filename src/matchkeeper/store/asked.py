"""Many requests of one kind and one queue, in the form that the scripts take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from matchkeeper.domain.realm import QueueName
from matchkeeper.domain.ticket import Member
from matchkeeper.store import keys
from matchkeeper.store.places import Other
from matchkeeper.store.scripts import Unsent, each, script
from matchkeeper.store.stream import as_named


class Reply(StrEnum):
    """What came of an enqueue or dequeue request."""

    QUEUED = "queued"
    DEQUEUED = "dequeued"
    AGAIN = "again"
    """Sent twice; the first answer holds."""
    OVER = "over"
    """Sent twice; the first answer holds no more, and what is true now is to be told."""
    DUPLICATE = "duplicate"
    """Done by another server, which answers."""
    OVERTAKEN = "overtaken"
    """Came late, after the player had asked for something else, or was matched or taken out."""
    REQUEST_EXPIRED = "request_expired"
    """A server had it in hand, or it was first sent, too long ago: nobody knows what came of it, or
    what the player has asked for since.
    """
    ALREADY_IN_QUEUE = "already_in_queue"
    OVERTAKEN_BY = "overtaken_by"
    """A party came late, after some of its players had asked for something else."""
    IN_OTHER_QUEUE = "in_other_queue"
    IN_PARTY = "in_party"
    ID_IN_USE = "id_in_use"
    MATCH_PENDING = "match_pending"
    NOT_IN_QUEUE = "not_in_queue"
    MODE_DRAINED = "mode_drained"
    QUEUE_FULL = "queue_full"


_replies: Mapping[bytes, Reply] = {reply.value.encode(): reply for reply in Reply}
Answer = tuple[Reply, str]
"""What came of a request, and its detail."""


class Asked(NamedTuple):
    """A request, by the parts of its keys."""

    fingerprint: Unsent[str]
    player_id: Unsent[str]
    ticket_id: Unsent[str]


class _Party(msgspec.Struct, array_like=True):
    party_id: str
    players: list[tuple[str, str]]


_party = msgspec.json.Decoder(_Party)


def party_in(detail: str) -> tuple[str, tuple[Member, ...]] | None:
    """The party that left, and its players; None where it was a player who had come alone."""
    if not detail.startswith("\n"):
        return None
    found = _party.decode(detail[1:])
    return found.party_id, tuple([Member(player, pod) for player, pod in found.players])


class PartyPlayer(NamedTuple):
    """A player of a party, as a part of a key."""

    player_id: Unsent[str]


def _answers(reply: Sequence[bytes]) -> list[Answer]:
    pairs = zip(reply[::2], reply[1::2], strict=True)
    return [(_replies[code], detail.decode("utf-8", "replace")) for code, detail in pairs]


def _length_and_answers(reply: Any) -> tuple[int, list[Answer]]:
    return int(reply[0]), _answers(reply[1:])


@script(
    _length_and_answers,
    *(keys.queue, keys.metadata, keys.history, keys.matched, keys.parties, keys.clock),
    each("asked", seen_key=keys.seen, latest_key=keys.latest),
    each(
        "others", other_matched=keys.matched, other_queue=keys.queue, other_metadata=keys.metadata
    ),
    each("marks", last_match=keys.last_match),
    each("members", member_latest=keys.latest),
    requests=as_named,
    modes=keys.modes,
)
def enqueue(
    *,
    queue: Unsent[QueueName],
    scope: Unsent[QueueName],
    stream: Unsent[str],
    packed: Mapping[str, object],
    asked: Unsent[Sequence[Asked]],
    others: Sequence[Other],
    marks: Unsent[Sequence[str]],
    members: Sequence[PartyPlayer],
) -> None:
    """The length of the queue, and what came of each request.

    `packed`: `mode`; `group` of the stream's readers (empty: there is one, and no group);
    `memory_ms`; `several`, whether players may wait in several queues; `longest`, how long the
    queue may become (0: no limit); `repeats`, place of a request -> its entry when it was first
    sent; `since`, place of a request that may be a copy -> since when it may have been sent, Unix
    milliseconds; `parties`, place of the request of a party -> its players, and the pod of each;
    `channel` of the answers, in two parts between which the pod stands (empty: the caller answers,
    once the write is durable): players hear that they are queued before anybody can match them. For
    each request, in the order of the stream: `players` (tickets), `pods`, `metadata`, `tokens`, and
    `entries` (empty: in none). Where players may wait in several queues, `scope` is the queue,
    since a request for one says nothing about another (else it has no mode), and `marks` are the
    tickets of the requests, and behind them all players of parties. `members` are the players of
    parties.
    """


@script(
    _answers,
    *(keys.queue, keys.metadata, keys.matched, keys.leaving, keys.history, keys.parties),
    *(keys.news, keys.clock),
    each(
        "asked",
        seen_key=keys.seen,
        latest_key=keys.latest,
        hand_made_metadata=keys.hand_made_metadata,
    ),
    each("others", other_matched=keys.matched, other_leaving=keys.leaving),
    requests=as_named,
)
def dequeue(
    *,
    queue: Unsent[QueueName],
    scope: Unsent[QueueName],
    stream: Unsent[str],
    packed: Mapping[str, object],
    asked: Unsent[Sequence[Asked]],
    others: Sequence[Other],
) -> None:
    """What came of each request. Parameters as in `enqueue`, without those that only it needs.
    `packed` has `news_ms`, how long news is kept, too.

    `others`: where players may wait in several queues, the other queues whose matches may be in the
    way.
    """
