"""What a game server hears: battle requests and results, over a connection that comes back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from ..domain.realm import folded
from ..errors import StoreError, StoreUnavailableError
from ..store.operations import Operations
from ..store.subscription import subscribed
from ..wire.answers import Answer, BattleRequest, decode_answer, decode_battle_request
from ..wire.handed import Handoff, HandoffAnswer, decode_handoff_answer

T = TypeVar("T")

_PAUSE_SECONDS = 0.5
_HANDOFF = b'"Handoff"'
_WORD = {"enqueue": "EnQueued", "dequeue": "DeQueued"}


@dataclass(slots=True, kw_only=True, eq=False)
class Expected:
    """A request that is not answered yet."""

    word: str
    game_mode: str
    """As `folded`."""
    answer: asyncio.Future[Answer]
    asked_again: bool = False
    """No answer came in time: it may have been lost."""

    def is_met_by(self, answer: Answer) -> bool:
        """Whether only the request can explain this news: a match in its mode, after `EnQueued`."""
        if not (self.asked_again and self.word == "EnQueued" and answer.kind == "MatchFound"):
            return False
        found = answer.result_type
        mode = found["MatchFound"].get("game_mode") if isinstance(found, dict) else None
        return isinstance(mode, str) and folded(mode) == self.game_mode


class Inbox:
    """Listens until cancelled. Queues are bounded: entries not read in time make room for news."""

    def __init__(
        self,
        connection: Operations,
        *,
        heard: Callable[[], None],
        battle_channel: str,
        result_channel: str,
        size: int,
        rng: random.Random,
    ) -> None:
        self._connection = connection
        self._heard = heard
        """Is called when a server has answered."""
        self._battle_channel = battle_channel
        self._result_channel = result_channel
        self._rng = rng
        self._ready = asyncio.Event()
        self._expected: dict[str, list[Expected]] = {}
        self._handed: dict[str, list[asyncio.Future[Handoff]]] = {}
        """Token -> who waits for what came of that message."""
        self.battles: asyncio.Queue[BattleRequest] = asyncio.Queue(size)
        self.news: asyncio.Queue[Answer] = asyncio.Queue(size)

    async def ready(self, seconds: float) -> None:
        """Returns once Redis has confirmed the subscription. Raises StoreUnavailableError."""
        try:
            async with asyncio.timeout(seconds):
                await self._ready.wait()
        except TimeoutError:
            raise StoreUnavailableError(
                f"No subscription to {self._battle_channel} after {seconds:g}s",
                hint="Check that Redis runs and that the URL points to it.",
            ) from None

    async def run(self) -> None:
        """Listens, and again after a pause when the connection is lost."""
        while True:
            try:
                await self._listen()
            except StoreError:
                self._ready.clear()
            await asyncio.sleep(_PAUSE_SECONDS * self._rng.uniform(0.5, 1.5))

    @contextmanager
    def expecting(self, player_id: str, kind: str, game_mode: str) -> Iterator[Expected]:
        """The next answer to a request of this kind for this player."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        expected = Expected(word=_WORD[kind], game_mode=folded(game_mode), answer=future)
        waiting = self._expected.setdefault(player_id, [])
        waiting.append(expected)
        try:
            yield expected
        finally:
            future.cancel()
            waiting.remove(expected)
            if not waiting:
                self._expected.pop(player_id, None)

    @contextmanager
    def handing(self, token: str) -> Iterator[asyncio.Future[Handoff]]:
        """What comes of the message with this token."""
        future: asyncio.Future[Handoff] = asyncio.get_running_loop().create_future()
        waiting = self._handed.setdefault(token, [])
        waiting.append(future)
        try:
            yield future
        finally:
            future.cancel()
            waiting.remove(future)
            if not waiting:
                self._handed.pop(token, None)

    async def _listen(self) -> None:
        channels = [self._battle_channel, self._result_channel]
        async with subscribed(self._connection, channels) as subscription:
            self._ready.set()
            await subscription.listen(self._hear)

    def _hear(self, channel: str, payload: bytes) -> None:
        with suppress(msgspec.DecodeError):  # not a message of this wire
            self._take(channel, payload)

    def _take(self, channel: str, payload: bytes) -> None:
        if channel == self._battle_channel:
            _put(self.battles, decode_battle_request(payload))
            return
        self._heard()
        if _HANDOFF in payload:
            with suppress(msgspec.DecodeError):
                self._came(decode_handoff_answer(payload))
                return
        answer = decode_answer(payload)
        for expected in self._expected.get(answer.player_id, []):
            if expected.answer.done():
                continue
            if answer.kind in (expected.word, "Error"):
                expected.answer.set_result(answer)
                return
            if expected.is_met_by(answer):
                expected.answer.set_result(answer)
        _put(self.news, answer)

    def _came(self, answer: HandoffAnswer) -> None:
        came = answer.result_type["Handoff"]
        for waiting in self._handed.get(came.token, []):
            if not waiting.done():
                waiting.set_result(came)


def _put(queue: asyncio.Queue[T], item: T) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(item)
