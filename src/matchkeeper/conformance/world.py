"""A Valkey, a match server, another game server, and the program between them."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Self, TypeVar

from crowd.history import What
from matchkeeper.conformance.points import BrokenError, ConformanceError
from matchkeeper.conformance.program import Program
from matchkeeper.conformance.record import Offer, Record
from matchkeeper.conformance.server import MODE, match_server
from matchkeeper.conformance.tap import OURS, Names, Tap
from matchkeeper.errors import StoreError
from matchkeeper.resilience.breaker import CircuitBreaker
from matchkeeper.store.operations import Operations, Options, Unobserved
from matchkeeper.store.own_valkey import OwnValkey
from matchkeeper.store.subscription import subscribed

T = TypeVar("T")

RIVAL = "rival"
_PROGRAM = "tried"
_LOOK_SECONDS = 0.02
_AGAIN_SECONDS = 0.1
_TIMES_TO_LISTEN = 2
"""A program that was just started has more to do until it listens."""
_SERVER_SECONDS = 20.0
"""What our own server may take for what it does in a moment; many servers may share a machine."""


class World:
    """Everything for one program, as an async context. `patience`: seconds for each thing that the
    program is to do.
    """

    def __init__(self, command: Sequence[str], folder: Path, *, patience: float) -> None:
        self.patience = patience
        self.names = Names(pod=_PROGRAM)
        self.clock = asyncio.get_running_loop().time
        self.record = Record(names=self.names, clock=self.clock)
        self._folder = folder
        self._command = command
        self._valkey = OwnValkey(folder / "valkey")
        self._exit = AsyncExitStack()
        self._number = itertools.count(1)
        self._heard = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Raises MatchkeeperError where something of it does not start."""
        try:
            await self._exit.enter_async_context(self._valkey)
            await self._exit.enter_async_context(match_server(self._valkey.url, self._folder))
            self._connection = self._connected()
            self._exit.push_async_callback(self._connection.close)
            self._listening = asyncio.ensure_future(self._listen())
            self._exit.push_async_callback(self._deaf)
            await self._is_heard()
            self.tap = Tap(
                self.names,
                leads_to=self._valkey.port,
                on_said=self.record.program_said,
                on_answer=self.record.program_heard,
            )
            await self.tap.open()
            self._exit.callback(self.tap.shut)
            self.program = Program(
                self._command, self._environment(), on_line=self.record.program_wrote
            )
            self._exit.push_async_callback(self.program.kill)
            await self.program.start()
        except BaseException:
            await self._exit.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exit.aclose()

    def _environment(self) -> dict[str, str]:
        names = self.names
        return {
            "REDIS_URL": f"redis://127.0.0.1:{self.tap.port}/0",
            "POD_ID": names.pod,
            "GAME_MODE": MODE,
            "BATTLE_CHANNEL": names.battle,
            "RESULT_CHANNEL": names.result,
            "REQUEST_STREAM": names.stream,
            "ENQUEUE_CHANNEL": names.enqueue,
            "DEQUEUE_CHANNEL": names.dequeue,
            "HANDOFF_CHANNEL": names.handoff,
        }

    async def until(
        self, holds: Callable[[], bool], otherwise: str | Callable[[], str], *, times: int = 1
    ) -> None:
        """Waits for what the program is to do. Raises BrokenError where it does not: `otherwise`
        says so. `times`: how many times the patience it is given.
        """
        patience = self.patience * times
        if not await self._comes(holds, patience, gives_up=lambda: bool(self.program.ended)):
            ended = self.program.ended
            what = otherwise if isinstance(otherwise, str) else otherwise()
            raise BrokenError(f"{what}: {ended}" if ended else f"{what} within {patience:g} s")

    async def server_does(self, holds: Callable[[], bool], what: str) -> None:
        """Waits for what our own server is to do. Raises ConformanceError."""
        if not await self._comes(holds, _SERVER_SECONDS, gives_up=lambda: False):
            raise ConformanceError(
                f"The match server did not do its part: {what}",
                hint="Nothing was said of your program. Does this machine have much else to do?",
            )

    async def _comes(
        self, holds: Callable[[], bool], seconds: float, *, gives_up: Callable[[], bool]
    ) -> bool:
        end = self.clock() + seconds
        while not holds():
            if self.clock() > end or gives_up():
                return holds()
            await asyncio.sleep(_LOOK_SECONDS)
        return True

    async def listens(self) -> None:
        """Returns once the program is subscribed to both channels. Raises BrokenError."""
        wanted = {self.names.battle, self.names.result}
        await self.until(
            lambda: wanted <= self.tap.listened_to,
            f"it was not subscribed to {self.names.battle} and {self.names.result}",
            times=_TIMES_TO_LISTEN,
        )

    async def hand(self, kind: str, offer: Offer, *, pod: str = RIVAL) -> str:
        """Says something about a match as another game server, or as the program; returns the
        reply.
        """
        token = f"{OURS}{next(self._number)}"
        body = {
            "kind": kind,
            "pod_id": pod,
            "game_mode": MODE,
            "match_id": offer.match,
            "epoch": offer.epoch,
            "token": token,
        }
        await self.publish(self.names.handoff, json.dumps(body).encode())
        await self.server_does(
            lambda: bool(self.record.replies_to(token)), f"answer {kind} of {offer.match}"
        )
        return self.record.replies_to(token)[0]

    async def puts_in(self, player: str) -> None:
        """Asks for a player as another game server."""
        body = {"player_id": player, "game_mode": MODE, "pod_id": RIVAL}
        self.record.history.add(
            What.ASKED, self.clock(), who=RIVAL, player=player, mode=MODE.lower(), word="enqueue"
        )
        await self.publish(self.names.enqueue, json.dumps(body).encode())

    async def takes_out(self, player: str) -> None:
        """Asks for a player to leave the queue, as another game server."""
        body = {"player_id": player, "game_mode": MODE, "pod_id": RIVAL}
        self.record.history.add(
            What.ASKED, self.clock(), who=RIVAL, player=player, mode=MODE.lower(), word="dequeue"
        )
        await self.publish(self.names.dequeue, json.dumps(body).encode())

    async def publish(self, channel: str, payload: bytes) -> None:
        """Sends a message past the tap. Raises ConformanceError."""
        await self._reliably(lambda: self._connection.publish([(channel, payload)]))

    async def lose_redis(self) -> None:
        """Kills Valkey, and nobody gets through any more."""
        self.tap.shut()
        await self._valkey.toggle_stopped()

    async def mend_redis(self) -> None:
        """It is back, with all that it has answered."""
        await self._valkey.toggle_stopped()
        await self._is_heard()
        await self.tap.open()

    async def _reliably(self, doing: Callable[[], Awaitable[T]]) -> T:
        failure: StoreError | None = None
        for _ in range(int(_SERVER_SECONDS / _AGAIN_SECONDS)):
            try:
                return await doing()
            except StoreError as error:
                failure = error
                await asyncio.sleep(_AGAIN_SECONDS)
        raise ConformanceError(f"The Valkey of the evenings does not answer: {failure}")

    async def _is_heard(self) -> None:
        self._heard.clear()
        marker = self.names.result_of(RIVAL)
        end = self.clock() + _SERVER_SECONDS
        while not self._heard.is_set():
            if self.clock() > end:
                raise ConformanceError("The Valkey of the evenings is not heard")
            with suppress(StoreError):
                await self._connection.publish([(marker, b"heard?")])
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen(self) -> None:
        channels = [self.names.battle, self.names.result, self.names.result_of(RIVAL)]
        while True:
            with suppress(StoreError):
                async with subscribed(self._connection, channels) as subscription:
                    await subscription.listen(self._hear)
            await asyncio.sleep(_AGAIN_SECONDS)

    def _hear(self, channel: str, payload: bytes) -> None:
        self._heard.set()
        self.record.heard(channel, payload)

    async def _deaf(self) -> None:
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    def _connected(self) -> Operations:
        rng = random.Random()  # noqa: S311  # jitter, not secrets
        return Operations(
            Options(url=self._valkey.url, timeout=timedelta(seconds=5), client_name="conformance"),
            breaker=CircuitBreaker(
                failures=1_000_000, clock=self.clock, rng=rng, cooldown=timedelta(seconds=1)
            ),
            observer=Unobserved(),
            clock=self.clock,
            rng=rng,
        )
