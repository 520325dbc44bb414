"""The simulated game servers: they hear every offer, and one of them is the fastest."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from crowd.behaviours import PodBehaviour
from crowd.history import Event, What
from crowd.mix import Mix
from crowd.pods import treat
from crowd.requests import Names
from matchkeeper.domain.mode import Handoff
from matchkeeper.errors import StoreError
from matchkeeper.store.failures import outcome_of
from matchkeeper.swarm.ledger import Ledger
from matchkeeper.swarm.messages import Messages
from matchkeeper.swarm.tally import Invariant
from matchkeeper.wire.answers import BattleRequest
from matchkeeper.wire.handed import HandoffReply
from matchkeeper.wire.handoffs import HandoffKind, PodKind

_HEARTBEAT_SECONDS = 5.0
_DOWN_SECONDS = 3.0
_LATE_SECONDS = 0.5
_RACES = 0.25
"""How often a second game server tries to claim as well."""
_IN_HAND = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    request: BattleRequest
    pod: str
    token: str


class Pods:
    """All simulated game servers of a run. A match with players of somebody else is left alone."""

    def __init__(
        self,
        *,
        names: Names,
        count: int,
        mix: Mix[PodBehaviour],
        ledger: Ledger,
        messages: Messages,
        now: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._names = names
        self._pods = names.pods(count)
        behaviours = mix.spread(count)
        rng.shuffle(behaviours)
        self._behaviours = dict(zip(self._pods, behaviours, strict=True))
        self._ledger = ledger
        self._seen = ledger.tally.pods
        self._messages = messages
        self._now = now
        self._rng = rng
        self._down: dict[str, float] = {}
        self._offers: asyncio.Queue[BattleRequest] = asyncio.Queue(_IN_HAND)
        self._in_hand = 0

    def offered(self, request: BattleRequest) -> None:
        """A battle request was heard."""
        self._seen["battle requests heard"] += 1
        self._ledger.offered(self._now(), request)
        numbers = [self._names.number(player.player_id) for player in request.players]
        if None in numbers:
            others = all(number is None for number in numbers)
            self._seen["matches of others" if others else "matches with others"] += 1
        elif request.handoff != Handoff.CLAIM:
            self._seen["matches published"] += 1
        elif self._in_hand >= _IN_HAND or self._offers.full():
            self._seen["offers let pass, too many in hand"] += 1
        else:
            self._offers.put_nowait(request)

    @property
    def waiting(self) -> int:
        """Offers that nobody has taken up yet."""
        return self._offers.qsize()

    async def run(self) -> None:
        """Takes offers and sends heartbeats, until cancelled."""
        if not self._pods:
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._beat())
                while True:
                    request = await self._offers.get()
                    self._in_hand += 1
                    task = group.create_task(self._take(request))
                    task.add_done_callback(self._taken)
        finally:
            await self._leave()

    def _taken(self, _: asyncio.Task[None]) -> None:
        self._in_hand -= 1

    async def _take(self, request: BattleRequest) -> None:
        up = self._up()
        if not up:
            self._seen["offers while all were down"] += 1
            return
        pods = [self._rng.choice(up)]
        behaviour = self._behaviours[pods[0]]
        if behaviour is PodBehaviour.NEVER_CLAIMS:
            self._seen["offers not claimed on purpose"] += 1
        rivals = [pod for pod in up if pod != pods[0] and self._behaviours[pod] is behaviour]
        if behaviour is PodBehaviour.CLAIMS and rivals and self._rng.random() < _RACES:
            pods.append(self._rng.choice(rivals))
        async with asyncio.TaskGroup() as group:
            for pod in pods:
                token = f"{self._rng.getrandbits(64):016x}"
                offer = _Offer(request=request, pod=pod, token=token)
                group.create_task(self._treat(offer, behaviour))

    def _up(self) -> list[str]:
        return [pod for pod in self._pods if self._down.get(pod, 0.0) <= self._now()]

    async def _treat(self, offer: _Offer, behaviour: PodBehaviour) -> None:
        late = behaviour is PodBehaviour.CLAIMS_LATE
        wait = offer.request.claim_within_seconds + _LATE_SECONDS if late else 0.0
        try:
            came_to = await treat(
                PodBehaviour.DECLINES if late else behaviour,
                claim=partial(self._claim, offer),
                decline=partial(self._decline, offer),
                start=partial(self._start, offer),
                before=lambda: wait,
                note=partial(self._note, offer),
            )
        except StoreError as error:
            self._ledger.tally.errors[f"game server: {outcome_of(error).value}"] += 1
            return
        tally = self._ledger.tally
        tally.checked[Invariant.LATE_CLAIM_REFUSED] += late
        if came_to is not What.CLAIMED:
            return
        if late:
            what = f"match {offer.request.match_id}: claimed {_LATE_SECONDS:g} s after its deadline"
            tally.violated(Invariant.LATE_CLAIM_REFUSED, what)
        elif behaviour is PodBehaviour.DIES:
            self._seen["died after a claim"] += 1
            self._down[offer.pod] = self._now() + _DOWN_SECONDS

    async def _claim(self, offer: _Offer) -> bool:
        reply = await self._ask(HandoffKind.CLAIM, offer)
        if reply == HandoffReply.CLAIMED:
            self._seen["claims"] += 1
            return True
        self._seen[f"claims refused: {reply}"] += 1
        return False

    async def _start(self, offer: _Offer) -> bool:
        reply = await self._ask(HandoffKind.CONFIRM, offer)
        if reply == HandoffReply.STARTED:
            self._seen["matches started"] += 1
            return True
        self._seen[f"starts refused: {reply}"] += 1
        return False

    async def _decline(self, offer: _Offer) -> bool:
        reply = await self._ask(HandoffKind.DECLINE, offer)
        self._seen["declined"] += 1
        return reply == HandoffReply.DECLINED

    async def _ask(self, kind: HandoffKind, offer: _Offer) -> str:
        return await self._messages.ask(kind, offer.request, pod=offer.pod, token=offer.token)

    def _note(self, offer: _Offer, what: What) -> None:
        match, epoch = offer.request.match_id, offer.request.epoch
        self._ledger.matches.see(
            Event(at=self._now(), what=what, who=offer.pod, match=match, epoch=epoch)
        )

    async def _beat(self) -> None:
        while True:
            await self._messages.beat(self._up(), PodKind.HEARTBEAT)
            await asyncio.sleep(_HEARTBEAT_SECONDS)

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(2):
                await self._messages.beat(self._pods, PodKind.BYE)
        except TimeoutError:
            pass  # falling silent says the same, a little later
