"""A game server that kills itself at a point, and learns of its players when it is started again.

`python -m tests.support.mortal_pod URL FOLDER POINT WAY PLAYER…`; the folder is its own store.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from matchkeeper.client import GameServer, Offer, RefusedError
from matchkeeper.wire.answers import Answer
from matchkeeper.wire.status import State

POD = "mortal"
MODE = "Squad"
ASSIGNMENT = {"host": "10.0.0.7"}
_WRITTEN = {"enqueue": "written", "confirm": "confirmed"}
"""What was written -> the point behind that."""


class Pod:
    """One life of it."""

    def __init__(self, url: str, folder: Path, point: str, way: str) -> None:
        self._point = point
        self._way = way
        self._store = folder / "wanted.json"
        """Players whom it is to ask for: written down before it asks, as a game server does."""
        self._told = folder / "told.jsonl"
        """What it has made of news."""
        self._server = GameServer(url, pod_id=POD, timeout=timedelta(seconds=2))
        self._playing: set[str] = set()

    def _at(self, point: str) -> None:
        if point == self._point:
            os.kill(os.getpid(), signal.SIGKILL)

    async def run(self, players: list[str]) -> None:
        """Until all its players play."""
        is_new = not self._store.exists()
        self._store.write_text(json.dumps(players))
        self._at("stored")
        async with self._server, asyncio.TaskGroup() as tasks:
            self._die_when_written()
            offers = tasks.create_task(self._take())
            for player in players:
                tasks.create_task(self._wants(player, is_new=is_new))
            await self._hear(set(players))
            if self._point:
                await offers  # it is killed there: what players are told may come before that
            offers.cancel()

    def _die_when_written(self) -> None:
        asking: Any = self._server._asking  # a point that no caller sees
        write = asking._write

        async def written(kind: str, body: dict[str, Any], about: str) -> str:
            entry: str = await write(kind, body, about)
            said = body.get("kind", kind)
            if said in _WRITTEN:
                self._at(_WRITTEN[said])
            return entry

        asking._write = written

    async def _wants(self, player: str, *, is_new: bool) -> None:
        if not is_new and self._way == "status":
            found = await self._server.status(player)
            assert found.status is not None
            if found.status.state in (State.WAITING, State.PENDING):
                return
            if found.status.state == State.STARTED:
                self._note(Answer(player, found.status.news or ""))
                return
        await self._server.enqueue(player, MODE, request_id=f"{player} wants to play")
        self._at("enqueued")

    async def _take(self) -> None:
        async for offer in self._server.battle_requests():
            self._at("offered")
            try:
                await self._start(offer)
            except RefusedError as error:
                print(error, file=sys.stderr)

    async def _start(self, offer: Offer) -> None:
        if not await offer.claim():
            return
        self._at("claimed")
        secrets = {each.player_id: f"for {each.player_id}" for each in offer.request.players}
        if await offer.started(ASSIGNMENT, secrets):
            self._at("started")

    async def _hear(self, players: set[str]) -> None:
        news = self._server.results()
        while self._playing < players:
            try:
                async with asyncio.timeout(0.05):
                    self._note(await anext(news))
            except TimeoutError:
                news = self._server.results()

    def _note(self, answer: Answer) -> None:
        if answer.kind == "MatchFound" and isinstance(answer.result_type, dict):
            self._at("told")
            found = answer.result_type["MatchFound"]
            with self._told.open("a") as out:
                out.write(json.dumps([answer.player_id, found]) + "\n")
            self._playing.add(answer.player_id)
            self._at("noted")


if __name__ == "__main__":
    _, url, folder, point, way, *players = sys.argv
    asyncio.run(Pod(url, Path(folder), point, way).run(players))
