"""`python -m proof.chaos.pod`: a process of several game servers, which notes all it sees.

It hears and asks over the plain wire, and takes matches with the client that ships.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from crowd.history import What
from crowd.wire import note
from matchkeeper.client import GameServer
from matchkeeper.errors import StoreError
from matchkeeper.wire.answers import BattleRequest, decode_battle_request
from proof.chaos.notes import Notes
from proof.chaos.players import Players
from proof.chaos.settings import DEADLINE_SECONDS, LEASE_SECONDS, PodOptions
from proof.chaos.wire import Client, Line, WireError

_PODS = 3
_SCRIPTS = Path(__file__).parents[2] / "docs" / "scripts"
_TEXTS = {name: (_SCRIPTS / f"{name}.lua").read_text() for name in ("heartbeat", "submit")}
_TRIES = 100
_TARDY_SECONDS = 2.0
_MANNERS = ("play", "decline", "forget", "late", "sleep", "rude", "tardy")
_WEIGHTS = (74, 5, 4, 3, 8, 3, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A match offered to all pods."""

    match: str
    epoch: int
    players: tuple[tuple[str, int], ...]
    request: BattleRequest
    """As the client takes it."""


class Pods:
    """All of a process: it listens once for all of its pods."""

    def __init__(self, options: PodOptions) -> None:
        self._options = options
        self._rng = random.Random(options.seed)
        self._notes = Notes(Path(options.notes))
        self._client = Client(options.port, timeout_seconds=DEADLINE_SECONDS)
        self._names = [f"{options.name}-{number}" for number in range(_PODS)]
        url, timeout = f"redis://127.0.0.1:{options.port}/0", timedelta(seconds=DEADLINE_SECONDS)
        # Only to claim, confirm and decline with: what they hear is noted here.
        self._pods = [GameServer(url, pod_id=name, timeout=timeout) for name in self._names]
        self._players = Players(
            options,
            self._names,
            client=self._client,
            notes=self._notes,
            rng=self._rng,
            submit=_TEXTS["submit"],
        )
        self._swallow = Path(options.swallow)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until it is killed."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._beat())
            group.create_task(self._players.arrive())

    async def _listen(self) -> None:
        while True:
            with suppress(WireError):
                line = await Line.to(self._options.port)
                try:
                    await self._hear(line)
                finally:
                    line.close()
                    self._note_all(What.DEAF)
            await asyncio.sleep(self._rng.uniform(0, 0.02))

    def _note_all(self, what: What) -> None:
        for name in self._names:
            self._notes.now(what, who=name)

    async def _hear(self, line: Line) -> None:
        channels = [f"pod:{name}:match_result" for name in self._names]
        line.send("SUBSCRIBE", "battle:request", *channels)
        pinged, confirmed = False, 0
        while True:
            try:
                async with asyncio.timeout(DEADLINE_SECONDS):
                    push = await line.receive()
            except TimeoutError:
                if pinged:
                    raise WireError("silent") from None
                pinged = True
                line.send("PING")
                continue
            pinged = False
            if isinstance(push, WireError):
                raise push  # Redis is not ready: again over a new connection
            confirmed += push[0] == b"subscribe"
            if push[0] == b"subscribe" and confirmed > len(self._names):
                self._note_all(What.LISTENS)
            if push[0] == b"message":
                self._take(push[1].decode(), push[2])

    def _take(self, channel: str, payload: bytes) -> None:
        note(self._notes, time.monotonic(), self._options.name, channel, payload)
        message = json.loads(payload)
        if channel != "battle:request":
            self._players.told(message)
            return
        task = asyncio.create_task(self._treat(_offer(message, payload)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _treat(self, offer: Offer) -> None:
        if offer.request.handoff == "publish":
            self._begin(offer)
            return
        (manner,) = self._rng.choices(_MANNERS, _WEIGHTS)
        if self._swallow.exists():
            await self._claim_all(offer)
            return
        if manner == "sleep":
            return
        tardy = _TARDY_SECONDS if manner == "tardy" else 0.0
        await asyncio.sleep(tardy + self._rng.choice((0.0, 0.001, 0.005, 0.02)))
        pod = self._rng.choice(self._pods)
        facts = {"match": offer.match, "epoch": offer.epoch, "who": pod.pod_id}
        if manner != "rude":
            # A rude one asks to start what it has not claimed.
            if not await self._again(pod.claim, offer):
                return
            self._notes.now(What.CLAIMED, **facts)
        if manner == "decline":
            await self._again(pod.decline, offer)
        if manner in ("decline", "forget"):
            return
        await asyncio.sleep(1.1 * LEASE_SECONDS if manner == "late" else self._rng.uniform(0, 0.1))
        self._notes.now(What.CONFIRMING, **facts)
        if await self._again(pod.started, offer):
            self._notes.now(What.STARTED, **facts, players=offer.players)

    def _begin(self, offer: Offer) -> None:
        """An announced match is started by the pod of its first player; the others pass it over."""
        pod = offer.request.players[0].pod_id
        if pod in self._names:
            facts = {"match": offer.match, "epoch": offer.epoch, "who": pod}
            self._notes.now(What.STARTED, **facts, players=offer.players)

    async def _claim_all(self, offer: Offer) -> None:
        """Before anybody else, and then nothing comes of it."""
        pod = self._rng.choice(self._pods)
        with suppress(StoreError):
            if await pod.claim(offer.request):
                facts = {"match": offer.match, "epoch": offer.epoch, "who": pod.pod_id}
                self._notes.now(What.CLAIMED, **facts, word="swallow")

    async def _again(self, ask: Callable[[BattleRequest], Awaitable[bool]], offer: Offer) -> bool:
        """What the client says, asked again until it knows."""
        for _ in range(_TRIES):
            with suppress(StoreError):
                return await ask(offer.request)
            await asyncio.sleep(self._rng.uniform(0, 0.2))
        return False

    async def _beat(self) -> None:
        while True:
            for name in self._names:
                with suppress(WireError):
                    command = ("EVAL", _TEXTS["heartbeat"], 1, "pods", name, "here")
                    await self._client.call(command)
            await asyncio.sleep(1)


def _offer(message: dict[str, Any], payload: bytes) -> Offer:
    pair = [message[name] for name in ("player1", "player2") if name in message]
    players = [each for team in message.get("teams") or [pair] for each in team]
    return Offer(
        match=message["match_id"],
        epoch=message["epoch"],
        players=tuple((each["player_id"], each["score"]) for each in players),
        request=decode_battle_request(payload),
    )


if __name__ == "__main__":
    asyncio.run(Pods(PodOptions.parse(sys.argv[1])).run())
