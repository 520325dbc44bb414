"""Players who come alone, in a simulation."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec

from crowd.history import What
from matchkeeper.client import GameServer, RefusedError
from matchkeeper.domain.realm import in_realm
from matchkeeper.errors import StoreError
from proof.simulate.actors import World

AGAIN_WITHIN_SECONDS = 20.0
"""Senders stop repeating long before what they sent is forgotten."""
_TRIES = 4


class Player:
    """Asks through a pod, by stream or by Pub/Sub, and asks again while it does not know."""

    def __init__(
        self,
        world: World,
        name: str,
        *,
        mode: str,
        pod: str,
        by_stream: bool,
        again_after: float | None = None,
    ) -> None:
        self.again_after = again_after
        """By Pub/Sub everything is sent twice with one id; this is the time between, in seconds."""
        self.world = world
        self.name = name
        self.mode = mode
        self.pod = pod
        self.by_stream = by_stream
        self.asked = 0

    def in_mode(self, mode: str) -> Player:
        """The same player in another queue."""
        return Player(self.world, self.name, mode=mode, pod=self.pod, by_stream=self.by_stream)

    async def enqueue(self) -> bool:
        """Whether the player was told EnQueued, or refused because already in."""
        return await self._ask("enqueue")

    async def dequeue(self) -> bool:
        """Whether the player was told DeQueued."""
        return await self._ask("dequeue")

    async def _ask(self, word: str) -> bool:
        for _ in range(_TRIES):
            pod = self.world.pods[self.pod]
            if pod.client is None:
                await asyncio.sleep(0.5)
                continue
            try:
                await pod.do(self._send(pod.client, word))
            except RefusedError:
                return False
            except StoreError:
                await asyncio.sleep(0.5)
            else:
                return True
        return False

    async def _send(self, client: GameServer, word: str) -> None:
        self.world.note(
            What.ASKED,
            who=self.pod,
            player=self.name,
            mode=self.mode.lower(),
            word=word,
            by_stream=self.by_stream,
        )
        self.world.pods[self.pod].players[self.name] = None
        if not self.by_stream:
            await self._publish(client, word)
        elif word == "enqueue":
            await client.enqueue(self.name, self.mode, {"mmr": 1500})
        else:
            await client.dequeue(self.name, self.mode)

    async def _publish(self, client: GameServer, word: str) -> None:
        body = {"player_id": self.name, "game_mode": self.mode, "pod_id": self.pod, "metadata": {}}
        channel = in_realm(f"match:{word}:request", self.world.realm)
        if self.again_after is not None:
            self.asked += 1
            body["request_id"] = f"{self.name} {self.asked}"
        message = [(channel, msgspec.json.encode(body))]
        begun = self.world.loop.time()
        with suppress(StoreError):
            await client._connection.publish(message)  # noqa: SLF001  # a plain PUBLISH, as any client's
        if self.again_after is not None:
            await asyncio.sleep(self.again_after)
            if self.world.loop.time() - begun > AGAIN_WITHIN_SECONDS:
                return  # the pod stood still: by now it would be a new request
            with suppress(StoreError):
                await client._connection.publish(message)  # noqa: SLF001
