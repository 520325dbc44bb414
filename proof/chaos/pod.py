"""`python -m proof.chaos.pod`: a process of several game servers, which notes all it sees.

It speaks the plain wire and the documented scripts, as a game server in any language does.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proof.chaos.notes import Notes
from proof.chaos.players import Players
from proof.chaos.settings import DEADLINE_SECONDS, PodOptions
from proof.chaos.wire import Client, Line, WireError
from proof.judge import What
from proof.wire import note

_PODS = 3
_SCRIPTS = Path(__file__).parents[2] / "docs" / "scripts"
_TEXTS = {
    name: (_SCRIPTS / f"{name}.lua").read_text()
    for name in ("claim", "confirm", "decline", "heartbeat", "submit")
}
_TRIES = 12
_LEASE_SECONDS = 2.0
_TARDY_SECONDS = 2.0
_MEMORY_MS = 60_000
_MANNERS = ("play", "decline", "forget", "late", "sleep", "rude", "tardy")
_WEIGHTS = (74, 5, 4, 3, 8, 3, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A match offered to all pods."""

    match: str
    epoch: int
    tag: str
    players: tuple[tuple[str, int], ...]

    def key(self, kind: str) -> str:
        """A key of its mode."""
        return f"{kind}:{{{self.tag}}}"


class Pods:
    """All of a process: it listens once for all of its pods."""

    def __init__(self, options: PodOptions) -> None:
        self._options = options
        self._rng = random.Random(options.seed)
        self._notes = Notes(Path(options.notes))
        self._client = Client(options.port, timeout_seconds=DEADLINE_SECONDS)
        self._names = [f"{options.name}-{number}" for number in range(_PODS)]
        self._players = Players(
            options,
            self._names,
            client=self._client,
            notes=self._notes,
            rng=self._rng,
            submit=_TEXTS["submit"],
        )
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
            await asyncio.sleep(self._rng.uniform(0, 0.02))

    async def _hear(self, line: Line) -> None:
        channels = [f"pod:{name}:match_result" for name in self._names]
        line.send("SUBSCRIBE", "battle:request", *channels)
        pinged = False
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
            if push[0] == b"message":
                self._take(push[1].decode(), push[2])

    def _take(self, channel: str, payload: bytes) -> None:
        note(self._notes, time.monotonic(), self._options.name, channel, payload)
        message = json.loads(payload)
        if channel != "battle:request":
            self._players.told(message)
            return
        task = asyncio.create_task(self._treat(_offer(message)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _treat(self, offer: Offer) -> None:
        (manner,) = self._rng.choices(_MANNERS, _WEIGHTS)
        if manner == "sleep":
            return
        tardy = _TARDY_SECONDS if manner == "tardy" else 0.0
        await asyncio.sleep(tardy + self._rng.choice((0.0, 0.001, 0.005, 0.02)))
        pod, token = self._rng.choice(self._names), secrets.token_hex(8)
        facts = {"match": offer.match, "epoch": offer.epoch, "who": pod}
        if manner != "rude":
            # A rude one asks to start what it has not claimed.
            if not await self._claim(offer, pod, token):
                return
            self._notes.now(What.CLAIMED, **facts)
        if manner == "decline":
            await self._decline(offer, pod, token)
        if manner in ("decline", "forget"):
            return
        await asyncio.sleep(1.1 * _LEASE_SECONDS if manner == "late" else self._rng.uniform(0, 0.1))
        self._notes.now(What.CONFIRMING, **facts)
        if await self._confirm(offer, pod, token):
            self._notes.now(What.STARTED, **facts, players=offer.players)

    async def _claim(self, offer: Offer, pod: str, token: str) -> bool:
        keys = (
            offer.key("match") + f":{offer.match}",
            offer.key("pending"),
            offer.key("history"),
        )
        args = (offer.match, offer.epoch, pod, token, _LEASE_SECONDS)
        return await self._run("claim", keys, args) == b"claimed"

    async def _confirm(self, offer: Offer, pod: str, token: str) -> bool:
        keys = (
            offer.key("match") + f":{offer.match}",
            *(offer.key(kind) for kind in ("pending", "matched", "leaving", "history")),
        )
        args = (offer.match, offer.epoch, token, _MEMORY_MS, '"claimed_by":null', pod)
        return await self._run("confirm", keys, args) == b"started"

    async def _decline(self, offer: Offer, pod: str, token: str) -> None:
        keys = (
            offer.key("match") + f":{offer.match}",
            offer.key("pending"),
            offer.key("history"),
        )
        await self._run("decline", keys, (offer.match, offer.epoch, pod, token))

    async def _run(
        self, script: str, keys: tuple[str, ...], args: tuple[str | float, ...]
    ) -> bytes:
        """What the script replied, sent again until there is a reply that can be relied on."""
        command = ("EVAL", _TEXTS[script], len(keys), *keys, *args)
        for _ in range(_TRIES):
            with suppress(WireError):
                return await self._once(command)
            await asyncio.sleep(self._rng.uniform(0, 0.2))
        return b"nobody knows"

    async def _once(self, command: tuple[str | float, ...]) -> bytes:
        replicas = self._options.replicas
        if not replicas:
            return bytes((await self._client.call(command))[0][0])
        reply, reached = await self._client.call(command, ("WAIT", replicas, 400))
        if reached < replicas:
            raise WireError("on too few replicas")
        return bytes(reply[0])

    async def _beat(self) -> None:
        while True:
            for name in self._names:
                with suppress(WireError):
                    command = ("EVAL", _TEXTS["heartbeat"], 1, "pods", name, "here", 86400)
                    await self._client.call(command)
            await asyncio.sleep(1)


def _offer(message: dict[str, Any]) -> Offer:
    pair = [message[name] for name in ("player1", "player2") if name in message]
    players = [each for team in message.get("teams") or [pair] for each in team]
    return Offer(
        match=message["match_id"],
        epoch=message["epoch"],
        tag=message["game_mode"].lower(),
        players=tuple((each["player_id"], each["score"]) for each in players),
    )


if __name__ == "__main__":
    asyncio.run(Pods(PodOptions.parse(sys.argv[1])).run())
