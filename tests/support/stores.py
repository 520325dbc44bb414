"""Stores on a real server, as the wiring makes them, for tests that speak to the store itself."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec.structs import replace
from redis.asyncio import Redis

from matchkeeper import __version__
from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.form import FORM
from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.domain.realm import QueueName
from matchkeeper.domain.ticket import Ticket
from matchkeeper.handoff.offers import new_match
from matchkeeper.resilience.breaker import Change, CircuitBreaker
from matchkeeper.resilience.retry import RetryPolicy
from matchkeeper.store import keys
from matchkeeper.store.connection import Connection, ConnectionOptions
from matchkeeper.store.coordination import Coordination
from matchkeeper.store.dead_letters import DeadLetterStore
from matchkeeper.store.durability import Durability
from matchkeeper.store.failures import Outcome as OperationOutcome
from matchkeeper.store.handoffs import Handed, Handoffs
from matchkeeper.store.hearing import HearingStore
from matchkeeper.store.history import History
from matchkeeper.store.matches import MatchStore, NewMatch
from matchkeeper.store.sending import Sender
from matchkeeper.store.servers import Servers
from matchkeeper.store.statuses import Statuses
from matchkeeper.store.stream import Entry, RequestStream
from matchkeeper.store.tickets import Heard, Outcome, TicketStore
from matchkeeper.wire.handed import HandoffReply
from matchkeeper.wire.handoffs import HandoffKind, HandoffRequest
from matchkeeper.wire.requests import Request, RequestKind, decode, fingerprint

NORMAL = GameMode(name="Normal")
RANKED = GameMode(name="Ranked")
CLAIMED = GameMode(name="Squad", handoff=Handoff.CLAIM)
DUOS = GameMode(name="Duos", required_players=4, handoff=Handoff.CLAIM)
"""Two against two."""
MODES = (NORMAL, RANKED, CLAIMED, DUOS)
QUEUES = tuple(mode.queue for mode in MODES)
CHANNEL = "battle:request"
SETTINGS = MatchmakingSettings()

_numbers = count(1)


def token() -> str:
    """A token that is never made twice in a test run."""
    return f"token-{next(_numbers)}"


@dataclass
class Seen:
    """What the store told its observer."""

    operations: list[tuple[str, OperationOutcome]] = field(default_factory=list)
    retries: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def operation(
        self, operation: str, outcome: OperationOutcome, seconds: float, error: str
    ) -> None:
        self.operations.append((operation, outcome))

    def retry(self, operation: str) -> None:
        self.retries.append(operation)


@dataclass(kw_only=True)
class Stores:
    """All stores of one server."""

    connection: Connection
    tickets: TicketStore
    matches: MatchStore
    handoffs: Handoffs
    statuses: Statuses
    dead_letters: DeadLetterStore
    stream: RequestStream
    coordination: Coordination
    hearing: HearingStore
    history: History
    servers: Servers
    seen: Seen
    stop: asyncio.Event

    async def enqueue(
        self, player_id: str, mode: GameMode = NORMAL, *, metadata: str = "{}", pod: str = "pod-a"
    ) -> Outcome:
        """One player into a queue, as a request of its own."""
        _, outcomes = await self.tickets.enqueue(
            mode.queue, [heard(enqueue_request(player_id, mode, metadata=metadata, pod=pod))]
        )
        return outcomes[0]

    async def dequeue(self, player_id: str, mode: GameMode = NORMAL) -> Outcome:
        """One player out of a queue, as a request of its own."""
        outcomes = await self.tickets.dequeue(mode.queue, [heard(dequeue_request(player_id, mode))])
        return outcomes[0]

    async def enqueue_party(
        self, party_id: str, *players: str, mode: GameMode = DUOS, entry: Entry | None = None
    ) -> Outcome:
        """A party into a queue, as a request of its own; each player has a pod of the same name."""
        asked = heard(party_request(party_id, *players, mode=mode), entry=entry)
        _, outcomes = await self.tickets.enqueue(mode.queue, [asked])
        return outcomes[0]

    async def on_heard(self, kind: RequestKind, body: bytes = b"{}") -> Entry:
        """A request in the stream of what was heard by Pub/Sub."""
        fields: Any = {"kind": kind.value, "body": body}
        entry_id: Any = await self.connection.redis.xadd(keys.heard(), fields)
        return Entry(stream=keys.heard(), entry_id=entry_id.decode(), kind=kind.value, body=body)

    async def write(self, kind: str, body: bytes = b"{}") -> str:
        """A request in the stream; the id of its entry, empty where there is no stream."""
        return await Sender(self.connection).write(kind, body)

    async def hand(
        self,
        kind: str,
        match_id: str,
        *,
        epoch: int = 1,
        pod_id: str = "pod-x",
        token: str = "one",  # noqa: S107  # a word
        mode: GameMode | None = None,
    ) -> HandoffReply:
        """What comes of a game server's message about a match, of CLAIMED where nothing is said."""
        asked = handed(kind, match_id, epoch=epoch, pod_id=pod_id, token=token)
        return (await self.handoffs.do((mode or CLAIMED).queue, [asked])).replies[0]

    async def new_match(self, mode: GameMode = NORMAL, *, match_id: str | None = None) -> NewMatch:
        """The first players of a queue as a match that is not committed yet."""
        page = await self.tickets.read(mode, start=0, count=mode.required_players)
        parties = [ticket for ticket in page.tickets if ticket.is_party]
        texts = await self.matches.texts(mode.queue, parties)
        return duel(*page.tickets, mode=mode, match_id=match_id, texts=texts)

    async def commit(
        self, mode: GameMode, *matches: NewMatch, offer_timeout: float = 5.0
    ) -> list[str]:
        """Commits, and returns the replies as words."""
        done = await self.matches.commit(
            mode,
            matches,
            channel=CHANNEL,
            offer_timeout=timedelta(seconds=offer_timeout),
            memory=timedelta(seconds=60),
        )
        return [each.reply.value for each in done]


async def says_its_form(redis: Redis) -> None:
    """As the first server does; else what a test puts there before is that of another version."""
    await redis.hset("version", mapping={"form": FORM, "by": __version__})


def duel(
    *tickets: Ticket,
    mode: GameMode = NORMAL,
    match_id: str | None = None,
    texts: Mapping[str, bytes] = MappingProxyType({}),
) -> NewMatch:
    """A match of these, each against the others, ready to be committed."""
    return new_match(
        Proposal(teams=tuple((ticket,) for ticket in tickets)),
        mode,
        match_id=match_id or token(),
        claim_within_seconds=5,
        result_channel=lambda pod: f"pod:{pod}:match_result",
        texts=texts,
    )


def _connection(
    options: ConnectionOptions,
    seen: Seen,
    *,
    failures: int,
    clock: Callable[[], float],
    stop: asyncio.Event,
) -> Connection:
    rng = random.Random(1)
    breaker = CircuitBreaker(
        failures=failures, clock=time.monotonic, rng=rng, on_change=seen.changes.append
    )
    return Connection(options, breaker=breaker, observer=seen, clock=clock, rng=rng, stop=stop)


@asynccontextmanager
async def open_stores(
    url: str,
    *,
    me: str = "server-1",
    timeout: float = 2.0,
    attempts: int = 3,
    failures: int = 5,
    several_queues: bool = False,
    longest: Mapping[QueueName, int] | None = None,
    durability: str = "none",
    queues: Sequence[QueueName] = QUEUES,
    clock: Callable[[], float] = time.monotonic,
    channel: Sequence[str] = (),
) -> AsyncIterator[Stores]:
    """Stores for one server on the Redis at `url`. `channel`: of the answers that scripts send, in
    two parts; where there is none they send none.
    """
    seen = Seen()
    stop = asyncio.Event()
    names = {mode.queue: mode.name for mode in MODES}
    options = ConnectionOptions(
        url=url,
        client_name=me,
        timeout=timedelta(seconds=timeout),
        retry=RetryPolicy(max_attempts=attempts, base_delay=timedelta(milliseconds=10)),
        durability=Durability.parse(durability, timeout_seconds=1.0),
    )
    async with _connection(options, seen, failures=failures, clock=clock, stop=stop) as connection:
        yield Stores(
            connection=connection,
            tickets=TicketStore(
                connection,
                queues=queues,
                several_queues=several_queues,
                longest=longest or {},
                channel=channel,
            ),
            matches=MatchStore(connection, queues=queues, several_queues=several_queues),
            handoffs=Handoffs(connection),
            statuses=Statuses(
                connection,
                names={queue: names.get(queue, queue.mode) for queue in queues},
                several_queues=several_queues,
                channel=("pod:", ":match_result"),
            ),
            dead_letters=DeadLetterStore(connection, queues=queues),
            stream=RequestStream(connection, me=me),
            coordination=Coordination(connection, new_token=token),
            hearing=HearingStore(connection, me=me),
            history=History(connection, queues=queues),
            servers=Servers(connection, me=me),
            seen=seen,
            stop=stop,
        )


def handed(
    kind: str,
    match_id: str,
    *,
    epoch: int = 1,
    pod_id: str = "pod-x",
    token: str = "one",  # noqa: S107  # a word
    entry: Entry | None = None,
) -> Handed:
    """A message about a match of CLAIMED, as one server has it in hand."""
    given = HandoffKind(kind)
    request = HandoffRequest(
        kind=given,
        pod_id=pod_id,
        game_mode=CLAIMED.name,
        match_id=match_id,
        epoch=epoch,
        token=token,
    )
    return Handed(request=request, entry=entry)


def enqueue_request(
    player_id: str,
    mode: GameMode = NORMAL,
    *,
    metadata: str = "{}",
    pod: str = "pod-a",
    request_id: str | None = None,
) -> Request:
    """A decoded enqueue request; without an id each call makes a request of its own."""
    unique = f',"request_id":"{request_id}"' if request_id else f',"n":{next(_numbers)}'
    payload = (
        f'{{"player_id":"{player_id}","game_mode":"{mode.name}","pod_id":"{pod}",'
        f'"metadata":{metadata}{unique}}}'
    )
    return decode(RequestKind.ENQUEUE, payload.encode(), max_bytes=65536)


def party_request(
    party_id: str, *players: str, mode: GameMode = DUOS, request_id: str | None = None
) -> Request:
    """A decoded request of a party; each player has a pod of the same name."""
    body = {
        "party_id": party_id,
        "players": [{"player_id": one, "pod_id": one, "metadata": {"of": one}} for one in players],
        "game_mode": mode.name,
        "request_id": request_id or token(),
    }
    return decode(RequestKind.ENQUEUE, msgspec.json.encode(body), max_bytes=65536)


def dequeue_request(
    player_id: str, mode: GameMode = NORMAL, *, request_id: str | None = None
) -> Request:
    """A decoded dequeue request."""
    unique = f',"request_id":"{request_id}"' if request_id else f',"n":{next(_numbers)}'
    payload = f'{{"player_id":"{player_id}","game_mode":"{mode.name}"{unique}}}'
    return decode(RequestKind.DEQUEUE, payload.encode(), max_bytes=65536)


def heard(request: Request, *, entry: Entry | None = None, as_token: str | None = None) -> Heard:
    """A request as one server has it in hand; without an id, one of its own."""
    if not request.fingerprint:
        name = fingerprint(request.kind, token(), request.player_id, request.game_mode)
        request = replace(request, fingerprint=name)
    return Heard(request=request, token=as_token or token(), entry=entry)
