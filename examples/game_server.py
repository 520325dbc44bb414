"""A game server in Python: it enqueues its players, takes matches and plays them.

Run a server first (`matchkeeper serve`, with a mode that has `handoff = "claim"`), then:

    python examples/game_server.py redis://localhost:6379

With the client alone (`pip install ./src/matchkeeper_client`), the package is `matchkeeper_client`.
"""

from __future__ import annotations

import argparse
import asyncio
import uuid

from matchkeeper.client import GameServer, Offer, RefusedError

MODE = "Squad"


async def enqueue_players(pod: GameServer, count: int) -> None:
    """Players who clicked "Play" on this pod."""
    for number in range(count):
        player = f"{pod.pod_id}-player-{number}"
        try:
            await pod.enqueue(player, MODE, {"mmr": 1500 + 10 * number})
        except RefusedError as error:
            print(f"{player} was refused: {error.message}")


async def play(pod: GameServer, offer: Offer) -> bool:
    """Claim, prepare, confirm, and only then start. Whether it was played here."""
    if not await offer.claim():
        return False  # another pod was faster
    # Here a real server would load the map. If that fails: await offer.decline()
    if not await offer.started():
        return False  # too late: the players are back in the queue
    players = ", ".join(player.player_id for player in offer.request.players)
    print(f"{pod.pod_id} starts match {offer.request.match_id}: {players}", flush=True)
    return True


async def tell_players(pod: GameServer) -> None:
    """Results of this pod's players."""
    async for answer in pod.results():
        print(f"{answer.player_id}: {answer.kind}", flush=True)


async def main(url: str, *, once: bool) -> None:
    """Until Ctrl-C, or with `once` until one match was played."""
    async with GameServer(url, pod_id=f"pod-{uuid.uuid4().hex[:6]}") as pod:
        telling = asyncio.create_task(tell_players(pod))
        await enqueue_players(pod, 4)
        async for offer in pod.battle_requests():
            if await play(pod, offer) and once:
                break
        telling.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", default="redis://localhost:6379")
    parser.add_argument("--once", action="store_true", help="end after one match")
    options = parser.parse_args()
    asyncio.run(main(options.url, once=options.once))
