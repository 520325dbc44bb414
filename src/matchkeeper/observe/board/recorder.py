"""What this server remembers of the last hour. Everything is bounded, and forgotten at its end."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Ticket, members_of
from matchkeeper.observe.board.stream import EventStream
from matchkeeper.observe.logging import masked

SAMPLE_SECONDS = 10.0
"""Between two points of the hour's curve."""
_SAMPLES = 361
_SETTLE_SECONDS = 2.0
_FRESH = 1000
_MATCHES = 2000
_DIFFERENCES = 500
_TIMES = 2000
_PODS = 200
_CLAIMS = 200
_LAGS = 240
"""The lag is measured four times a second: a minute."""
_STALE_SECONDS = 15.0
"""A length that was read before that says nothing of now."""
_ERROR_CHARACTERS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One queue at one moment; the counts are since the start of this server."""

    at: float
    waiting: int | None
    """None: Redis could not be read."""
    matches: int
    matched: int
    back: Mapping[str, int]
    """Players who kept their place after a match failed, by cause."""


@dataclass(slots=True)
class QueueRecord:
    """One queue. Times are those of the board's clock."""

    required_players: int
    waiting: int = 0
    oldest_seconds: float = 0.0
    pending: int = 0
    dead_letters: int = 0
    set_aside_at: Sequence[float] = ()
    """Of the newest two dead letters, in Unix seconds."""
    read_at: float | None = None
    matches: int = 0
    matched: int = 0
    back: Counter[str] = field(default_factory=Counter)
    waits: deque[tuple[float, Sequence[float]]] = field(
        default_factory=lambda: deque(maxlen=_MATCHES)
    )
    differences: deque[float] = field(default_factory=lambda: deque(maxlen=_DIFFERENCES))
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=_SAMPLES))


@dataclass(slots=True)
class PodRecord:
    """What this server has seen of one game server."""

    offers: int = 0
    claims: int = 0
    declines: int = 0
    claim_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_CLAIMS))


@dataclass(slots=True)
class RedisRecord:
    """How Redis answered."""

    operations: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_TIMES))
    """(when, seconds) of those that were done."""
    failed: deque[float] = field(default_factory=lambda: deque(maxlen=_TIMES))
    last_error: str = ""
    last_error_at: float | None = None
    """Unix seconds."""


class Board:
    """Is told what happens, cheaply: what costs something is done when the board is looked at.

    `clock` gives monotonic seconds, `wall` Unix time.
    """

    def __init__(self, *, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self.clock = clock
        self.wall = wall
        self.begun_at = clock()
        self.queues: dict[str, QueueRecord] = {}
        self.pods: dict[str, PodRecord] = {}
        self.redis = RedisRecord()
        self.events = EventStream(clock=clock, wall=wall)
        self.subscribers: int | None = None
        self.lags: deque[float] = deque(maxlen=_LAGS)
        self.hours = 0
        """Counts the points of the curves: who has this one need not be sent them again."""
        self._fresh: list[tuple[GameMode, Sequence[Ticket]]] = []
        self._sampled_at: float | None = None

    def mode(self, mode: str, *, required_players: int) -> None:
        """A mode that is served."""
        self.queues[mode] = QueueRecord(required_players)

    def read(self, mode: str, length: int) -> None:
        """A queue was read from Redis."""
        queue = self.queues[mode]
        queue.waiting, queue.read_at = length, self.clock()

    def matched(self, mode: str, count: int, waits_seconds: Sequence[float]) -> None:
        """Matches were made; one wait for each player."""
        queue = self.queues[mode]
        queue.matches += count
        queue.matched += len(waits_seconds)
        queue.waits.append((self.clock(), waits_seconds))

    def made(self, mode: GameMode, tickets: Sequence[Ticket]) -> None:
        """Who is in it; looked at later."""
        self._fresh.append((mode, tickets))
        if len(self._fresh) >= _FRESH:
            self.settle()

    def claimed(self, pod_id: str, seconds: float) -> None:
        """A game server took a match, `seconds` after it was made."""
        pod = self._pod(pod_id)
        pod.claims += 1
        pod.claim_seconds.append(seconds)

    def declined(self, pod_id: str) -> None:
        """A game server gave a match back."""
        self._pod(pod_id).declines += 1

    def operation(self, seconds: float) -> None:
        """Redis did what it was asked."""
        self.redis.operations.append((self.clock(), seconds))

    def operation_failed(self, error: str) -> None:
        """Redis did not."""
        self.redis.failed.append(self.clock())
        self.redis.last_error = masked(error)[:_ERROR_CHARACTERS]
        self.redis.last_error_at = self.wall()

    def settle(self) -> None:
        """Looks at the matches that were made since."""
        fresh, self._fresh = self._fresh, []
        for mode, tickets in fresh:
            for pod_id in {member.pod_id for member in members_of(tickets)}:
                self._pod(pod_id).offers += 1
            if mode.rating is not None:
                default = mode.rating.default_rating
                ratings = [
                    default if ticket.rating is None else ticket.rating for ticket in tickets
                ]
                self.queues[mode.name].differences.append(max(ratings) - min(ratings))

    def sample(self) -> None:
        """One point of every curve, when it is due."""
        now = self.clock()
        if self._sampled_at is not None and now - self._sampled_at < SAMPLE_SECONDS - 0.5:
            return
        self._sampled_at = now
        self.hours += 1
        for queue in self.queues.values():
            fresh = queue.read_at is not None and now - queue.read_at < _STALE_SECONDS
            queue.samples.append(
                Sample(
                    at=now,
                    waiting=queue.waiting if fresh else None,
                    matches=queue.matches,
                    matched=queue.matched,
                    back=dict(queue.back),
                )
            )

    async def run(self) -> None:
        """Keeps the memory, until cancelled."""
        while True:
            self.settle()
            self.sample()
            await asyncio.sleep(_SETTLE_SECONDS)

    def _pod(self, pod_id: str) -> PodRecord:
        record = self.pods.get(pod_id)
        if record is None:
            record = self.pods[pod_id] = PodRecord()
            while len(self.pods) > _PODS:
                self.pods.pop(next(iter(self.pods)))
        return record
