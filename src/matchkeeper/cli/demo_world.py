"""The demo's people: players who come and go, and game servers that take matches."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from matchkeeper.client import Answer, GameServer, Offer, RefusedError
from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.errors import MatchkeeperError

_EVENTS = 12


class Fate(StrEnum):
    """What has become of a player who was told `EnQueued`."""

    WAITING = "waiting"
    MATCHED = "matched"
    LEFT = "left"
    EXPIRED = "expired"
    SET_ASIDE = "set aside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How lively the demo is. Shares are of 1."""

    players_per_second: float = 8.0
    leave: float = 0.05
    bad_metadata: float = 0.02
    decline: float = 0.03
    vanish: float = 0.02
    """Of claimed matches: the game server dies before it confirms."""


@dataclass
class Ledger:
    """What players and game servers saw, and nothing else: the judge of "nobody lost"."""

    clock: Callable[[], float]
    fates: dict[str, Fate] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    doubled: int = 0
    waits: deque[float] = field(default_factory=lambda: deque(maxlen=500))
    events: deque[str] = field(default_factory=lambda: deque(maxlen=_EVENTS))

    def queued(self, player_id: str) -> None:
        """The player was told `EnQueued`. A match may have been faster than that answer."""
        self.counts["enqueued"] += 1
        if self.fates.setdefault(player_id, Fate.WAITING) is Fate.WAITING:
            self.since.setdefault(player_id, self.clock())

    def ended(self, player_id: str, fate: Fate) -> None:
        """The player's wait is over."""
        before = self.fates.get(player_id)
        if before is Fate.MATCHED and fate is Fate.MATCHED:
            self.doubled += 1
        self.fates[player_id] = fate
        self.counts[fate.value] += 1
        since = self.since.pop(player_id, None)
        if since is not None and fate is Fate.MATCHED:
            self.waits.append(self.clock() - since)

    def waiting(self) -> list[str]:
        """Players who were told `EnQueued` and nothing since, longest first."""
        return list(self.since)

    def tell(self, text: str) -> None:
        """One line for the people who watch."""
        self.events.append(text)


class World:
    """Pods and players on the real wire."""

    def __init__(
        self,
        redis_url: str,
        modes: Sequence[GameMode],
        *,
        pods: int,
        rates: Rates,
        ledger: Ledger,
        rng: random.Random,
    ) -> None:
        self._modes = modes
        self._rates = rates
        self._ledger = ledger
        self._rng = rng
        self._servers = [GameServer(redis_url, pod_id=f"pod-{n}") for n in range(1, pods + 1)]
        self._number = 0
        self._closed = False

    @property
    def pods(self) -> int:
        """How many game servers play."""
        return len(self._servers)

    def close(self) -> None:
        """No new players; those who wait are still listened for."""
        self._closed = True

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for server in self._servers:
                group.create_task(self._pod(server, group))

    async def _pod(self, server: GameServer, group: asyncio.TaskGroup) -> None:
        async with server:
            await asyncio.gather(
                self._players(server, group), self._battles(server, group), self._results(server)
            )

    async def _players(self, server: GameServer, group: asyncio.TaskGroup) -> None:
        while not self._closed:
            rate = self._rates.players_per_second / self.pods
            await asyncio.sleep(self._rng.expovariate(rate))
            group.create_task(self._player(server))

    async def _player(self, server: GameServer) -> None:
        self._number += 1
        player_id, mode = f"player-{self._number}", self._rng.choice(self._modes)
        metadata: dict[str, object] = {"mmr": round(self._rng.gauss(1500, 300))}
        if self._rng.random() < self._rates.bad_metadata:
            metadata = {"mmr": "over 9000"}
        self._ledger.counts["asked"] += 1
        try:
            await server.enqueue(player_id, mode.name, metadata)
        except RefusedError as error:
            self._ledger.counts["refused"] += 1
            self._ledger.tell(f"{player_id} refused: {error.message}")
            return
        except MatchkeeperError as error:
            self._ledger.counts["unanswered"] += 1
            self._ledger.tell(f"{player_id}: {error.message}")
            return
        self._ledger.queued(player_id)
        if self._rng.random() < self._rates.leave:
            await asyncio.sleep(self._rng.uniform(0, 3))
            await self._leave(server, player_id, mode)

    async def _leave(self, server: GameServer, player_id: str, mode: GameMode) -> None:
        try:
            await server.dequeue(player_id, mode.name)
        except MatchkeeperError:
            return  # matched meanwhile, or nobody answers now
        self._ledger.ended(player_id, Fate.LEFT)

    async def _battles(self, server: GameServer, group: asyncio.TaskGroup) -> None:
        async for offer in server.battle_requests():
            if offer.request.handoff == Handoff.CLAIM:
                group.create_task(self._claim(server, offer))

    async def _claim(self, server: GameServer, offer: Offer) -> None:
        match_id = offer.request.match_id[:8]
        try:
            if not await offer.claim(lease=timedelta(seconds=3)):
                return
            chance = self._rng.random()
            if chance < self._rates.decline:
                await offer.decline()
                self._ledger.tell(f"{server.pod_id} declined match {match_id}: offered again")
            elif chance < self._rates.decline + self._rates.vanish:
                self._ledger.tell(f"{server.pod_id} claimed {match_id} and vanished: given back")
            elif await offer.started():
                players = ", ".join(player.player_id for player in offer.request.players)
                self._ledger.tell(f"{server.pod_id} started match {match_id}: {players}")
        except MatchkeeperError as error:
            self._ledger.tell(f"{server.pod_id}: {error.message}")

    async def _results(self, server: GameServer) -> None:
        async for answer in server.results():
            self._take(answer)

    def _take(self, answer: Answer) -> None:
        if answer.kind == "MatchFound" and isinstance(answer.result_type, dict):
            self._ledger.ended(answer.player_id, Fate.MATCHED)
            found = answer.result_type["MatchFound"]
            if found.get("claimed_by") is None and answer.player_id == found["player_ids"][0]:
                players = ", ".join(found["player_ids"])
                self._ledger.tell(
                    f"match {found['match_id'][:8]} of {found['game_mode']}: {players}"
                )
        elif answer.kind == "Expired":
            self._ledger.ended(answer.player_id, Fate.EXPIRED)
        elif answer.kind == "DeQueued":
            self._ledger.ended(answer.player_id, Fate.LEFT)
        elif answer.kind == "Error":
            self._ledger.ended(answer.player_id, Fate.SET_ASIDE)
