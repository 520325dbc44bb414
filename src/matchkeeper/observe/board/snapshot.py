"""The board as it is sent to the pages: small, plain, and made once a second for all of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from matchkeeper.domain.agreement import ModeState
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.realm import folded
from matchkeeper.observe.board import figures
from matchkeeper.observe.board.problems import Problem, QueueSituation, Situation, problems
from matchkeeper.observe.board.recorder import Board, QueueRecord, Sample
from matchkeeper.store.servers import States
from matchkeeper.wire.limits import printable

HOUR_SECONDS = 3600.0
_MINUTE_SECONDS = 60.0
_RECENT_SECONDS = 600.0
_WAITS_SECONDS = 300.0
_WAITS = 1000
_FAILING = 3
_PODS = 100
_NOT_STARTED = ("unclaimed", "lease_expired", "declined")


class Waits(msgspec.Struct, kw_only=True):
    """How long the players of recent matches had waited, in seconds."""

    players: int
    median: float | None
    p95: float | None


class PartyWaits(msgspec.Struct, kw_only=True):
    """How long those had waited who came in parties of one size, in seconds."""

    size: str
    """Players: `1` is alone, and `more` are more than five."""
    tickets: int
    """How many such parties, or players alone."""
    median: float | None
    p95: float | None


class QueueView(msgspec.Struct, kw_only=True):
    """One queue. Waits are in seconds."""

    mode: str
    required_players: int
    handoff: str
    waiting: int
    oldest: float
    waits: Waits
    parties: list[PartyWaits]
    """The same by the size of the party; empty where none was matched."""
    matches: int
    matches_a_minute: float
    pending: int
    dead_letters: int
    differences: list[tuple[float, float | None, int]] | None
    """Bins (from, below, matches) of rating differences; None where ratings do not count."""
    states: list[str]
    """`drained`, `paused`: what an operator decided."""
    back: dict[str, int]
    """Players who kept their place after a match failed, in the last hour, by cause."""


class RedisView(msgspec.Struct, kw_only=True):
    """Redis, as this server sees it. Latencies are in seconds."""

    state: str
    failures: int
    seconds_until_probe: float | None
    median: float | None
    p95: float | None
    operations_a_second: float
    failed_in_a_minute: int
    last_error: str
    last_error_at: float | None


class PodView(msgspec.Struct, kw_only=True):
    """One game server."""

    pod_id: str
    seen_seconds_ago: float | None
    """None: it sends no heartbeats."""
    silent: bool
    left: bool
    """It has said that it goes."""
    offers: int
    claims: int
    declines: int
    unclaimed_in_a_row: int
    not_started: int
    """Matches in a row, so that its claims are refused; 0: they are not."""
    claim_median: float | None


class Snapshot(msgspec.Struct, kw_only=True):
    """All that a page shows, but for the hour's curves and the events."""

    at: float
    version: str
    realm: str
    """Empty: none."""
    demo: bool
    """There are controls that break things, at `demo`."""
    up_seconds: float
    phase: str
    problems: list[Problem]
    queues: list[QueueView]
    redis: RedisView
    subscribers: int | None
    lag: float
    pods: list[PodView]
    pods_left_out: int


class Curve(msgspec.Struct, kw_only=True):
    """Players waiting over the last hour: (seconds ago, players or None), oldest first."""

    mode: str
    points: list[tuple[int, int | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """What is known beside the board, at the moment of the snapshot."""

    phase: str
    version: str
    breaker: str
    breaker_failures: int
    seconds_until_probe: float | None
    redis_problem: str
    """Why Redis cannot be used although it answers; empty where it can."""
    not_ready: tuple[str, ...]
    game_server_failures: int
    heartbeats: Mapping[str, float]
    """Seconds since each pod was heard."""
    silent: frozenset[str]
    left: frozenset[str]
    unclaimed: Mapping[str, int]
    not_started: Mapping[str, int]
    """Pods whose claims are refused: how many matches in a row they did not start."""
    demo: bool
    realm: str = ""
    differences: tuple[str, ...] = ()
    """Settings in which other servers differ."""
    states: States = field(default_factory=dict)
    noticed: Sequence[Problem] = ()


def snapshot(board: Board, modes: Sequence[GameMode], now: Now) -> Snapshot:
    """The board now."""
    board.settle()
    at = board.clock()
    lag = figures.mean(board.lags)
    pods, left_out = _pods(board, now)
    return Snapshot(
        at=board.wall(),
        version=now.version,
        realm=now.realm,
        demo=now.demo,
        up_seconds=at - board.begun_at,
        phase=now.phase,
        problems=problems(_situation(board, now, at, lag)),
        queues=[_queue(board.queues[mode.name], mode, at, now.states) for mode in modes],
        redis=_redis(board, now, at),
        subscribers=board.subscribers,
        lag=lag,
        pods=pods,
        pods_left_out=left_out,
    )


def curves(board: Board) -> list[Curve]:
    """The hour of every queue."""
    at = board.clock()
    return [
        Curve(
            mode=mode,
            points=[
                (round(at - sample.at), sample.waiting)
                for sample in queue.samples
                if at - sample.at <= HOUR_SECONDS
            ],
        )
        for mode, queue in board.queues.items()
    ]


def redis_failing(board: Board) -> bool:
    """Whether the last operations failed: some, and none was done since the first of them."""
    failed, done = board.redis.failed, board.redis.operations
    if len(failed) < _FAILING:
        return False
    return not done or done[-1][0] < failed[-_FAILING]


def _situation(board: Board, now: Now, at: float, lag: float) -> Situation:
    return Situation(
        breaker=now.breaker,
        redis_failing=redis_failing(board),
        redis_problem=now.redis_problem,
        not_ready=now.not_ready,
        game_server_failures=now.game_server_failures,
        claims_refused=sorted(now.not_started),
        subscribers=board.subscribers,
        lag_seconds=lag,
        differences=now.differences,
        queues=[
            _queue_now(mode, queue, at, board.wall(), now.states.get(folded(mode), frozenset()))
            for mode, queue in board.queues.items()
        ],
        noticed=now.noticed,
    )


def _queue_now(
    mode: str, queue: QueueRecord, at: float, wall: float, states: frozenset[ModeState]
) -> QueueSituation:
    before = _before(queue.samples, at - _RECENT_SECONDS)
    back = {cause: queue.back[cause] - before.back.get(cause, 0) for cause in _NOT_STARTED}
    return QueueSituation(
        mode=mode,
        required_players=queue.required_players,
        waiting=queue.waiting,
        oldest_seconds=queue.oldest_seconds,
        set_aside=sum(wall - each <= _RECENT_SECONDS for each in queue.set_aside_at),
        not_started=sum(back.values()),
        matched=queue.matched - before.matched,
        states=states,
    )


def _queue(queue: QueueRecord, mode: GameMode, at: float, states: States) -> QueueView:
    waits = figures.newest(reversed(queue.waits), since=at - _WAITS_SECONDS, enough=_WAITS)
    minute, hour = (
        _before(queue.samples, at - seconds) for seconds in (_MINUTE_SECONDS, HOUR_SECONDS)
    )
    seconds = max(_MINUTE_SECONDS, at - minute.at)
    return QueueView(
        mode=mode.name,
        required_players=mode.required_players,
        handoff=mode.handoff.value,
        waiting=queue.waiting,
        oldest=queue.oldest_seconds if queue.waiting else 0.0,
        waits=Waits(
            players=len(waits),
            median=figures.quantile(waits, 0.5),
            p95=figures.quantile(waits, 0.95),
        ),
        parties=_parties(queue, at),
        matches=queue.matches,
        matches_a_minute=(queue.matches - minute.matches) * _MINUTE_SECONDS / seconds,
        pending=queue.pending,
        dead_letters=queue.dead_letters,
        states=sorted(states.get(mode.queue.mode, ())),
        differences=None if mode.rating is None else figures.histogram(queue.differences),
        back={
            cause: players - hour.back.get(cause, 0)
            for cause, players in sorted(queue.back.items())
            if players > hour.back.get(cause, 0)
        },
    )


def _parties(queue: QueueRecord, at: float) -> list[PartyWaits]:
    together = reversed(queue.together)
    waits = figures.by_size(figures.newest(together, since=at - _WAITS_SECONDS, enough=_WAITS))
    if not waits.keys() - {"1"}:
        return []
    return [
        PartyWaits(
            size=size,
            tickets=len(seconds),
            median=figures.quantile(seconds, 0.5),
            p95=figures.quantile(seconds, 0.95),
        )
        for size, seconds in waits.items()
    ]


def _before(samples: Sequence[Sample], at: float) -> Sample:
    """The latest sample that is not after `at`: counts since then are counts of the window. Where
    none is so old, nothing had been counted.
    """
    later = bisect_right(samples, at, key=lambda sample: sample.at)
    if not later:
        return Sample(at=at, waiting=None, matches=0, matched=0, back={})
    return samples[later - 1]


def _redis(board: Board, now: Now, at: float) -> RedisView:
    since = at - _MINUTE_SECONDS
    recent = [each for each in board.redis.operations if each[0] >= since]
    seconds = sorted(took for _, took in recent)
    span = max(1.0, at - recent[0][0]) if recent else 1.0
    return RedisView(
        state=now.breaker,
        failures=now.breaker_failures,
        seconds_until_probe=now.seconds_until_probe,
        median=figures.quantile(seconds, 0.5),
        p95=figures.quantile(seconds, 0.95),
        operations_a_second=len(recent) / span,
        failed_in_a_minute=figures.count_since(board.redis.failed, since),
        last_error=board.redis.last_error,
        last_error_at=board.redis.last_error_at,
    )


def _pods(board: Board, now: Now) -> tuple[list[PodView], int]:
    known = {*now.heartbeats, *now.unclaimed, *now.not_started, *board.pods}
    names = sorted(known, key=lambda name: (name in now.left, name))
    return [_pod(board, now, name) for name in names[:_PODS]], max(0, len(names) - _PODS)


def _pod(board: Board, now: Now, pod_id: str) -> PodView:
    record = board.pods.get(pod_id)
    return PodView(
        pod_id=printable(pod_id),
        seen_seconds_ago=now.heartbeats.get(pod_id),
        silent=pod_id in now.silent,
        left=pod_id in now.left,
        offers=record.offers if record else 0,
        claims=record.claims if record else 0,
        declines=record.declines if record else 0,
        unclaimed_in_a_row=now.unclaimed.get(pod_id, 0),
        not_started=now.not_started.get(pod_id, 0),
        claim_median=figures.quantile(sorted(record.claim_seconds), 0.5) if record else None,
    )
