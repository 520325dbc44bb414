"""The swarm at work: requests out at their time, answers in, until everybody's end is known."""

from __future__ import annotations

import asyncio
import heapq
import random
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from crowd.behaviours import PodBehaviour
from crowd.mix import Mix
from crowd.people import CrowdOptions, Group, crowd, so_many
from crowd.requests import Names, Request, Via, Writer
from crowd.wire import told
from matchkeeper.domain.realm import NO_REALM
from matchkeeper.errors import StoreError, StoreUnavailableError
from matchkeeper.resilience.breaker import CircuitBreaker
from matchkeeper.store.failures import outcome_of
from matchkeeper.store.operations import Operations, Options, Unobserved
from matchkeeper.store.sending import Sender, Written
from matchkeeper.store.subscription import subscribed
from matchkeeper.swarm.ledger import Ledger
from matchkeeper.swarm.messages import Messages
from matchkeeper.swarm.player import Doing, Player, Wish
from matchkeeper.swarm.pods import Pods
from matchkeeper.swarm.tally import Neutral, Tally
from matchkeeper.wire.answers import decode_answer, decode_battle_request

_TICK_SECONDS = 0.005
_AT_ONCE = 500
_AT_ONCE_BYTES = 1 << 20
_LEFT_OVER_SECONDS = 1.0
_LOOK_SECONDS = 0.2
_LISTEN_AGAIN_SECONDS = 0.5
_HANDOFF = b'{"match_id":'


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the swarm goes, and what the channels are called there."""

    url: str
    enqueue_channel: str = "match:enqueue:request"
    dequeue_channel: str = "match:dequeue:request"
    handoff_channel: str = "match:handoff:request"
    result_channel: str = "pod:{pod_id}:match_result"
    battle_channel: str = "battle:request"
    realm: str = NO_REALM
    max_message_bytes: int = 65_536
    sizes: dict[str, int] = field(default_factory=dict)
    """Players of a match, by mode, as far as known."""
    teams: dict[str, int] = field(default_factory=dict)
    """How many it has."""
    operation_timeout: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmOptions:
    """What the swarm does there."""

    crowd: CrowdOptions
    players: int
    pod_mix: Mix[PodBehaviour]
    pods: int = 4
    """0: only the game servers that are there."""
    via: Via = Via.PUBSUB
    metadata_bytes: int = 0
    timeout_seconds: float = 30.0
    """A player who is not matched by then gives up."""
    late_seconds: float = 10.0
    """Longer than a busy server takes from a script to the news of it."""
    drain_seconds: float = 30.0
    """How long the swarm waits at the end for answers to those who leave."""


def new_run() -> str:
    """A name that no other run has."""
    return f"swarm-{secrets.token_hex(4)}"


class Swarm:
    """One run, from the first player to the last answer."""

    def __init__(
        self,
        target: Target,
        options: SwarmOptions,
        *,
        run: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target = target
        self._options = options
        self._clock = clock
        self._names = Names(run=run)
        self._rng = random.Random(options.crowd.seed)  # noqa: S311  # the same each time
        self._connection = self._connect(run)
        self._sender = Sender(self._connection, realm=target.realm)
        self._messages = Messages(
            self._connection, channel=target.handoff_channel, realm=target.realm
        )
        self.tally = Tally()
        self.ledger = Ledger(
            names=self._names,
            players=options.players,
            timeout_seconds=options.timeout_seconds,
            late_seconds=options.late_seconds,
            sizes=target.sizes,
            teams=target.teams,
            tally=self.tally,
        )
        self._pods = Pods(
            names=self._names,
            count=options.pods,
            mix=options.pod_mix,
            ledger=self.ledger,
            messages=self._messages,
            now=self.now,
            rng=self._rng,
        )
        self._writer = Writer(
            names=self._names,
            metadata_bytes=options.metadata_bytes,
            max_message_bytes=target.max_message_bytes,
        )
        self._listening = asyncio.Event()
        self._wishes: list[tuple[float, int, Wish]] = []
        self._wished = 0
        homes = self._names.pods(options.crowd.homes)
        self._pod_of = {target.result_channel.replace("{pod_id}", pod): pod for pod in homes}
        self._groups = so_many(crowd(options.crowd), options.players)
        self._next: Group | None = next(self._groups, None)
        self._begun = 0.0
        self._end = self._idle_since = float("inf")
        self._look_at = 0.0
        self.behind_seconds = 0.0
        """The most that the swarm itself was late with a player."""
        self.remaining = 0
        """Players who may still be in Redis at the end."""
        self.closing = False

    def now(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._begun

    async def run(self, stop: asyncio.Event, at_once: asyncio.Event) -> None:
        """Plays to the end. `stop`: no new players, and the others leave; `at_once`: without them.

        Raises StoreError when Redis cannot be reached at the start.
        """
        async with self._connection:
            await self._connection.ping()
            failure: StoreError | None = None
            async with asyncio.TaskGroup() as group:
                around = [group.create_task(self._listen()), group.create_task(self._pods.run())]
                try:
                    await self._heard()
                    self._begun = self._clock()
                    await self._play(stop, at_once)
                except StoreError as error:
                    failure = error
                for task in around:
                    task.cancel()
            self.remaining = self.ledger.finish()
            if failure is not None:
                raise failure

    async def _heard(self) -> None:
        seconds = self._connection.timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._listening.wait()
        except TimeoutError:
            raise StoreUnavailableError(
                f"No subscription after {seconds:g}s",
                hint="Check that the user in the URL may subscribe to the channels of its pods.",
            ) from None

    async def _play(self, stop: asyncio.Event, at_once: asyncio.Event) -> None:
        while not at_once.is_set():
            now = self.now()
            out = [] if stop.is_set() else self._arrivals(now)
            self._wish(self.ledger.due(now), now)
            out += self._leavers(now)
            await self._send(out)
            if (self._next is None or stop.is_set()) and self._is_over(now, stopped=stop.is_set()):
                return
            await asyncio.sleep(0 if len(out) >= _AT_ONCE else _TICK_SECONDS)

    def _arrivals(self, now: float) -> list[Request]:
        """The requests of players whose time has come, as many as go in one round trip."""
        out: list[Request] = []
        size = 0
        while self._next is not None and self._next[0].at <= now:
            if len(out) >= _AT_ONCE or size >= _AT_ONCE_BYTES:
                break
            group, self._next = self._next, next(self._groups, None)
            self.behind_seconds = max(self.behind_seconds, now - group[0].at)
            requests = self._writer.enqueues(group)
            self._wish(self.ledger.asked(group, now, requests=len(requests)), now)
            out += requests
            size += sum(len(request.body) for request in requests)
        return out

    def _leavers(self, now: float) -> list[Request]:
        """The dequeues that are wished for by now."""
        out: list[Request] = []
        while self._wishes and self._wishes[0][0] <= now and len(out) < _AT_ONCE:
            _, _, wish = heapq.heappop(self._wishes)
            if wish.doing is Doing.LOOK:
                self.ledger.looks(wish.number, now)
            elif (leaving := self.ledger.leaves(wish.number)) is not None:
                player, again = leaving
                self._wish([again] if again else [], now)
                out.append(self._dequeue(player))
        return out

    def _dequeue(self, player: Player) -> Request:
        if player.party is not None and player.leaves_as_one:
            return self._writer.dequeue_party(player.party.numbers, player.mode, player.home)
        return self._writer.dequeue(player.number, player.mode, player.home, turn=player.leave_turn)

    def _wish(self, wishes: Sequence[Wish], now: float) -> None:
        for wish in wishes:
            self._wished += 1
            heapq.heappush(self._wishes, (now + wish.after, self._wished, wish))

    def _is_over(self, now: float, *, stopped: bool) -> bool:
        """After the last arrival: whether everybody's end is known, or has been waited for."""
        if not self.ledger.live or now > self._end:
            return True
        if stopped and not self.closing:
            self._close(Neutral.STOPPED, now)
        if now < self._look_at:
            return False
        self._look_at = now + _LOOK_SECONDS
        idle = self.ledger.only_left_over()
        self._idle_since = min(self._idle_since, now) if idle else float("inf")
        if not self.closing and now - self._idle_since > _LEFT_OVER_SECONDS:
            self._close(Neutral.NO_PARTNER, now)
        if self.ledger.is_closing():
            self._end = min(self._end, now + self._options.drain_seconds)
        return False

    def _close(self, why: Neutral, now: float) -> None:
        self.closing = True
        self._wish(self.ledger.close(why), now)

    async def _send(self, out: Sequence[Request]) -> None:
        if not out:
            return
        try:
            if self._options.via is Via.STREAM:
                await self._submit(out)
            else:
                await self._publish(out)
        except StoreError as error:
            for request in out:
                self.ledger.not_sent(request.about, outcome_of(error).value)

    async def _publish(self, out: Sequence[Request]) -> None:
        target = self._target
        channels = {"enqueue": target.enqueue_channel, "dequeue": target.dequeue_channel}
        await self._connection.publish([(channels[each.kind], each.body) for each in out])

    async def _submit(self, out: Sequence[Request]) -> None:
        ids = await self._sender.write_all([Written(each.kind, each.body) for each in out])
        for request, entry_id in zip(out, ids, strict=True):
            if not entry_id:
                self.ledger.not_sent(request.about, "no_stream")

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear()
            except StoreError:
                if self._listening.is_set():
                    self.ledger.gap()
            pause = _LISTEN_AGAIN_SECONDS * self._rng.uniform(0.5, 1.5)
            await asyncio.sleep(pause)

    async def _hear(self) -> None:
        channels = list(self._pod_of)
        if self._options.pods:
            channels.append(self._target.battle_channel)
        async with subscribed(self._connection, channels) as subscription:
            self._listening.set()
            await subscription.listen(self._take)

    def _take(self, channel: str, payload: bytes) -> None:
        try:
            if channel == self._target.battle_channel:
                self._pods.offered(decode_battle_request(payload))
                return
            if payload.startswith(_HANDOFF):
                self._messages.heard(payload)
                return
            answer = decode_answer(payload)
        except msgspec.DecodeError:
            self.tally.errors["message that cannot be read"] += 1
            return
        numbers = self._names.players(answer.player_id)
        if not numbers:
            self.tally.foreign += 1
            return
        now = self.now()
        news = told(
            now,
            self._pod_of[channel],
            answer.player_id,
            answer.result_type,
            left_by=answer.left_by or "",
        )
        self._wish(self.ledger.told(numbers, news), now)

    def _connect(self, run: str) -> Operations:
        return Operations(
            Options(
                url=self._target.url,
                timeout=self._target.operation_timeout,
                max_connections=16,
                client_name=run,
            ),
            breaker=CircuitBreaker(
                failures=5,
                cooldown=timedelta(seconds=1),
                cooldown_max=timedelta(seconds=5),
                clock=self._clock,
                rng=self._rng,
            ),
            observer=Unobserved(),
            clock=self._clock,
            rng=self._rng,
        )
