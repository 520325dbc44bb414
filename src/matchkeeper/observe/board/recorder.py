"""What this server remembers of the last hour. Everything is bounded, and forgotten at its end."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Ticket, members_of
from matchkeeper.observe.board.stream import EventStream
from matchkeeper.observe.facts import Facts, Hears
from matchkeeper.observe.facts.handoff import Claimed
from matchkeeper.observe.logging import masked
from matchkeeper.observe.together import by_size, with_parties
from matchkeeper.store.failures import Outcome
from matchkeeper.store.matches import Committed

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
_WAITS_ON_PURPOSE = "read requests"
"""Its length says nothing of how fast Redis is."""


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
    """Players."""
    more: int = 0
    """How many more players than tickets there were when the tickets were read."""
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
    together: deque[tuple[float, Sequence[tuple[str, float]]]] = field(
        default_factory=lambda: deque(maxlen=_MATCHES)
    )
    """The waits of tickets by how many players they have, since a party was matched first."""
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
    """Hears what happens, cheaply: what costs something is done when the board is looked at.

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

    def hears(self) -> Hears:
        """What the page shows, lines aside."""
        return (
            (Facts.mode_served, self._served),
            (Facts.queue_read, self._read),
            (Facts.oldest_wait, self._oldest),
            (Facts.dead_letters, self._dead_letters),
            (Facts.handoffs_pending, self._pending),
            (Facts.match_committed, self._committed),
            (Facts.match_claimed, self._claimed),
            (Facts.match_declined, self._declined),
            (Facts.reenqueued, self._kept),
            (Facts.match_given_back, self._kept),
            (Facts.redis_operation, self._operation),
            (Facts.subscribers, self._subscribers),
            (Facts.loop_lagged, self._lagged),
        )

    def _served(self, mode: str, required_players: int) -> None:
        self.queues[mode] = QueueRecord(required_players)

    def _read(self, mode: str, length: int, more: int | None = None) -> None:
        queue = self.queues[mode]
        queue.more = queue.more if more is None else more
        queue.waiting = length + queue.more if length else 0
        queue.read_at = self.clock()

    def _oldest(self, mode: str, seconds: float) -> None:
        self.queues[mode].oldest_seconds = seconds

    def _dead_letters(self, mode: str, length: int, newest: Sequence[float]) -> None:
        queue = self.queues[mode]
        queue.dead_letters, queue.set_aside_at = length, tuple(newest)

    def _pending(self, mode: str, count: int) -> None:
        self.queues[mode].pending = count

    def _committed(
        self, mode: GameMode, made: Sequence[Committed], waits_seconds: Sequence[float]
    ) -> None:
        queue = self.queues[mode.name]
        queue.matches += len(made)
        queue.matched += len(waits_seconds)
        queue.waits.append((self.clock(), waits_seconds))
        if queue.together or with_parties(made, waits_seconds):
            queue.together.append((self.clock(), tuple(by_size(made, waits_seconds))))
        self._fresh += [(mode, each.match.tickets) for each in made]
        if len(self._fresh) >= _FRESH:
            self.settle()

    def _claimed(self, matches: Sequence[Claimed]) -> None:
        for each in matches:
            if each.offered_seconds is not None:
                pod = self._pod(each.pod_id)
                pod.claims += 1
                pod.claim_seconds.append(each.offered_seconds)

    def _declined(self, pod_id: str) -> None:
        self._pod(pod_id).declines += 1

    def _kept(self, mode: str, cause: str, players: int) -> None:
        self.queues[mode].back[cause] += players

    def _operation(self, operation: str, outcome: Outcome, seconds: float, error: str) -> None:
        if outcome is Outcome.OK:
            if operation != _WAITS_ON_PURPOSE:
                self.redis.operations.append((self.clock(), seconds))
        elif outcome is not Outcome.CIRCUIT_OPEN:
            self.redis.failed.append(self.clock())
            self.redis.last_error = masked(error)[:_ERROR_CHARACTERS]
            self.redis.last_error_at = self.wall()

    def _subscribers(self, count: int) -> None:
        self.subscribers = count

    def _lagged(self, seconds: float) -> None:
        self.lags.append(seconds)

    def settle(self) -> None:
        """Looks at who is in the matches that were made since."""
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
