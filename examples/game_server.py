"""A game server in Python: it enqueues its players, takes matches and plays them.

Run a server first (`matchkeeper serve`, with a mode that has `handoff = "claim"`), then this, and
type what players want, one JSON object a line:

    REDIS_URL=redis://localhost:6379 POD_ID=pod-a python examples/game_server.py
    {"enqueue": {"player_id": "alice", "game_mode": "Squad", "metadata": {"mmr": 1500}}}

`matchkeeper conformance -- python examples/game_server.py` tries it on good and bad evenings.
With the client alone (`pip install ./src/matchkeeper_client`), the package is `matchkeeper_client`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from matchkeeper.client import GameServer, Offer, RefusedError, StoreError

T = TypeVar("T")


def say(**what: str) -> None:
    """What happens here. In a real server this is on the screens of its players."""
    print(json.dumps(what), flush=True)


async def until_answered(ask: Callable[[], Awaitable[T]]) -> T:
    """Asks again for as long as Redis or all match servers are away."""
    while True:
        try:
            return await ask()
        except StoreError:
            await asyncio.sleep(1)


async def do(pod: GameServer, kind: str, wanted: dict[str, Any]) -> None:
    """What a player wants, and the answer."""
    if kind not in ("enqueue", "dequeue"):
        return
    player, mode = wanted["player_id"], wanted["game_mode"]
    try:
        if kind == "enqueue":
            metadata, wish = wanted.get("metadata"), wanted.get("request_id")
            await until_answered(lambda: pod.enqueue(player, mode, metadata, request_id=wish))
            say(told=player, news="EnQueued")
        else:
            await until_answered(lambda: pod.dequeue(player, mode))
            say(told=player, news="DeQueued")
    except RefusedError as error:
        say(told=player, news=error.code)


async def play(offer: Offer, running: set[str]) -> None:
    """Claim, prepare, confirm, and only then start."""
    match = offer.request.match_id
    if match in running or not await until_answered(offer.claim):
        return  # it runs here already, or another game server was faster
    # Here a real server would load the map. If that fails: await offer.decline()
    if await until_answered(offer.started) and match not in running:
        running.add(match)
        say(started=match)


async def take_matches(pod: GameServer, group: asyncio.TaskGroup) -> None:
    """Everything that is offered."""
    running: set[str] = set()
    async for offer in pod.battle_requests():
        group.create_task(play(offer, running))


async def tell_players(pod: GameServer) -> None:
    """News that nobody asked for."""
    async for answer in pod.results():
        say(told=answer.player_id, news=answer.kind)


async def main() -> None:
    """Until the end of the input."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    url = os.environ.get("REDIS_URL", "redis://localhost:6379")
    async with (
        GameServer(url, pod_id=os.environ.get("POD_ID", "pod-a")) as pod,
        asyncio.TaskGroup() as group,
    ):
        tasks = [group.create_task(take_matches(pod, group)), group.create_task(tell_players(pod))]
        async for line in lines:
            for kind, wanted in json.loads(line).items():
                tasks.append(group.create_task(do(pod, kind, wanted)))
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(main())
