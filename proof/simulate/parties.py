"""Players who come together, in a simulation."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
from redis.asyncio import Redis

from crowd.history import What
from crowd.tickets import Member, Ticket
from matchkeeper.client import GameServer
from matchkeeper.domain.realm import in_realm
from matchkeeper.errors import StoreError
from proof.simulate.actors import World
from proof.simulate.players import AGAIN_WITHIN_SECONDS, Player

_MODE = "Duos"
_AGAIN_AFTER_SECONDS = (0.0, 0.01, 0.7, 3.0)
Step = tuple[float, Callable[[], Awaitable[Any]]]
"""At which second what is done."""


class Party:
    """Asks through the pods of its players, and sends each request twice under one id."""

    def __init__(
        self, world: World, name: str, players: Sequence[Player], *, again_after: float
    ) -> None:
        self.world = world
        self.ticket = Ticket(
            mode=_MODE,
            members=tuple(Member(each.name, each.pod) for each in players),
            party=name,
            by_stream=players[0].by_stream,
        )
        self._again_after = again_after
        self._asked = 0

    async def enqueue(self) -> None:
        """Asks for all of them at once."""
        await self._ask("enqueue", self.ticket.enqueue({}))

    async def leave(self, by: Player | None = None) -> None:
        """One of them leaves, or all as one."""
        member = None if by is None else Member(by.name, by.pod)
        await self._ask("dequeue", self.ticket.dequeue(member), member)

    async def _ask(self, word: str, about: dict[str, Any], by: Member | None = None) -> None:
        self._asked += 1
        body = {**about, "request_id": f"{self.ticket.party} {word} {self._asked}"}
        pod = self.world.pods[(by or self.ticket.members[0]).pod]
        while pod.client is None:
            await asyncio.sleep(0.5)
        for fields in self.ticket.asked(word, by):
            self.world.note(What.ASKED, **fields)
        await pod.do(self._send(pod.client, word, body))

    async def _send(self, client: GameServer, word: str, body: dict[str, Any]) -> None:
        begun = self.world.loop.time()
        for nth, wait in enumerate((0.0, self._again_after)):
            await asyncio.sleep(wait)
            if self.world.loop.time() - begun > AGAIN_WITHIN_SECONDS:
                return  # the pod stood still: by now it would be a new request
            with suppress(StoreError):
                if not self.ticket.by_stream:
                    await self._publish(client, word, body)
                elif not nth or "repeats" in body:
                    # As the client: who does not know what it repeats writes no copy.
                    body["repeats"] = await self._write(client, word, body)

    async def _publish(self, client: GameServer, word: str, body: dict[str, Any]) -> None:
        message = (in_realm(f"match:{word}:request", self.world.realm), msgspec.json.encode(body))
        await client._connection.publish([message])  # noqa: SLF001  # as any client's PUBLISH

    async def _write(self, client: GameServer, word: str, body: dict[str, Any]) -> str:
        stream = in_realm("match:requests", self.world.realm)

        async def add(redis: Redis) -> Any:
            return await redis.xadd(stream, {"kind": word, "body": msgspec.json.encode(body)})

        entry: bytes = await client._connection.run("xadd", add)  # noqa: SLF001  # as any client's
        return entry.decode()


def parties(
    world: World, seed: int, pods: Sequence[str]
) -> list[tuple[float, Callable[[], Awaitable[Any]]]]:
    """What parties, and their players alone, ask for, and when."""
    dice = random.Random(f"parties {seed}")  # the point of it
    steps: list[Step] = []
    for i in range(dice.randint(2, 5)):
        size = dice.choice((1, 2, 2, 2, 2, 4))
        players = [
            Player(
                world,
                f"crew{i}.{n}",
                mode=_MODE,
                pod=dice.choice(pods),
                by_stream=dice.random() < 0.6,
            )
            for n in range(size)
        ]
        party = Party(world, f"crew{i}", players, again_after=dice.choice(_AGAIN_AFTER_SECONDS))
        at = dice.uniform(0.3, 4)
        steps.append((at, party.enqueue))
        someone = dice.choice(players)
        if dice.random() < 0.4:
            by = someone if dice.random() < 0.7 else None
            steps.append((at + dice.choice((0.0, 0.01, 0.5, 2.5)), partial(party.leave, by)))
        if dice.random() < 0.3:  # alone, before the party or beside it
            steps.append((at + dice.choice((-0.2, 0.0, 0.02, 1.0)), someone.enqueue))
        if dice.random() < 0.3:
            steps.append((at + dice.uniform(0.5, 6), party.enqueue))
    for i in range(dice.randint(0, 4)):
        alone = Player(world, f"alone{i}", mode=_MODE, pod=dice.choice(pods), by_stream=True)
        steps.append((dice.uniform(0.3, 4), alone.enqueue))
    return steps
