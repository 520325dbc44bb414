"""The real server as a process, and what pods and players see of it from outside."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from redis.asyncio import Redis

from matchkeeper.domain.realm import NO_REALM, in_realm
from proof.ports import Port
from tests.conftest import wait_until

FAST: Mapping[str, object] = {
    "MATCHKEEPER_MATCHMAKING__REDIS_OPERATION_TIMEOUT_SECONDS": 0.5,
    "MATCHKEEPER_MATCHMAKING__TRY_MATCH_TICK_INTERVAL_SECONDS": 0.3,
    "MATCHKEEPER_REDIS__BREAKER_COOLDOWN_SECONDS": 1,
    "MATCHKEEPER_REDIS__BREAKER_COOLDOWN_MAX_SECONDS": 1,
    "MATCHKEEPER_SERVER__API_TOKEN": "test-token",
    "MATCHKEEPER_LOGGING__FORMAT": "json",
    "MATCHKEEPER_LOGGING__LEVEL": "DEBUG",
}

PATIENT: Mapping[str, object] = {"matchmaking__redis_operation_timeout_seconds": 5}
"""As in production. What is said once by Pub/Sub is lost where a subscription or a publish times
out, which half a second does on a busy machine.
"""

MODES = [
    {"game_mode": "Normal", "required_players": 2},
    {"game_mode": "Ranked", "required_players": 2, "use_mmr_matching": True},
    {"game_mode": "Squad", "required_players": 2, "handoff": "claim"},
]


def free_port() -> int:
    """One that the system does not give to outgoing connections, free a moment ago."""
    port = Port()
    port.free()
    return port.number


@dataclass
class Server:
    """One `matchkeeper serve` process."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def lines(self, needle: str = "") -> list[str]:
        """Log lines that hold `needle`."""
        return [line for line in self.log.read_text().splitlines() if needle in line]

    async def logged(self, needle: str, *, times: int = 1, seconds: float = 30) -> None:
        """Waits for a log line."""
        await wait_until(
            lambda: len(self.lines(needle)) >= times,
            seconds=seconds,
            what=f"log line {needle!r} {times}x; last lines: {self.lines()[-5:]}",
        )

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}") as http:
            return await http.get(path, timeout=5)

    async def metric(self, name: str) -> float:
        """The sum over all labels of one metric, as the server tells it."""
        text = (await self.get("/metrics")).text
        values = [
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith((f"{name} ", f"{name}{{"))
        ]
        return sum(values)

    async def ready(self, *, seconds: float = 90) -> None:
        """Waits until it is; on a machine that has much else to do, a start takes long."""
        await self._says(200, seconds=seconds, what="ready")

    async def unready(self, *, seconds: float = 30) -> None:
        await self._says(503, seconds=seconds, what="no longer ready")

    async def _says(self, status: int, *, seconds: float, what: str) -> None:
        async def check() -> bool:
            assert self.process.poll() is None, "\n".join(self.lines()[-20:])
            try:
                return (await self.get("/health/ready")).status_code == status
            except httpx.HTTPError:
                return False

        await wait_until(check, seconds=seconds, what=what)

    def catches_sigterm(self) -> bool:
        """Whether it would hear a SIGTERM by now (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(int(caught.split()[1], 16) & 1 << (signal.SIGTERM - 1))

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    async def ended(self, *, seconds: float = 30) -> int:
        await wait_until(lambda: self.process.poll() is not None, seconds=seconds, what="end")
        assert self.process.returncode is not None
        return self.process.returncode

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


_number = itertools.count(1)


@contextmanager
def serving(
    url: str, folder: Path, line: str = "exec {}", /, **settings: object
) -> Iterator[Server]:
    """Runs the server; `settings` are environment variables without their prefix, None unset.

    `line` is what the shell runs, `{}` the command.
    """
    port = free_port()
    log = folder / f"server-{next(_number)}.log"
    environment = {
        **os.environ,
        "MATCHKEEPER_REDIS__URL": url,
        "MATCHKEEPER_SERVER__PORT": str(port),
        "MATCHKEEPER_MATCHMAKING__GAME_MODES": json.dumps(MODES),
        **{name: str(value) for name, value in FAST.items()},
    }
    # Else each of the many starts compiles the whole program anew.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for name, value in settings.items():
        variable = f"MATCHKEEPER_{name.upper()}"
        environment.pop(variable, None)
        if value is not None:
            environment[variable] = _text(value)
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["bash", "-c", line.format(f"{sys.executable} -m matchkeeper serve")],
            env=environment,
            stdout=out,
            stderr=out,
            cwd=folder,
        )
    server = Server(process, port, log)
    try:
        yield server
    finally:
        server.kill()


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@dataclass
class Outside:
    """What everybody outside is told, in order; speaks the plain wire."""

    redis: Redis
    realm: str = NO_REALM
    offers: list[dict[str, Any]] = field(default_factory=list)
    answers: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    handed: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """(channel, match id, what came of it) of the messages about matches."""

    async def hand(self, kind: str, offer: Mapping[str, Any], **fields: object) -> None:
        """A game server says something of a match that it was offered, by Pub/Sub."""
        message = {
            "kind": kind, "pod_id": "pod-a", "game_mode": offer["game_mode"],
            "match_id": offer["match_id"], "epoch": offer["epoch"], "token": kind, **fields,
        }  # fmt: skip
        channel = in_realm("match:handoff:request", self.realm)
        await self.redis.publish(channel, json.dumps(message))

    def replies(self, token: str) -> list[str]:
        """What came of the messages with this token, in order."""
        return [came["reply"] for _, _, came in self.handed if came["token"] == token]

    async def is_handed(self, token: str, reply: str, *, seconds: float = 30) -> None:
        await wait_until(
            lambda: reply in self.replies(token),
            seconds=seconds,
            what=f"{reply} to {token}; it was {self.replies(token)}",
        )

    async def enqueue(
        self,
        player_id: str,
        mode: str = "Normal",
        *,
        pod: str = "pod-a",
        request_id: str | None = None,
        **metadata: object,
    ) -> None:
        message = {
            "player_id": player_id, "game_mode": mode, "metadata": metadata, "pod_id": pod,
        }  # fmt: skip
        if request_id is not None:
            message["request_id"] = request_id
        channel = in_realm("match:enqueue:request", self.realm)
        await self.redis.publish(channel, json.dumps(message))

    async def dequeue(self, player_id: str, mode: str = "Normal") -> None:
        message = {"player_id": player_id, "game_mode": mode}
        channel = in_realm("match:dequeue:request", self.realm)
        await self.redis.publish(channel, json.dumps(message))

    def told(self, player_id: str) -> list[str]:
        """The words and codes this player was told, in order."""
        return [
            _word(answer["result_type"])
            for _, answer in self.answers
            if answer["player_id"] == player_id
        ]

    async def is_told(self, player_id: str, word: str, *, seconds: float = 30) -> None:
        await wait_until(
            lambda: word in self.told(player_id),
            seconds=seconds,
            what=f"{player_id} told {word}; was told {self.told(player_id)}",
        )

    def matches_of(self, player_id: str) -> list[str]:
        """The match ids whose offers held this player; an offer made again counts once."""
        ids = (offer["match_id"] for offer in self.offers if player_id in players(offer))
        return list(dict.fromkeys(ids))


def players(offer: Mapping[str, Any]) -> list[str]:
    """The players of a battle request."""
    if "teams" in offer:
        return [player["player_id"] for team in offer["teams"] for player in team]
    return [offer["player1"]["player_id"], offer["player2"]["player_id"]]


def _word(result: str | dict[str, Any]) -> str:
    if isinstance(result, str):
        return result
    (word,) = result
    return f"Error {result[word]['code']}" if word == "Error" else word


@asynccontextmanager
async def outside(url: str, *, pods: bool = True, realm: str = NO_REALM) -> AsyncIterator[Outside]:
    """Listens on the wire. `pods=False`: nobody hears battle requests."""
    async with Redis.from_url(url, decode_responses=True) as redis, redis.pubsub() as pubsub:
        seen = Outside(redis, realm)
        await pubsub.psubscribe(in_realm("pod:*:match_result", realm))
        if pods:
            await pubsub.subscribe(in_realm("battle:request", realm))
        for _ in range(1 + pods):
            await pubsub.get_message(timeout=2)

        async def listen() -> None:
            async for message in pubsub.listen():
                if message["type"] == "message":
                    seen.offers.append(json.loads(message["data"]))
                elif message["type"] == "pmessage":
                    answer = json.loads(message["data"])
                    if "match_id" in answer:
                        came = answer["result_type"]["Handoff"]
                        seen.handed.append((message["channel"], answer["match_id"], came))
                    else:
                        seen.answers.append((message["channel"], answer))

        task = asyncio.ensure_future(listen())
        try:
            yield seen
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
