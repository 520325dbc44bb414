"""The processes of a simulation: match servers and game servers."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from crowd import handing
from crowd.behaviours import PodBehaviour
from crowd.history import History, What
from crowd.pods import treat
from matchkeeper.client import GameServer, Offer, RefusedError
from matchkeeper.config import Settings
from matchkeeper.domain.realm import QueueName
from matchkeeper.errors import StoreError
from matchkeeper.server.lifecycle import MatchServer
from matchkeeper.server.wiring import build
from matchkeeper.store import keys
from matchkeeper.wire.answers import Answer
from proof.simulate.backend import EPOCH
from proof.simulate.defects import unexpected
from proof.simulate.link import Endpoint
from proof.simulate.loop import SimLoop
from proof.simulate.network import Network
from proof.simulate.sizes import Heard

URL = "redis://simulation:6379/0"
_BACK_AFTER_SECONDS = 0.7
_TRIES = 4
_TARDY_SECONDS = 2.3
"""Longer than an offer holds."""
_LATE_SECONDS = 12.0
"""Longer than a lease."""
_WHILE_SECONDS = 1.0


@dataclass(slots=True, kw_only=True)
class World:
    """What all processes share."""

    loop: SimLoop
    network: Network
    history: History
    rng: random.Random
    settings: Settings
    timeout: timedelta
    pods: dict[str, Pod] = field(default_factory=dict)
    servers: dict[str, Server] = field(default_factory=dict)
    settings_of: dict[str, Settings] = field(default_factory=dict)
    """The settings of servers that have their own."""
    heard: Heard = field(init=False)
    """What servers know of each other's settings."""
    pods_seek: bool = False
    """Pods ask where their players are when they start again."""
    late_seconds: float = 0.0
    """Pods let somebody else claim before them."""
    tokens: int = 0
    defects: list[str] = field(default_factory=list)
    """Errors that nobody expected."""
    at_rest: Callable[[], bool] = lambda: True
    """Whether no match is pending, no request waits, and nobody waits who could play."""

    def __post_init__(self) -> None:
        sizes = {mode.queue.mode: mode.required_players for mode in self.settings.modes()}
        self.heard = Heard(sizes, lambda sizes: self.note(What.SIZED, who="operator", sizes=sizes))

    @property
    def realm(self) -> str:
        """Of all servers and pods."""
        return self.settings.matchmaking.realm

    @property
    def frozen(self) -> bool:
        """Whether some process does not run now, and will run again."""
        return any(each.frozen for each in (*self.servers.values(), *self.pods.values()))

    def token(self) -> str:
        """An id that is made once."""
        self.tokens += 1
        return f"{self.tokens:08x}"

    def settings_seen(self) -> int:
        """How many different settings servers have had."""
        args = (b"HGET", keys.servers(self.realm).encode(), b"count")
        return int(self.network.backend.admin(self.loop.time(), *args) or 0)

    def put_by_hand(self, player: str, *, mode: str, metadata: bytes) -> None:
        """What an operator does with two commands."""
        self.note(What.ASKED, player=player, mode=mode, word="enqueue")
        queue = QueueName.of(mode, self.realm)
        now = b"%.3f" % (EPOCH + self.loop.time())
        for args in (
            (b"HSET", keys.metadata(queue).encode(), player.encode(), metadata),
            (b"ZADD", keys.queue(queue).encode(), now, player.encode()),
        ):
            self.network.backend.admin(self.loop.time(), *args)

    def note(self, what: What, **fields: Any) -> None:
        """Notes an event of now in the history."""
        self.history.add(what, self.loop.time(), **fields)


class Process(ABC):
    """Something that can be killed at any instruction, and starts again."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.starts = 0
        self.comes_back = True
        self.step_seconds = 0.0
        """How long each step takes: more than 0 where the machine is overloaded."""
        self._endpoint: Endpoint | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        """Whether it runs."""
        return self._endpoint is not None and not self._endpoint.dead

    @property
    def frozen(self) -> bool:
        """Whether it will not run for a while."""
        now = self.world.loop.time()
        endpoint = self._endpoint
        return (
            endpoint is not None
            and not endpoint.dead
            and endpoint.pace.resumes_at > now + _WHILE_SECONDS
        )

    def slow_down(self, step_seconds: float) -> None:
        """From now on each of its steps takes `step_seconds`."""
        self.step_seconds = step_seconds
        if self._endpoint is not None:
            self._endpoint.pace.step_seconds = step_seconds

    def start(self) -> None:
        """A new process of this name."""
        if self.up:
            return
        self.starts += 1
        self._endpoint = Endpoint(name=self.name, on_kill=self._killed)
        self._endpoint.pace.step_seconds = self.step_seconds
        self._task = self.world.loop.create_task(
            self._guarded(self._endpoint), context=self._endpoint.context
        )

    def kill(self) -> None:
        """kill -9."""
        if self._endpoint is not None and not self._endpoint.dead:
            self.world.network.kill(self._endpoint)

    @abstractmethod
    def run(self, endpoint: Endpoint) -> Coroutine[Any, Any, None]:
        """What the process does."""

    def _killed(self) -> None:
        self.world.note(What.DIED, who=self.name)
        if self._task is not None:
            self._task.cancel()
        if self.comes_back:
            self._start_again()

    def _start_again(self) -> None:
        self.world.loop.call_later(_BACK_AFTER_SECONDS, self.start, context=Context())

    async def _guarded(self, endpoint: Endpoint) -> None:
        try:
            await self.run(endpoint)
        except Exception as error:  # noqa: BLE001  # what is not expected is told by its name
            self.world.defects += [f"{self.name}: {each}" for each in unexpected(error)]
            if not endpoint.dead:
                endpoint.dead = True
                self._start_again()
        finally:
            endpoint.dead = True


class Server(Process):
    """A match server: all of it but HTTP and signals."""

    server: MatchServer | None = None

    async def run(self, endpoint: Endpoint) -> None:
        """Until it is stopped."""
        world = self.world
        given = world.settings_of.get(self.name, world.settings)
        settings = given.model_copy(
            update={
                "server": given.server.model_copy(
                    update={"server_id": f"{self.name}-{self.starts}"}
                )
            }
        )
        context = build(
            settings,
            URL,
            clock=world.loop.time,
            rng=random.Random(world.rng.random()),  # the seed decides
            token=world.token,
            network=partial(world.network.connect, endpoint),
        )
        world.heard.follow(self.name, context.stores.servers)
        self.server = context.server
        async with context.stores.connection:
            await context.server.run()

    def stop(self) -> None:
        """SIGTERM."""
        self.comes_back = False
        if self.server is not None and self.up:
            self.server.stop()


class _Client(GameServer):
    """The public client, which tells of whom it asks where they are, by itself, too."""

    def __init__(self, url: str, *, sought: Callable[[str], None], **options: Any) -> None:
        super().__init__(url, **options)
        self._sought = sought

    async def status(self, player_id: str) -> Answer:
        """As `GameServer.status`."""
        self._sought(player_id)
        return await super().status(player_id)


class Pod(Process):
    """A game server that uses the public client."""

    def __init__(self, world: World, name: str, behaviours: Sequence[PodBehaviour]) -> None:
        super().__init__(world, name)
        self._behaviours = list(behaviours)
        self.players: dict[str, None] = {}
        """Whom it has asked for: its own store, which outlives it."""
        self.client: GameServer | None = None

    async def run(self, endpoint: Endpoint) -> None:
        """Takes offers until it is killed."""
        world = self.world
        client = _Client(
            URL,
            sought=lambda player: world.note(What.SOUGHT, who=self.name, player=player),
            pod_id=self.name,
            realm=world.realm,
            timeout=world.timeout,
            clock=world.loop.time,
            rng=random.Random(world.rng.random()),  # the seed decides
            token=lambda: handing.token(self.name, world.token()),
            network=partial(world.network.connect, endpoint),
        )
        async with client, asyncio.TaskGroup() as games:
            self.client = client
            if self.starts > 1 and world.pods_seek:
                for player in self.players:
                    games.create_task(self.seek(player))
            try:
                async for offer in client.battle_requests():
                    if offer.request.handoff == "claim":
                        games.create_task(self._treat(offer, endpoint))
            finally:
                self.client = None

    async def seek(self, player: str) -> None:
        """Asks where a player is, whom it has asked for."""
        if self.client is not None and player in self.players:
            with suppress(StoreError, RefusedError):
                await self.client.status(player)

    async def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Something that the process does for a player, at its own pace."""
        context = self._endpoint.context if self._endpoint is not None else None
        await self.world.loop.create_task(work, context=context)

    async def _treat(self, offer: Offer, endpoint: Endpoint) -> None:
        behaviour = self._behaviours.pop(0) if self._behaviours else PodBehaviour.CLAIMS
        world = self.world
        facts = {"match": offer.request.match_id, "epoch": offer.request.epoch, "who": self.name}

        def note(what: What) -> None:
            world.note(what, **facts, assigns=what is What.CONFIRMING)
            if behaviour is PodBehaviour.DIES:
                world.network.kill(endpoint)

        assignment = handing.assignment(offer.request.match_id, self.name)
        players = (each.player_id for each in offer.request.players)
        secrets = handing.secrets(offer.request.match_id, players)
        late = behaviour is PodBehaviour.CLAIMS_LATE
        wait = _TARDY_SECONDS if late else world.late_seconds
        await treat(
            behaviour,
            claim=partial(self._again, offer.claim),
            decline=partial(self._again, offer.decline),
            start=partial(self._again, partial(offer.started, assignment, secrets)),
            before=lambda: wait + world.rng.choice((0.0, 0.001, 0.01, 0.3)),
            between=_LATE_SECONDS if behaviour is PodBehaviour.STARTS_LATE else 0.05,
            note=note,
        )

    async def _again(self, call: Any) -> bool:
        for _ in range(_TRIES):
            try:
                return bool(await call())
            except StoreError:
                await asyncio.sleep(0.2)
        return False
