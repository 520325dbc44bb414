"""A game server's side of the wire: ask for players, take matches, hear results."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

import msgspec

from ..domain.realm import NO_REALM, QueueName, in_realm, realm_problem
from ..errors import MatchkeeperError, StoreError, StoreUnavailableError
from ..resilience.breaker import CircuitBreaker
from ..resilience.retry import RetryPolicy
from ..store.connection import Connection, ConnectionOptions, Network, Unobserved
from ..store.coordination import Coordination
from ..store.durability import Durability
from ..store.failures import NotDurableError
from ..store.handoffs import HandoffReply, Handoffs
from ..store.stream import RequestStream, Submitted
from ..wire.answers import Answer, BattleRequest
from ..wire.limits import id_problem
from .inbox import Inbox
from .tracing import ClientSpans

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

_HEARTBEAT_SECONDS = 5.0
_ASK_AGAIN_SECONDS = (1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """The claim of one hand-out of a match. `until`: when its lease ends at the earliest."""

    token: str
    until: float


_NO_CLAIM = _Claim(token="", until=0.0)


class RefusedError(MatchkeeperError):
    """Matchkeeper refused a request; `code` is one of the documented codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A match offered to this game server. Claim it, confirm it, and only then start it."""

    request: BattleRequest
    _server: GameServer

    async def claim(self) -> bool:
        """Takes the match for `request.lease_seconds`. False: another has it, or it is too late."""
        return await self._server.claim(self.request)

    async def started(self) -> bool:
        """Confirms the start, and returns once that is as durable as the offer asks.

        False: do not start; the players are back in the queue.
        """
        return await self._server.started(self.request)

    async def decline(self) -> bool:
        """Gives a claimed match back, so that another server is asked at once."""
        return await self._server.decline(self.request)


class GameServer:
    """One game server process, known by its `pod_id`.

    Use it as an async context manager. It listens for battle requests and for results of its
    players, sends heartbeats, and reconnects by itself. Requests go through the durable stream
    with an id of their own, and are sent again when no answer comes, which is safe.

    Where the process has set up OpenTelemetry, requests and claims are spans (docs/tracing.md);
    `tracer_provider` takes the place of the one that the process has set. `network` leads
    to Redis instead of sockets. `realm` is that of the servers, as `matchmaking.realm` says there.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        pod_id: str,
        realm: str = NO_REALM,
        battle_request_channel: str = "battle:request",
        match_result_channel: str = "pod:{pod_id}:match_result",
        timeout: timedelta = timedelta(seconds=10),
        max_waiting_requests: int = 100_000,
        inbox_size: int = 10_000,
        tracer_provider: TracerProvider | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
        network: Network | None = None,
    ) -> None:
        if problem := id_problem("pod_id", pod_id):
            raise MatchkeeperError(f"GameServer: {problem}", hint="Give the pod a short name.")
        if problem := realm_problem(realm):
            hint = "Give the realm that the servers have in matchmaking.realm."
            raise MatchkeeperError(f"GameServer: {problem}", hint=hint)
        self.pod_id = pod_id
        self._realm = realm
        rng = rng or random.Random()  # noqa: S311  # jitter, not secrets
        self._connection = Connection(
            ConnectionOptions(
                url=redis_url,
                timeout=timeout,
                retry=RetryPolicy(),
                memory=timedelta(seconds=120),
                client_name=f"pod-{pod_id}".replace(" ", "_"),
                network=network,
            ),
            breaker=CircuitBreaker(
                failures=5,
                cooldown=timedelta(seconds=2),
                cooldown_max=timedelta(seconds=10),
                clock=clock,
                rng=rng,
            ),
            observer=Unobserved(),
            clock=clock,
            rng=rng,
        )
        self._coordination = Coordination(self._connection, new_token=token, realm=realm)
        self._matches = Handoffs(self._connection)
        self._token = token
        self._limit = max_waiting_requests
        self._inbox = Inbox(
            self._connection,
            battle_channel=in_realm(battle_request_channel, realm),
            result_channel=in_realm(match_result_channel.format(pod_id=pod_id), realm),
            size=inbox_size,
            rng=rng,
        )
        self._clock = clock
        self._claims: dict[str, _Claim] = {}
        self._spans = ClientSpans(pod_id, tracer_provider)
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Connects; returns once battle requests and results are heard. Raises StoreError."""
        await self._exit.enter_async_context(self._connection)
        try:
            group = await self._exit.enter_async_context(asyncio.TaskGroup())
            tasks = [group.create_task(self._inbox.run()), group.create_task(self._beat())]
            self._exit.callback(lambda: [task.cancel() for task in tasks])
            await self._inbox.ready(self._connection.timeout_seconds)
            await self._coordination.heartbeat(self.pod_id)
        except BaseException:
            await self._exit.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            async with asyncio.timeout(2):
                await self._coordination.heartbeat(self.pod_id, leaving=True)
        except (StoreError, TimeoutError):
            pass  # falling silent says the same, a little later
        await self._exit.aclose()

    async def enqueue(
        self, player_id: str, game_mode: str, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Puts a player into the queue of a mode; returns once the player is in Redis.

        Raises RefusedError with a code, or StoreError when no answer came.
        """
        fields: dict[str, Any] = {"metadata": dict(metadata or {})}
        with self._spans.enqueue(player_id, game_mode) as traceparent:
            if traceparent:
                fields["traceparent"] = traceparent
            await self._ask("enqueue", player_id, game_mode, fields)

    async def dequeue(self, player_id: str, game_mode: str) -> None:
        """Takes a player out of a queue. Raises RefusedError (`not_in_queue`, `match_pending`)."""
        await self._ask("dequeue", player_id, game_mode, {})

    async def battle_requests(self) -> AsyncIterator[Offer]:
        """Matches offered to this game server, as they come."""
        while True:
            yield Offer(request=await self._inbox.battles.get(), _server=self)

    async def results(self) -> AsyncIterator[Answer]:
        """`MatchFound`, `Expired` and other news of this pod's players that nobody asked for."""
        while True:
            yield await self._inbox.news.get()

    async def claim(self, request: BattleRequest) -> bool:
        """See `Offer.claim`. Raises StoreError."""
        new = _Claim(token=self._token(), until=self._clock() + request.lease_seconds)
        claim = self._claims.setdefault(_hand_out(request), new)
        while len(self._claims) > 10_000:
            self._claims.pop(next(iter(self._claims)))
        seconds = request.lease_seconds
        with self._spans.handoff("claim", request) as tell:
            reply = await self._matches.claim(
                self._queue(request),
                request.match_id,
                epoch=request.epoch,
                pod_id=self.pod_id,
                token=claim.token,
                durability=Durability.parse(request.durability, timeout_seconds=seconds),
            )
            tell(reply.value)
        return reply is HandoffReply.CLAIMED

    async def started(self, request: BattleRequest) -> bool:
        """See `Offer.started`. Raises StoreError."""
        with self._spans.handoff("confirm", request) as tell:
            try:
                reply = await self._confirm(request)
            except (NotDurableError, TimeoutError):
                # A new primary may know nothing of the match: then its players must not be here.
                reply = await self._decline(request)
            tell(reply.value)
        return reply is HandoffReply.STARTED

    async def _confirm(self, request: BattleRequest) -> HandoffReply:
        claim = self._claims.get(_hand_out(request), _NO_CLAIM)
        seconds = claim.until - self._clock()
        durability = Durability.parse(request.durability, timeout_seconds=seconds)
        # Redis decides by its clock about a start that need not be durable.
        async with asyncio.timeout(None if durability.command is None else max(0.0, seconds)):
            return await self._matches.confirm(
                self._queue(request),
                request.match_id,
                epoch=request.epoch,
                pod_id=self.pod_id,
                token=claim.token,
                durability=durability,
            )

    async def decline(self, request: BattleRequest) -> bool:
        """See `Offer.decline`. Raises StoreError."""
        with self._spans.handoff("decline", request) as tell:
            reply = await self._decline(request)
            tell(reply.value)
        return reply is HandoffReply.DECLINED

    async def _decline(self, request: BattleRequest) -> HandoffReply:
        return await self._matches.decline(
            self._queue(request),
            request.match_id,
            epoch=request.epoch,
            pod_id=self.pod_id,
            token=self._claims.get(_hand_out(request), _NO_CLAIM).token,
        )

    async def _ask(
        self, kind: str, player_id: str, game_mode: str, fields: Mapping[str, Any]
    ) -> None:
        body: dict[str, Any] = {
            "player_id": player_id,
            "game_mode": game_mode,
            "pod_id": self.pod_id,
            "request_id": self._token(),
            **fields,
        }
        stream = RequestStream(self._connection, me=self.pod_id, realm=self._realm)
        with self._inbox.expecting(player_id, kind, game_mode) as expected:
            for seconds in _ASK_AGAIN_SECONDS:
                submitted, entry_id = await stream.submit(
                    kind, msgspec.json.encode(body), limit=self._limit
                )
                body.setdefault("repeats", entry_id)
                if submitted is not Submitted.ADDED:
                    raise _not_submitted(submitted, game_mode)
                try:
                    async with asyncio.timeout(seconds):
                        _raise_refusal(await asyncio.shield(expected.answer))
                        return
                except TimeoutError:
                    expected.asked_again = True
        raise StoreUnavailableError(
            f"No answer to {kind} of {player_id}",
            hint="The request counts once a Matchkeeper server runs; or the player was matched or "
            "taken out meanwhile.",
        )

    def _queue(self, request: BattleRequest) -> QueueName:
        return QueueName.of(request.game_mode, self._realm)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            try:
                await self._coordination.heartbeat(self.pod_id)
            except StoreError:
                continue  # the next one tries again


def _hand_out(request: BattleRequest) -> str:
    return f"{request.match_id} {request.epoch}"


def _not_submitted(why: Submitted, game_mode: str) -> RefusedError:
    if why is Submitted.FULL:
        return RefusedError("backlog_full", "Too many requests wait; is a server running?")
    return RefusedError(
        "invalid_game_mode", f"No Matchkeeper server has served {game_mode!r} on this Redis"
    )


def _raise_refusal(answer: Answer) -> None:
    if answer.kind != "Error" or not isinstance(answer.result_type, dict):
        return
    error = answer.result_type["Error"]
    raise RefusedError(str(error.get("code", "")), str(error.get("message", "")))
