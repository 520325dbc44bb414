"""A real server on a real Valkey, and ears that judge all it publishes."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from redis.asyncio import Redis

from matchkeeper.store.embedded import executable
from matchkeeper.wire import answers
from proof.fuzz.report import Tally, WrongError
from proof.fuzz.wire import strict_json
from tests.conftest import RealServer
from tests.support.harness import Server, serving

IN_TIME_SECONDS = 10.0
GOOD = "good-"
_numbers = itertools.count(1)


@dataclass(slots=True, kw_only=True)
class World:
    """Everything outside the server process."""

    tally: Tally
    redis: Redis
    server: Server
    offered: dict[str, int] = field(default_factory=dict)
    """Good player -> the highest epoch of an offer with that player."""
    heard: int = 0
    read_log: int = 0

    async def matched(self, players: list[str], *, seconds: float, epoch: int = 1) -> bool:
        """Whether all these players are offered in time."""
        over = time.monotonic() + seconds
        while not all(self.offered.get(player, 0) >= epoch for player in players):
            if time.monotonic() > over or self.server.process.poll() is not None:
                return False
            await asyncio.sleep(0.02)
        return True

    async def good(
        self, mode: str, count: int = 2, *, stream: bool = False, pause: float = 0.0
    ) -> list[str]:
        """Enqueues good players. In a rated mode they are far from everybody else, so that the
        first waits alone for `pause` seconds.
        """
        number = next(_numbers)
        players = [f"{GOOD}{number}-{i}" for i in range(count)]
        metadata = {"mmr": 100_000 + 5_000 * number}
        for player in players:
            if player != players[0]:
                await asyncio.sleep(pause)
            fields = {"player_id": player, "game_mode": mode, "pod_id": f"{GOOD}pod-{number}"}
            text = json.dumps({**fields, "metadata": metadata})
            if stream:
                name = "match:requests"
                await self.redis.xadd(name, {"kind": "enqueue", "body": text})
            else:
                await self.redis.publish("match:enqueue:request", text)
        return players

    async def leave(self, mode: str, players: list[str]) -> None:
        """Players who are done leave, all in one moment, so that they wait for nobody."""
        number = next(_numbers)
        async with self.redis.pipeline(transaction=True) as pipe:
            for player in players:
                self.offered.pop(player, None)
                text = {"player_id": player, "game_mode": mode, "pod_id": f"{GOOD}pod-{number}"}
                pipe.publish("match:dequeue:request", json.dumps(text))
            await pipe.execute()

    def judge_log(self, given: object) -> None:
        """Fails for each new line that tells of a defect."""
        if self.server.process.poll() is not None:
            self.tally.fail("the server process ended", given)
        text = self.server.log.read_bytes()
        fresh, self.read_log = text[self.read_log :], len(text)
        for line in fresh.splitlines():
            if b'"loop_failed"' in line:
                event = json.loads(line)
                self.tally.fail(f"loop_failed: {event['loop']}: {_plain(event['error'])}", given)
            elif b"Traceback (most recent" in line:
                self.tally.fail(f"a traceback in the log: {line[:90]!r}", given)

    def rss_mb(self) -> float:
        """Memory of the server process now."""
        return self._memory_mb("VmRSS")

    def peak_mb(self) -> float:
        """The most memory that the server process has ever had."""
        return self._memory_mb("VmHWM")

    def _memory_mb(self, name: str) -> float:
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        found = [line for line in status.splitlines() if line.startswith(name)]
        return int(found[0].split()[1]) / 1024 if found else 0.0

    def hear(self, channel: bytes, payload: bytes) -> None:
        """Judges one message of the server."""
        self.heard += 1
        try:
            message = strict_json(payload, what=f"a message on {_kind(channel)}")
        except WrongError as error:
            self.tally.fail(str(error), payload)
            with suppress(ValueError, RecursionError):
                self._note(answers.decode_battle_request(payload))
            return
        if channel == b"battle:request":
            self._note(answers.decode_battle_request(payload))
        elif "player_id" not in message or "result_type" not in message:
            self.tally.fail("an answer without player or result", payload)

    def _note(self, offer: answers.BattleRequest) -> None:
        for player in offer.players:
            if player.player_id.startswith(GOOD):
                known = self.offered.get(player.player_id, 0)
                self.offered[player.player_id] = max(known, offer.epoch)


def _plain(error: str) -> str:
    """An error without the input that it repeats, so that one defect is one kind."""
    return re.sub(r"'.*|\d+", "…", error, flags=re.DOTALL)[:90]


def _kind(channel: bytes) -> str:
    return "battle:request" if channel == b"battle:request" else "match_result"


@contextmanager
def served(**settings: object) -> Iterator[tuple[Server, str]]:
    """A server and the address of its Valkey; both end."""
    with tempfile.TemporaryDirectory() as name:
        valkey = RealServer(str(executable()), Path(name))
        valkey.start()
        try:
            with serving(valkey.url, Path(name), logging__level="INFO", **settings) as server:
                yield server, valkey.url
        finally:
            valkey.kill()


@asynccontextmanager
async def world(tally: Tally, **settings: object) -> AsyncIterator[World]:
    """Starts everything; ends what it started."""
    with served(**settings) as (server, url):
        async with Redis.from_url(url, protocol=2) as redis:
            here = World(tally=tally, redis=redis, server=server)
            await server.ready()
            async with _ears(here):
                yield here


@asynccontextmanager
async def _ears(here: World) -> AsyncIterator[None]:
    async with here.redis.pubsub() as pubsub:
        await pubsub.psubscribe("pod:*:match_result")
        await pubsub.subscribe("battle:request")
        for _ in range(2):
            await pubsub.get_message(timeout=2)

        async def listen() -> None:
            async for message in pubsub.listen():
                if message["type"] in ("message", "pmessage"):
                    here.hear(message["channel"], message["data"])

        task = asyncio.ensure_future(listen())
        try:
            yield
        finally:
            task.cancel()
            (ended,) = await asyncio.gather(task, return_exceptions=True)
            if not isinstance(ended, asyncio.CancelledError):
                here.tally.fail(f"the ears failed: {ended!r}", "")
