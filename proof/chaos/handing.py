"""What a game server says of matches in plain messages, as any language could, without a client."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

from crowd import handing
from crowd.history import Event
from matchkeeper.domain.realm import in_realm
from matchkeeper.store import keys
from matchkeeper.wire.answers import BattleRequest
from proof.chaos.settings import PodOptions
from proof.chaos.wire import Client, WireError

_WAITS_SECONDS = (1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
"""How long an answer is waited for before the same message is sent again."""
_PATIENCE = {"claim": 3, "decline": 3}
"""How often others are sent at most than a confirm, which must know: by then their time is over."""
_TWICE = 0.15
"""Of the messages, those that are sent twice at once."""
_TRY_AGAIN = "internal_error"


class Hands(Protocol):
    """What takes matches for a game server: the client that ships, or plain messages. Each asks
    until it knows; the client raises StoreError where it does not.
    """

    async def claim(self, request: BattleRequest) -> bool:
        """Whether the match is ours."""

    async def decline(self, request: BattleRequest) -> bool:
        """Whether it was given back."""

    async def started(
        self, request: BattleRequest, assignment: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> bool:
        """Whether the match that is ours may start."""

    async def start(
        self, request: BattleRequest, assignment: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> bool:
        """Both in one."""


class Answers:
    """Who waits for what came of which message."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[str]] = {}

    def expect(self, token: str) -> asyncio.Future[str]:
        """The reply to the message with this token."""
        return self._waiting.setdefault(token, asyncio.get_running_loop().create_future())

    def forget(self, token: str) -> None:
        """Nobody waits any more."""
        self._waiting.pop(token, None)

    def hear(self, answer: Event) -> None:
        """A reply has come."""
        waiting = self._waiting.get(answer.token)
        if waiting is not None and not waiting.done() and answer.code != _TRY_AGAIN:
            waiting.set_result(answer.code)


class Messages:
    """Says it in messages, all by Pub/Sub or all by stream: between the two there is no order."""

    def __init__(
        self,
        pod: str,
        options: PodOptions,
        answers: Answers,
        *,
        client: Client,
        rng: random.Random,
        by_stream: bool,
    ) -> None:
        self._pod = pod
        self._answers = answers
        self._client = client
        self._rng = rng
        self._by_stream = by_stream
        self._stream = keys.requests(options.realm)
        self._channel = in_realm("match:handoff:request", options.realm)

    async def claim(self, request: BattleRequest) -> bool:
        """See `Hands`."""
        return await self._say("claim", request) == "claimed"

    async def decline(self, request: BattleRequest) -> bool:
        """See `Hands`."""
        return await self._say("decline", request) == "declined"

    async def started(
        self, request: BattleRequest, assignment: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> bool:
        """See `Hands`."""
        return await self._say("confirm", request, assignment, secrets) == "started"

    async def start(
        self, request: BattleRequest, assignment: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> bool:
        """See `Hands`."""
        return await self._say("start", request, assignment, secrets) == "started"

    async def _say(
        self,
        kind: str,
        request: BattleRequest,
        assignment: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> str:
        """The reply; empty where none comes. The same message is sent until then."""
        token = handing.token(self._pod, f"{self._rng.randrange(16**8):08x}")
        told = {"assignment": assignment, "secrets": secrets} if assignment else {}
        body = json.dumps(
            {
                "kind": kind,
                "pod_id": self._pod,
                "game_mode": request.game_mode,
                "match_id": request.match_id,
                "epoch": request.epoch,
                "token": token,
                **told,
            }
        )
        answer = self._answers.expect(token)
        try:
            for seconds in _WAITS_SECONDS[: _PATIENCE.get(kind)]:
                for _ in range(1 + (self._rng.random() < _TWICE)):
                    with suppress(WireError):
                        await self._send(body)
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds * self._rng.uniform(0.7, 1.5)):
                        return await asyncio.shield(answer)
        finally:
            self._answers.forget(token)
            answer.cancel()
        return ""

    async def _send(self, body: str) -> None:
        if self._by_stream:
            words = ("XADD", self._stream, "NOMKSTREAM", "*", "kind", "handoff", "body", body)
            await self._client.call(words)
        else:
            await self._client.call(("PUBLISH", self._channel, body))
