"""Players who come as fast as they are answered, and when each was told EnQueued."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress

from proof.chaos.wire import Client, Line, WireError, ask

REQUESTS = "match:requests"
_QUEUE = "queue:{duel}"
_MODE = "Duel"
_POD = "load"
_OUTSTANDING = 400
_BATCH = 20


class Load:
    """Half of the players come by stream, half by Pub/Sub."""

    def __init__(self, port: int) -> None:
        self.told_at: dict[str, float] = {}
        self._port = port
        self._asked = 0

    async def run(self) -> None:
        """Until the connection is lost."""
        line = await Line.to(self._port)
        client = Client(self._port, timeout_seconds=10)
        try:
            line.send("SUBSCRIBE", f"pod:{_POD}:match_result")
            await line.receive()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hear(line))
                group.create_task(self._ask(client))
        except* WireError:
            pass  # the crash
        finally:
            line.close()
            client.close()

    async def _hear(self, line: Line) -> None:
        while True:
            push = await line.receive()
            message = json.loads(push[2])
            if message["result_type"] == "EnQueued":
                self.told_at.setdefault(message["player_id"], time.monotonic())

    async def _ask(self, client: Client) -> None:
        while True:
            if self._asked - len(self.told_at) > _OUTSTANDING:
                await asyncio.sleep(0.001)
                continue
            await client.call(*(self._request() for _ in range(_BATCH)))

    def _request(self) -> tuple[str | float, ...]:
        self._asked += 1
        by_stream = self._asked % 2 == 0
        player = f"{'stream' if by_stream else 'pubsub'}-{self._asked}"
        body = json.dumps(
            {"player_id": player, "game_mode": _MODE, "pod_id": _POD, "request_id": player}
        )
        if by_stream:
            return ("XADD", REQUESTS, "NOMKSTREAM", "*", "kind", "enqueue", "body", body)
        return ("PUBLISH", "match:enqueue:request", body)


async def at_rest(port: int, *, seconds: float, longest: float) -> set[str]:
    """Who stands in the queue once nothing has changed for `seconds`, and no request waits."""
    begun = changed = time.monotonic()
    last: set[str] = set()
    while time.monotonic() - changed < seconds and time.monotonic() - begun < longest:
        await asyncio.sleep(0.2)
        with suppress(WireError):
            waiting = {player.decode() for player in await ask(port, "ZRANGE", _QUEUE, 0, -1)}
            if waiting != last or await ask(port, "XLEN", REQUESTS):
                last, changed = waiting, time.monotonic()
    return last
