"""A game server's side of the wire: ask for players, take matches, hear results."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from ..domain.realm import NO_REALM, in_realm, realm_problem
from ..errors import MatchkeeperError, StoreError, StoreUnavailableError
from ..store.operations import Network
from ..store.sending import Sender
from ..wire.answers import Answer, BattleRequest
from ..wire.handed import Handoff, HandoffReply
from ..wire.limits import id_problem
from ..wire.status import State
from .asking import Asking, RefusedError
from .catching_up import CatchingUp
from .connection import connection
from .inbox import Inbox
from .tracing import ClientSpans
from .watching import Watching

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

_HEARTBEAT_SECONDS = 5.0
_TOKENS = 10_000
_TRY_AGAIN = ("internal_error", "not_durable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A match offered to this game server. Claim it, confirm it, and only then start it."""

    request: BattleRequest
    _server: GameServer

    async def claim(self) -> bool:
        """Takes the match for `request.lease_seconds`. False: another has it, or it is too late."""
        return await self._server.claim(self.request)

    async def started(
        self,
        assignment: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> bool:
        """Confirms the start, and returns once that is as durable as the servers want it.

        False: do not start; the players are back in the queue. `assignment`: what all players are
        told with `MatchFound`, such as an address; up to 4 KiB as JSON. `secrets`: player -> up to
        256 bytes that this player alone is told.
        """
        return await self._server.started(self.request, assignment, secrets)

    async def start(
        self,
        assignment: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> bool:
        """Claims and confirms in one, for a game server that needs no time to get ready."""
        return await self._server.start(self.request, assignment, secrets)

    async def decline(self) -> bool:
        """Gives a claimed match back, so that another server is asked at once."""
        return await self._server.decline(self.request)


class GameServer:
    """One game server process, known by its `pod_id`.

    Use it as an async context manager. It listens for battle requests and for results of its
    players, sends heartbeats, and reconnects by itself. Requests, claims and confirms go through
    the durable stream with an id of their own, and are sent again when no answer comes, which is
    safe.

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
        handoff_request_channel: str = "match:handoff:request",
        match_result_channel: str = "pod:{pod_id}:match_result",
        timeout: timedelta = timedelta(seconds=10),
        max_waiting_requests: int = 10_000,
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
        rng = rng or random.Random()  # noqa: S311  # jitter, not secrets
        self._connection = connection(
            redis_url, pod_id=pod_id, timeout=timeout, network=network, clock=clock, rng=rng
        )
        self._token = token
        self._handoff_channel = in_realm(handoff_request_channel, realm)
        self._asking = Asking(
            Sender(self._connection, realm=realm), limit=max_waiting_requests, clock=clock
        )
        self._watching = Watching()
        self._inbox = Inbox(
            self._connection,
            heard=self._asking.heard,
            watching=self._watching,
            battle_channel=in_realm(battle_request_channel, realm),
            result_channel=in_realm(match_result_channel.format(pod_id=pod_id), realm),
            size=inbox_size,
            rng=rng,
        )
        self._catching_up = CatchingUp(self._inbox, self._watching, status=self.status)
        self._tokens: dict[str, str] = {}
        """Message -> its token."""
        self._spans = ClientSpans(pod_id, tracer_provider)
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Connects; returns once battle requests and results are heard. Raises StoreError."""
        await self._exit.enter_async_context(self._connection)
        try:
            group = await self._exit.enter_async_context(asyncio.TaskGroup())
            runs = (self._inbox.run(), self._beat(), self._catching_up.run())
            tasks = [group.create_task(each) for each in runs]
            self._exit.callback(lambda: [task.cancel() for task in tasks])
            await self._inbox.ready(self._connection.timeout_seconds)
            await self._say("heartbeat")
        except BaseException:
            await self._exit.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            async with asyncio.timeout(2):
                await self._say("bye")
        except (StoreError, TimeoutError):
            pass  # falling silent says the same, a little later
        await self._exit.aclose()

    async def enqueue(
        self,
        player_id: str,
        game_mode: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        request_id: str | None = None,
    ) -> None:
        """Puts a player into the queue of a mode; returns once the player is in Redis.

        `request_id`: one of your own, the same for the same wish. The wish counts once, also where
        another process asked before, within the time that requests are remembered. Returns at once
        where it is over, too: what came of it comes by `results`, as if it came just now.

        Raises RefusedError with a code, or StoreError when no answer came.
        """
        fields: dict[str, Any] = {"metadata": dict(metadata or {})}
        with self._spans.enqueue(player_id, game_mode) as traceparent:
            if traceparent:
                fields["traceparent"] = traceparent
            await self._ask(
                "enqueue", player_id, game_mode, {"player_id": player_id, **fields}, request_id
            )

    async def enqueue_party(
        self,
        party_id: str,
        players: Mapping[str, Mapping[str, Any] | None],
        game_mode: str,
        *,
        request_id: str | None = None,
    ) -> None:
        """Puts players who stay together into the queue of a mode, in this order, with their
        metadata; returns once all of them are in Redis. A dequeue of any of them takes all out.
        `request_id` as in `enqueue`.

        Raises RefusedError where one of them cannot be queued, and so nobody is, or StoreError when
        no answer came.
        """
        fields: dict[str, Any] = {
            "party_id": party_id,
            "players": [
                {"player_id": each, "metadata": dict(metadata or {})}
                for each, metadata in players.items()
            ],
        }
        _check(party_id=party_id)
        *others, last = players
        before = request_id is not None
        with ExitStack() as stack, self._spans.enqueue(party_id, game_mode) as traceparent:
            if traceparent:
                fields["traceparent"] = traceparent
            for each in others:  # their answers say the same, before that of the last
                _check(player_id=each)
                stack.enter_context(
                    self._inbox.expecting(each, "enqueue", game_mode, asked_before=before)
                )
            await self._ask("enqueue", last, game_mode, fields, request_id)

    async def dequeue(self, player_id: str, game_mode: str) -> None:
        """Takes a player out of a queue. Raises RefusedError (`not_in_queue`, `match_pending`)."""
        await self._ask("dequeue", player_id, game_mode, {"player_id": player_id})

    async def status(self, player_id: str) -> Answer:
        """Where a player of the realm is now, whichever pod asked for the player: `status` of the
        answer says it, `party_id` stands beside it. After a restart, ask so for each player. News
        of those who wait comes by `results` from then on, as of those who were asked for here.

        Raises RefusedError, or StoreError when no answer came.
        """
        _check(player_id=player_id)
        token = self._token()
        body = {"kind": "status", "pod_id": self.pod_id, "player_id": player_id, "token": token}
        with self._inbox.asking(token) as answer:
            came = await self._asking.ask("handoff", body, answer, about=f"status of {player_id}")
        if isinstance(came, Handoff):
            raise _refusal_in(came)
        found: Answer = came
        if found.status is not None and found.status.state in (State.WAITING, State.PENDING):
            self._watching.waits(player_id)
        return found

    async def battle_requests(self) -> AsyncIterator[Offer]:
        """Matches offered to this game server, as they come."""
        while True:
            yield Offer(request=await self._inbox.battles.get(), _server=self)

    async def results(self) -> AsyncIterator[Answer]:
        """`MatchFound`, `Expired` and other news of this pod's players that nobody asked for."""
        while True:
            yield await self._inbox.news.get()

    async def claim(self, request: BattleRequest) -> bool:
        """See `Offer.claim`. Raises StoreError, and RefusedError where the message is no good."""
        return await self._hand("claim", request) == HandoffReply.CLAIMED

    async def started(
        self,
        request: BattleRequest,
        assignment: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> bool:
        """See `Offer.started`. Raises StoreError."""
        told = _told(assignment, secrets)
        return await self._hand("confirm", request, told) == HandoffReply.STARTED

    async def start(
        self,
        request: BattleRequest,
        assignment: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> bool:
        """See `Offer.start`. Raises StoreError."""
        told = _told(assignment, secrets)
        return await self._hand("start", request, told) == HandoffReply.STARTED

    async def decline(self, request: BattleRequest) -> bool:
        """See `Offer.decline`. Raises StoreError."""
        return await self._hand("decline", request) == HandoffReply.DECLINED

    async def _hand(
        self, kind: str, request: BattleRequest, told: Mapping[str, Any] = MappingProxyType({})
    ) -> str:
        """What the servers say to a message about a match. The same message has the same token,
        however often it is sent.
        """
        name = f"{kind} {request.match_id} {request.epoch}"
        token = self._tokens.setdefault(name, self._token())
        while len(self._tokens) > _TOKENS:
            self._tokens.pop(next(iter(self._tokens)))
        body = {
            "kind": kind,
            "pod_id": self.pod_id,
            "game_mode": request.game_mode,
            "match_id": request.match_id,
            "epoch": request.epoch,
            "token": token,
            **told,
        }
        about = f"{kind} of match {request.match_id}"
        with self._spans.handoff(kind, request) as tell, self._inbox.asking(token) as answer:
            came: Handoff = await self._asking.ask("handoff", body, answer, about=about)
            tell(came.reply)
        return _reply_in(came)

    async def _ask(
        self,
        kind: str,
        player_id: str,
        game_mode: str,
        fields: Mapping[str, Any],
        request_id: str | None = None,
    ) -> None:
        before = request_id is not None
        request_id = self._token() if request_id is None else request_id
        _check(player_id=player_id, request_id=request_id)
        body: dict[str, Any] = {
            "game_mode": game_mode,
            "pod_id": self.pod_id,
            "request_id": request_id,
            **fields,
        }
        with self._inbox.expecting(player_id, kind, game_mode, asked_before=before) as expected:

            def again(entry_id: str) -> None:
                expected.copies += 1
                if entry_id:
                    body.setdefault("repeats", entry_id)

            about = f"{kind} of {player_id}"
            _raise_refusal(
                await self._asking.ask(kind, body, expected.answer, about=about, again=again)
            )

    async def _say(self, kind: str) -> None:
        """Of itself, by Pub/Sub: the next one makes good what is lost."""
        said = msgspec.json.encode({"kind": kind, "pod_id": self.pod_id})
        await self._connection.publish([(self._handoff_channel, said)])

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            try:
                await self._say("heartbeat")
            except StoreError:
                continue  # the next one tries again


def _told(
    assignment: Mapping[str, Any] | None, secrets: Mapping[str, str] | None
) -> dict[str, Any]:
    given = {"assignment": assignment, "secrets": secrets}
    return {name: dict(value) for name, value in given.items() if value}


def _reply_in(came: Handoff) -> str:
    if came.reply not in tuple(HandoffReply):
        raise _refusal_in(came)
    return came.reply


def _refusal_in(came: Handoff) -> MatchkeeperError:
    if came.reply in _TRY_AGAIN:
        return StoreUnavailableError(f"{came.kind} was not done: {came.message}")
    return RefusedError(came.reply, came.message)


def _check(**ids: str) -> None:
    """Raises RefusedError. A server could not say whom a bad id is about."""
    for name, value in ids.items():
        if problem := id_problem(name, value):
            code = "invalid_message_format" if name == "request_id" else "invalid_player_id"
            raise RefusedError(code, problem)


def _raise_refusal(answer: Answer) -> None:
    if answer.kind != "Error" or not isinstance(answer.result_type, dict):
        return
    error = answer.result_type["Error"]
    raise RefusedError(str(error.get("code", "")), str(error.get("message", "")))
