"""What a game server hears: battle requests and results, over a connection that comes back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from ..domain.realm import folded
from ..errors import StoreError, StoreUnavailableError
from ..store.operations import Operations
from ..store.subscription import subscribed
from ..wire.answers import Answer, BattleRequest, decode_answer, decode_battle_request
from ..wire.handed import Handoff, HandoffAnswer, decode_handoff_answer
from .watching import Watching

T = TypeVar("T")

_PAUSE_SECONDS = 0.5
_HANDOFF = b'"Handoff"'
_WORD = {"enqueue": "EnQueued", "dequeue": "DeQueued"}
_PASSED = ("DeQueued", "Expired")


@dataclass(slots=True, kw_only=True, eq=False)
class Expected:
    """A request that is not answered yet."""

    word: str
    game_mode: str
    """As `folded`."""
    answer: asyncio.Future[Answer]
    asked_before: bool = False
    """The caller has asked for it before, perhaps: what came of it may be over."""
    copies: int = 0
    """How often it was sent again: no answer came in time, and may have been lost."""

    def is_met_by(self, answer: Answer) -> bool:
        """Whether this news is the answer to an enqueue that was asked for again: a match in its
        mode, or what else has become of it.
        """
        if self.word != "EnQueued" or not (self.asked_before or self.copies):
            return False
        if answer.kind != "MatchFound":
            return self.asked_before and answer.kind in _PASSED
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
        watching: Watching,
        battle_channel: str,
        result_channel: str,
        size: int,
        rng: random.Random,
    ) -> None:
        self._connection = connection
        self._heard = heard
        """Is called when a server has answered."""
        self._watching = watching
        self._battle_channel = battle_channel
        self._result_channel = result_channel
        self._rng = rng
        self._ready = asyncio.Event()
        self.is_back = asyncio.Event()
        """The subscription was lost, and is there again: news may have been missed."""
        self._lost = False
        self._expected: dict[str, list[Expected]] = {}
        self._asked: dict[str, list[asyncio.Future[Any]]] = {}
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
                self._lost |= self._ready.is_set()
                self._ready.clear()
            await asyncio.sleep(_PAUSE_SECONDS * self._rng.uniform(0.5, 1.5))

    @contextmanager
    def expecting(
        self, player_id: str, kind: str, game_mode: str, *, asked_before: bool = False
    ) -> Iterator[Expected]:
        """The next answer to a request of this kind for this player."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        expected = Expected(
            word=_WORD[kind],
            game_mode=folded(game_mode),
            answer=future,
            asked_before=asked_before,
        )
        self._watching.asks(player_id)
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
    def asking(self, token: str) -> Iterator[asyncio.Future[Any]]:
        """What comes of the message with this token: a Handoff, or an Answer that is a status."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        waiting = self._asked.setdefault(token, [])
        waiting.append(future)
        try:
            yield future
        finally:
            future.cancel()
            waiting.remove(future)
            if not waiting:
                self._asked.pop(token, None)

    def hand_out(self, answer: Answer, *, made_up: bool = False) -> None:
        """Hands out news, unless it was. `made_up`: it is told because of a status."""
        if self._watching.is_news(answer, made_up=made_up):
            _put(self.news, answer)

    async def _listen(self) -> None:
        channels = [self._battle_channel, self._result_channel]
        async with subscribed(self._connection, channels) as subscription:
            self._ready.set()
            if self._lost:
                self._lost = False
                self.is_back.set()
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
        if (status := answer.status) is not None:
            self._tell(status.token, answer)
            return
        for expected in self._expected.get(answer.player_id, []):
            if expected.answer.done():
                continue
            if answer.kind in (expected.word, "Error"):
                self._watching.answered(answer, expected.copies)
                expected.answer.set_result(answer)
                return
            if expected.is_met_by(answer):
                expected.answer.set_result(answer)
        self.hand_out(answer)

    def _came(self, answer: HandoffAnswer) -> None:
        came = answer.result_type["Handoff"]
        self._tell(came.token, came)

    def _tell(self, token: str, came: Handoff | Answer) -> None:
        for waiting in self._asked.get(token, []):
            if not waiting.done():
                waiting.set_result(came)


def _put(queue: asyncio.Queue[T], item: T) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(item)
