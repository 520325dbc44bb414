"""Metrics in Prometheus form. Every label has a bounded number of values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from prometheus_client import ProcessCollector

from matchkeeper import __version__
from matchkeeper.domain.agreement import ModeState
from matchkeeper.domain.ticket import Poison
from matchkeeper.observe.metric_parts import BoundedLabels, Registry

CONTENT_TYPE = "text/plain; version=0.0.4"
"""Without the charset, which HTTP adds to every text."""

_DURATIONS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_BREAKER_STATES = ("closed", "open", "half_open", "forced_open")
_HOLDS = ("pod_silent", "pod_unclaimed")
_NOT_STARTED = ("unclaimed", "lease_expired", "declined")
"""Causes of going back that are the game servers'."""


class Metrics(Registry):
    """All metrics of one server, in a registry of their own."""

    def __init__(self) -> None:
        super().__init__()
        self._pods = BoundedLabels(100)
        self._queue_metrics()
        self._match_metrics()
        self._request_metrics()
        self._redis_metrics()
        self._people_metrics()
        self._server_metrics()
        self._trace_metrics()
        self.breaker("closed")

    def _queue_metrics(self) -> None:
        self._queue_length = self._gauge("queue_length", "Players waiting", "mode")
        self._lengths: dict[str, int] = {}
        self._required = self._gauge("required_players", "Players that a match needs", "mode")
        self._oldest_wait = self._gauge("oldest_wait_seconds", "Longest wait in a queue", "mode")
        self._wait = self._histogram(
            "wait_seconds", "From enqueue to the match, or to its claim", "mode", "until"
        )
        self._held = self._gauge("held_tickets", "Tickets matched with nobody now", "mode", "why")
        self._dead_letters = self._gauge("dead_letters", "Tickets set aside", "mode")
        self._poisoned = self._counter(
            "poisoned_total", "Tickets set aside because they cannot be read", "mode", "reason"
        )
        self._expired = self._counter("expired_total", "Players who waited too long", "mode")

    def _match_metrics(self) -> None:
        self._matches = self._counter("matches_total", "Matches made", "mode")
        self._matched = self._counter("matched_players_total", "Players in matches made", "mode")
        self._reenqueued = self._counter(
            "reenqueued_total", "Players who keep their place after a match failed", "mode", "cause"
        )
        self._rounds = self._counter("rounds_total", "Rounds, by how they ended", "mode", "outcome")
        self._round_seconds = self._histogram(
            "round_duration_seconds", "Length of a round", "mode", buckets=_DURATIONS
        )
        self._round_step = self._histogram(
            "round_step_seconds",
            "Of rounds: read, pair, commit, refresh (some tickets read again)",
            "mode",
            "step",
            buckets=_DURATIONS,
        )
        self._skipped = self._counter("skipped_ticks_total", "Ticks without a round", "mode", "why")
        self._mode_state = self._gauge(
            "mode_state", "1 while an operator holds the mode drained or paused", "mode", "state"
        )
        self._bound_hit = self._counter(
            "round_bound_hit_total", "Rounds that could not look at the whole queue", "mode"
        )
        self._stale = self._counter(
            "stale_proposals_total", "Proposals whose players were gone", "mode"
        )
        self._pending = self._gauge(
            "pending_handoffs", "Matches not yet claimed or confirmed", "mode"
        )
        self._redelivered = self._counter("redelivered_total", "Matches offered again", "mode")
        self._claimed = self._counter(
            "claimed_matches_total", "Offers that a game server claimed", "mode"
        )
        self._declined = self._counter(
            "declined_matches_total", "Matches that a game server declined after its claim", "mode"
        )
        self._unstarted = self._counter(
            "unstarted_matches_total", "Claims that ended without a start, by the claimer", "pod"
        )
        self._late = self._counter(
            "late_claims_total", "Claims and confirms refused", "mode", "step"
        )
        self._unclaimed = self._counter(
            "unclaimed_matches_total", "Offers nobody claimed, by the pods of their players", "pod"
        )

    def _request_metrics(self) -> None:
        self._requests = self._counter("requests_total", "Requests heard", "kind", "via")
        self._hearing = self._gauge("hearing", "1 while what this server hears on Pub/Sub counts")
        self._enqueued = self._counter("enqueued_total", "Players put into a queue", "mode")
        self._dequeued = self._counter("dequeued_total", "Players who left a queue", "mode")
        self._refused = self._counter(
            "refused_requests_total",
            "Requests refused; `mode` is empty where no known one was named",
            "mode",
            "code",
        )
        self._duplicates = self._counter(
            "duplicate_requests_total", "Requests that came twice and counted once", "mode"
        )
        self._overtaken = self._counter(
            "overtaken_requests_total",
            "Requests that came late, after the player had asked for something else",
            "mode",
        )
        self._answers = self._counter("answers_total", "Answers to pods", "result_type")
        self._dropped = self._counter(
            "backlog_dropped_total", "Requests dropped because too many waited", "channel"
        )

    def _redis_metrics(self) -> None:
        self._operation_seconds = self._histogram(
            "redis_operation_seconds", "Length of operations", "operation", buckets=_DURATIONS
        )
        self._operations = self._counter(
            "redis_operations_total", "Operations, by how they ended", "operation", "outcome"
        )
        self._retries = self._counter("redis_retries_total", "Operations tried again", "operation")
        self._breaker = self._gauge("breaker_state", "1 for the state it is in", "state")
        self._breaker_opened = self._counter("breaker_opened_total", "Times the breaker opened")
        self._clock_steps = self._counter(
            "clock_steps_total", "Steps of the clock of Redis that were bridged"
        )
        self._clock_offset = self._gauge(
            "clock_offset_seconds",
            "By how much the time that counts is ahead of the clock of Redis",
        )
        self._went_back = self._counter(
            "state_went_back_total", "Times the data in Redis went back: emptied, or an older set"
        )
        self._doubts = self._gauge(
            "redis_doubts", "Settings of Redis by which it may lose what it was given"
        )

    def _people_metrics(self) -> None:
        self._available = self._gauge(
            "game_server_available", "1 unless the last offer was unheard"
        )
        self._available.set(1)
        self._subscribers = self._gauge("game_server_subscribers", "Subscribers of battle requests")
        self._failures = self._gauge("game_server_failures", "Unheard offers in a row")
        self._pods_silent = self._gauge("pods_silent", "Pods whose heartbeats stopped")
        self._pods_refused = self._gauge(
            "pods_refused", "Pods that start nothing, so that their claims are refused"
        )
        self._alerts = self._counter(
            "alerts_total", "Alerts, by what became of them", "name", "outcome"
        )

    def _server_metrics(self) -> None:
        self._ready = self._gauge("ready", "1 when it is ready, as `/health/ready` says")
        self._differ = self._gauge(
            "settings_differ", "Settings in which another server differs; at most 11"
        )
        self._lag = self._gauge("event_loop_lag_seconds", "How late the event loop is")
        self._http_closed = self._counter(
            "http_closed_total", "HTTP connections closed because they kept us waiting", "why"
        )
        self._log_dropped = self._counter(
            "log_lines_dropped_total", "Log lines that the reader of the log did not take in time"
        )
        self._log_dropped_before = 0
        build = self._gauge("build_info", "Always 1", "version")
        build.labels(__version__).set(1)
        # Memory, CPU and open files, under the names that every dashboard knows; on Linux only.
        ProcessCollector(registry=self.registry)

    def _trace_metrics(self) -> None:
        self._spans = self._counter(
            "trace_spans_total", "Spans made, and of these sent or failed to be sent", "outcome"
        )
        self._contexts_lost = self._counter(
            "trace_contexts_lost_total", "Players whose trace breaks off, by the step", "step"
        )

    def mode(self, mode: str, *, required_players: int) -> None:
        """A mode that is served: what may never happen counts from 0.

        Prometheus sees no increase in a counter that appears with its first events.
        """
        self._required.labels(mode).set(required_players)
        for kind in Poison:
            self._poisoned.labels(mode, kind)
        for cause in _NOT_STARTED:
            self._reenqueued.labels(mode, cause)
        self._matched.labels(mode)
        self.mode_states(mode, frozenset())

    def queue_length(self, mode: str, length: int) -> None:
        """Players waiting now."""
        if self._lengths.get(mode) != length:  # most queues are empty, and stay so
            self._lengths[mode] = length
            self._queue_length.labels(mode).set(length)

    def oldest_wait(self, mode: str, seconds: float) -> None:
        """Longest wait now."""
        self._oldest_wait.labels(mode).set(seconds)

    def held(self, mode: str, counts: Mapping[str, int]) -> None:
        """Tickets left alone in this round."""
        for why in _HOLDS:
            self._held.labels(mode, why).set(counts.get(why, 0))

    def dead_letters(self, mode: str, length: int, newest: Sequence[float]) -> None:  # noqa: ARG002
        """Tickets set aside now, and when the newest two were, in Unix seconds."""
        self._dead_letters.labels(mode).set(length)

    def poisoned(self, mode: str, kind: Poison) -> None:
        """A ticket was set aside."""
        self._poisoned.labels(mode, kind).inc()

    def expired(self, mode: str, players: int) -> None:
        """Players waited too long."""
        self._expired.labels(mode).inc(players)

    def matches(self, mode: str, count: int, waits_seconds: Sequence[float]) -> None:
        """Matches were made; one wait for each player."""
        self._matches.labels(mode).inc(count)
        self._matched.labels(mode).inc(len(waits_seconds))
        self._waited(mode, "match", waits_seconds)

    def claimed(self, mode: str, count: int, waits_seconds: Sequence[float]) -> None:
        """Matches were claimed; one wait for each player."""
        self._claimed.labels(mode).inc(count)
        self._waited(mode, "claim", waits_seconds)

    def _waited(self, mode: str, until: str, seconds: Sequence[float]) -> None:
        histogram = self._wait.labels(mode, until)
        for each in seconds:
            histogram.observe(each)

    def reenqueued(self, mode: str, cause: str, players: int) -> None:
        """Players keep their place after a match failed."""
        self._reenqueued.labels(mode, cause).inc(players)

    def round(self, mode: str, outcome: str, seconds: float) -> None:
        """A round has ended."""
        self._rounds.labels(mode, outcome).inc()
        self._round_seconds.labels(mode).observe(seconds)

    def mode_states(self, mode: str, states: Collection[ModeState]) -> None:
        """What an operator decided for a mode."""
        for state in ModeState:
            self._mode_state.labels(mode, state.value).set(state in states)

    def settings_differ(self, count: int) -> None:
        """Settings in which another server differs."""
        self._differ.set(count)

    def round_step(self, mode: str, step: str, seconds: float) -> None:
        """A part of a round has ended."""
        self._round_step.labels(mode, step).observe(seconds)

    def skipped_tick(self, mode: str, why: str) -> None:
        """A tick made no round."""
        self._skipped.labels(mode, why).inc()

    def bound_hit(self, mode: str) -> None:
        """A round could not look at the whole queue."""
        self._bound_hit.labels(mode).inc()

    def stale_proposal(self, mode: str) -> None:
        """A proposal's player was gone."""
        self._stale.labels(mode).inc()

    def pending_handoffs(self, mode: str, count: int) -> None:
        """Matches not yet claimed or confirmed."""
        self._pending.labels(mode).set(count)

    def redelivered(self, mode: str) -> None:
        """A match was offered again."""
        self._redelivered.labels(mode).inc()

    def declined(self, mode: str) -> None:
        """A game server gave a match back that it had claimed."""
        self._declined.labels(mode).inc()

    def late_claim(self, mode: str, step: str) -> None:
        """A claim or confirm was refused."""
        self._late.labels(mode, step).inc()

    def unclaimed(self, pod_id: str) -> None:
        """An offer with players of this pod was claimed by nobody."""
        self._unclaimed.labels(self._pods(pod_id)).inc()

    def unstarted(self, pod_id: str) -> None:
        """The lease of this pod ran out without a start."""
        self._unstarted.labels(self._pods(pod_id)).inc()

    def requests(self, kind: str, via: str, count: int) -> None:
        """Requests were heard."""
        self._requests.labels(kind, via).inc(count)

    def hearing(self, *, hears: bool) -> None:
        """Whether this server's hearing of Pub/Sub counts."""
        self._hearing.set(hears)

    def enqueued(self, mode: str, players: int) -> None:
        """Players were put into a queue."""
        self._enqueued.labels(mode).inc(players)

    def dequeued(self, mode: str) -> None:
        """A player left a queue."""
        self._dequeued.labels(mode).inc()

    def refused(self, mode: str, code: str) -> None:
        """A request was refused; `mode` is empty where none was known."""
        self._refused.labels(mode, code).inc()

    def duplicate(self, mode: str) -> None:
        """A request came twice."""
        self._duplicates.labels(mode).inc()

    def overtaken(self, mode: str) -> None:
        """A request came after a later one of the same player."""
        self._overtaken.labels(mode).inc()

    def answer(self, result_type: str, count: int = 1) -> None:
        """Answers to pods."""
        self._answers.labels(result_type).inc(count)

    def backlog_dropped(self, channel: str) -> None:
        """A request was dropped."""
        self._dropped.labels(channel).inc()

    def redis_operation(self, operation: str, outcome: str, seconds: float) -> None:
        """An attempt at an operation has ended."""
        self._operations.labels(operation, outcome).inc()
        self._operation_seconds.labels(operation).observe(seconds)

    def redis_retry(self, operation: str) -> None:
        """An operation is tried again."""
        self._retries.labels(operation).inc()

    def breaker(self, state: str) -> None:
        """The breaker is in this state now."""
        for each in _BREAKER_STATES:
            self._breaker.labels(each).set(each == state)
        if state == "open":
            self._breaker_opened.inc()

    def clock_stepped(self) -> None:
        """The clock of Redis has stepped."""
        self._clock_steps.inc()

    def clock_offset(self, seconds: float) -> None:
        """By how much its steps are bridged now."""
        self._clock_offset.set(seconds)

    def state_went_back(self) -> None:
        """Redis was emptied, or an older data set was loaded."""
        self._went_back.inc()

    def redis_doubts(self, count: int) -> None:
        """In how many ways Redis may lose what it was given."""
        self._doubts.set(count)

    def ready(self, *, ready: bool) -> None:
        """Whether the server is ready."""
        self._ready.set(ready)

    def loop_lag(self, seconds: float) -> None:
        """How late the event loop is."""
        self._lag.set(seconds)

    def http_closed(self, why: str) -> None:
        """An HTTP connection was closed."""
        self._http_closed.labels(why).inc()

    def log_lines_dropped(self, total: int) -> None:
        """How many there have been since the start."""
        self._log_dropped.inc(total - self._log_dropped_before)
        self._log_dropped_before = total

    def game_servers(self, *, available: bool, failures: int) -> None:
        """Whether the last offer was heard."""
        self._available.set(available)
        self._failures.set(failures)

    def subscribers(self, count: int) -> None:
        """Subscribers of battle requests."""
        self._subscribers.set(count)

    def pods_silent(self, count: int) -> None:
        """Pods whose heartbeats stopped."""
        self._pods_silent.set(count)

    def pods_refused(self, count: int) -> None:
        """Pods whose claims are refused."""
        self._pods_refused.set(count)

    def alert(self, name: str, outcome: str) -> None:
        """What became of an alert."""
        self._alerts.labels(name, outcome).inc()

    def spans(self, outcome: str, count: int) -> None:
        """Spans were made, sent, or failed to be sent. From any thread."""
        self._spans.labels(outcome).inc(count)

    def trace_contexts_lost(self, step: str, players: int) -> None:
        """Traces of players could not be kept or read."""
        self._contexts_lost.labels(step).inc(players)
