"""The demo's people on the real wire: lobbies with players, and game servers that take matches."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial

from crowd.behaviours import Behaviour, PodBehaviour
from crowd.history import What
from crowd.mix import Mix
from crowd.people import CrowdOptions, Group, crowd
from crowd.pods import treat
from crowd.wire import told
from matchkeeper.cli.demo.day import Day
from matchkeeper.cli.demo.ledger import Ledger, Stay
from matchkeeper.client import BattleRequest, GameServer, Offer, RefusedError
from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.domain.realm import NO_REALM
from matchkeeper.errors import MatchkeeperError

_TIMEOUT = timedelta(seconds=2)
_AGAIN_SECONDS = 1.0
_IMPATIENT_EVERY_SECONDS = 0.25
_LOBBIES = ("lobby-1", "lobby-2")
_PATIENCE = timedelta(seconds=90)
"""Players who do not quit leave after so long."""
_PLAYERS = Mix(((Behaviour.NORMAL, 90.0), (Behaviour.QUITS, 8.0), (Behaviour.BAD_METADATA, 2.0)))
_LARGEST_PARTY = 5
_FRIENDS = 0.5
"""Share of the players who come in parties, in modes with teams."""
_CONDUCT = Mix(
    ((PodBehaviour.CLAIMS, 97.0), (PodBehaviour.DECLINES, 2.0), (PodBehaviour.DIES, 1.0))
)
"""What game servers do with a match."""
_TOLD = {
    PodBehaviour.DECLINES: "declined match {}: offered again",
    PodBehaviour.DIES: "claimed match {} and died: given back",
}


class Switch:
    """On or off, and waiting for either."""

    def __init__(self) -> None:
        self._on, self._off = asyncio.Event(), asyncio.Event()
        self._on.set()

    @property
    def on(self) -> bool:
        """How it stands."""
        return self._on.is_set()

    def flip(self) -> None:
        """From on to off, or back."""
        now, then = (self._on, self._off) if self.on else (self._off, self._on)
        now.clear()
        then.set()

    async def is_on(self) -> None:
        """Returns once it is on."""
        await self._on.wait()

    async def is_off(self) -> None:
        """Returns once it is off."""
        await self._off.wait()


class World:
    """Players come through the lobbies, which go on asking when no game server plays."""

    def __init__(
        self,
        redis_url: str,
        *,
        realm: str = NO_REALM,
        pods: int,
        day: Day,
        modes: Sequence[GameMode],
        ledger: Ledger,
        seed: int,
        prefix: str,
    ) -> None:
        self._redis_url = redis_url
        self._realm = realm
        self._modes = {mode.name: mode for mode in modes}
        self._people = crowd(
            CrowdOptions(
                pace=day,
                behaviours=_PLAYERS,
                modes=Mix(tuple((name, 1.0) for name in self._modes)),
                parties={mode.name: parties_of(mode) for mode in modes},
                homes=len(_LOBBIES),
                seed=seed,
            )
        )
        self._behaviour = _CONDUCT.picker(random.Random(seed))  # noqa: S311  # a show, no secrets
        self._ledger = ledger
        self._prefix = prefix
        self._pods = [f"pod-{n}" for n in range(1, pods + 1)]
        self._lobbies: dict[str, GameServer] = {}
        self._closed = False
        self.pods_play = Switch()

    def close(self) -> None:
        """No new players; those who wait are still listened for."""
        self._closed = True

    async def toggle_pods(self) -> None:
        """The game servers end, or come back."""
        self.pods_play.flip()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name in _LOBBIES:
                group.create_task(self._lobby(name))
            for name in self._pods:
                group.create_task(self._pod(name))
            group.create_task(self._arrive(group))
            group.create_task(self._lose_patience(group))

    async def _lobby(self, name: str) -> None:
        while True:
            # It plays no matches, so it listens to no offers: they count who hears them.
            server = GameServer(
                self._redis_url,
                pod_id=name,
                realm=self._realm,
                battle_request_channel=f"{name}:plays:nothing",
                timeout=_TIMEOUT,
            )
            try:
                async with server:
                    self._lobbies[name] = server
                    async for answer in server.results():
                        at, result = self._ledger.clock(), answer.result_type
                        self._ledger.told(told(at, name, answer.player_id, result))
            except MatchkeeperError as error:
                self._ledger.tell(f"{name}: {error.message}")
            self._lobbies.pop(name, None)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _arrive(self, tasks: asyncio.TaskGroup) -> None:
        begun = self._ledger.clock()
        for group in self._people:
            await asyncio.sleep(max(0.0, begun + group[0].at - self._ledger.clock()))
            if self._closed:
                return
            if (name := _LOBBIES[group[0].home]) in self._lobbies:
                tasks.create_task(self._enter(group, name))

    async def _enter(self, group: Group, name: str) -> None:
        """A player alone, or a party: all through the lobby of the first of them."""
        lead, lobby = group[0], self._lobbies[name]
        mode = self._modes[lead.mode]
        quits = lead.behaviour is Behaviour.QUITS
        patience = timedelta(seconds=lead.patience_seconds) if quits else _PATIENCE
        bad = lead.behaviour is Behaviour.BAD_METADATA
        players = {
            f"{self._prefix}player-{each.number + 1}": {
                "mmr": "over 9000" if bad and each is lead else each.rating
            }
            for each in group
        }
        self._ledger.came(tuple(players), mode, patience, lobby=name)
        try:
            if len(players) == 1:
                ((player_id, metadata),) = players.items()
                await lobby.enqueue(player_id, mode.name, metadata)
            else:
                party_id = f"{self._prefix}party-{lead.number + 1}"
                await lobby.enqueue_party(party_id, players, mode.name)
        except RefusedError as error:
            self._ledger.counts["refused"] += len(players)
            self._ledger.tell(f"{', '.join(players)} refused: {error.message}")
        except MatchkeeperError:
            # The request may count all the same, later; then the lobby hears of it.
            self._ledger.counts["unanswered"] += len(players)
        else:
            for each in players:
                self._ledger.queued(each)

    async def _lose_patience(self, group: asyncio.TaskGroup) -> None:
        while True:
            await asyncio.sleep(_IMPATIENT_EVERY_SECONDS)
            for player_id in self._ledger.impatient():
                stay = self._ledger.stay(player_id)
                if stay.lobby in self._lobbies:
                    self._ledger.asks_to_leave(player_id)
                    group.create_task(self._leave(player_id, stay))

    async def _leave(self, player_id: str, stay: Stay) -> None:
        try:
            await self._lobbies[stay.lobby].dequeue(player_id, stay.mode.name)
        except RefusedError as error:
            if error.code != "match_pending":  # else the player leaves if that match fails
                self._ledger.stays_on(player_id)
        except MatchkeeperError:
            return  # nobody knows; the request may count, later
        else:
            self._ledger.left(player_id)

    async def _pod(self, name: str) -> None:
        while True:
            await self.pods_play.is_on()
            try:
                await self._play(name)
            except MatchkeeperError:
                await asyncio.sleep(_AGAIN_SECONDS)  # Redis is away, as a control told it to be

    async def _play(self, name: str) -> None:
        """Takes matches until the pods are to end; it brings matches in hand to their end."""
        server = GameServer(self._redis_url, pod_id=name, realm=self._realm, timeout=_TIMEOUT)
        async with server, asyncio.TaskGroup() as hands:
            offers = hands.create_task(self._take_offers(server, hands))
            await self.pods_play.is_off()
            offers.cancel()

    async def _take_offers(self, server: GameServer, hands: asyncio.TaskGroup) -> None:
        async for offer in server.battle_requests():
            if offer.request.handoff == Handoff.CLAIM:
                hands.create_task(self._claim(server, offer))
            else:
                self._started(server, offer)

    async def _claim(self, server: GameServer, offer: Offer) -> None:
        behaviour = self._behaviour()
        try:
            came_to = await treat(
                behaviour,
                claim=offer.claim,
                decline=offer.decline,
                start=partial(self._last_word, offer),
            )
        except MatchkeeperError:
            return  # no answer, no match: it is offered again, or given back
        if came_to is What.STARTED:
            self._started(server, offer)
        elif came_to is What.CLAIMED:
            match_id = offer.request.match_id[-8:]
            self._ledger.tell(f"{server.pod_id} {_TOLD[behaviour].format(match_id)}", unusual=True)

    async def _last_word(self, offer: Offer) -> bool:
        """Asks again where no answer came: the last word may have been given."""
        with self._ledger.last_word(player.player_id for player in offer.request.players):
            while True:
                with suppress(MatchkeeperError):
                    return await offer.started()
                await asyncio.sleep(_AGAIN_SECONDS)

    def _started(self, server: GameServer, offer: Offer) -> None:
        request = offer.request
        self._ledger.matched(request.match_id, [player.player_id for player in request.players])
        self._ledger.tell(
            f"{server.pod_id} starts {request.game_mode} {request.match_id[-8:]}: "
            f"{in_words(request)}"
        )


def parties_of(mode: GameMode) -> Mix[int]:
    """Which of its players come with friends: in modes with teams, as many in parties of each size
    that has room on a team.
    """
    sizes = range(2, min(mode.team_size, _LARGEST_PARTY) + 1)
    share = _FRIENDS / len(sizes) if sizes else 0.0
    return Mix(((1, 1 - _FRIENDS), *((size, share) for size in sizes)))


def in_words(request: BattleRequest) -> str:
    """Who plays against whom: `a & b, c against d, e & f`, with `&` between friends."""
    words = []
    for team in request.sides:
        parties: dict[str, list[str]] = {}
        for player in team:
            parties.setdefault(player.party_id or player.player_id, []).append(player.player_id)
        words.append(", ".join(map(" & ".join, parties.values())))
    return " against ".join(words)
