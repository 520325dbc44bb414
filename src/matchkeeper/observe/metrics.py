"""Metrics in Prometheus form. Every label has a bounded number of values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from matchkeeper.domain.agreement import ModeState
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Poison
from matchkeeper.observe.facts import Facts
from matchkeeper.observe.facts.handoff import Claimed
from matchkeeper.observe.metric_parts import DURATIONS, BoundedLabels
from matchkeeper.observe.server_metrics import ServerMetrics
from matchkeeper.observe.together import by_size, with_parties
from matchkeeper.store.matches import Committed

CONTENT_TYPE = "text/plain; version=0.0.4"
"""Without the charset, which HTTP adds to every text."""

_HOLDS = ("pod_silent", "pod_unclaimed")
_NOT_STARTED = ("unclaimed", "lease_expired", "declined")
"""Causes of going back that are the game servers'."""


class Metrics(ServerMetrics):
    """All metrics of one server, in a registry of their own."""

    def __init__(self) -> None:
        super().__init__()
        self._pods = BoundedLabels(100)
        self._queue_metrics()
        self._match_metrics()
        self._round_metrics()
        self._handoff_metrics()
        self._request_metrics()
        self._redis_metrics()
        self._people_metrics()
        self._server_metrics()

    def _queue_metrics(self) -> None:
        self._length = self._gauge("queue_length", "Players waiting", "mode")
        self._lengths: dict[str, int] = {}
        self._more: dict[str, int] = {}
        """How many more players than tickets wait."""
        self._on(Facts.queue_read, self._queue_read)
        self._gauge(
            "required_players",
            "Players that a match needs",
            "mode",
            of=Facts.mode_served,
            by="required_players",
        )
        self._gauge(
            "oldest_wait_seconds",
            "Longest wait in a queue",
            "mode",
            of=Facts.oldest_wait,
            by="seconds",
        )
        self._wait = self._histogram(
            "wait_seconds", "From enqueue to the match, or to its claim", "mode", "until"
        )
        self._together = self._histogram(
            "ticket_wait_seconds",
            "From enqueue to the match, by the number of players; only where parties play",
            "mode",
            "players",
        )
        self._with_parties: set[str] = set()
        self._held = self._gauge("held_tickets", "Tickets matched with nobody now", "mode", "why")
        self._on(Facts.tickets_held, self._tickets_held)
        self._gauge("dead_letters", "Tickets set aside", "mode", of=Facts.dead_letters, by="length")
        poisoned = self._poisoned = self._counter(
            "poisoned_total", "Tickets set aside because they cannot be read", "mode", "reason"
        )
        self._on(Facts.poisoned, lambda mode, kind: poisoned.labels(mode, kind).inc())
        self._on(
            Facts.matches_set_aside,
            lambda mode, players: poisoned.labels(mode, Poison.MATCH_UNREADABLE).inc(players),
        )
        self._counter(
            "expired_total", "Players who waited too long", "mode", of=Facts.expired, by="players"
        )

    def _match_metrics(self) -> None:
        self._matches = self._counter("matches_total", "Matches made", "mode")
        self._matched = self._counter("matched_players_total", "Players in matches made", "mode")
        self._on(Facts.match_committed, self._match_committed)
        back = self._back = self._counter(
            "reenqueued_total",
            "Players who keep their place after a match failed",
            "mode",
            "cause",
            of=Facts.reenqueued,
            by="players",
        )
        self._on(
            Facts.odd_players, lambda mode, players: back.labels(mode, "odd_player").inc(players)
        )

    def _round_metrics(self) -> None:
        self._counter(
            "rounds_total", "Rounds, by how they ended", "mode", "outcome", of=Facts.round_ended
        )
        self._histogram(
            "round_duration_seconds",
            "Length of a round",
            "mode",
            of=Facts.round_ended,
            by="seconds",
            buckets=DURATIONS,
        )
        self._histogram(
            "round_step_seconds",
            "Of rounds: read, pair, commit, refresh (some tickets read again)",
            "mode",
            "step",
            of=Facts.round_step,
            by="seconds",
            buckets=DURATIONS,
        )
        skipped = self._counter("skipped_ticks_total", "Ticks without a round", "mode", "why")
        self._on(Facts.circuit_open_skip, lambda mode: skipped.labels(mode, "circuit_open").inc())
        self._on(Facts.tick_left, lambda mode: skipped.labels(mode, "other_settings").inc())
        self._on(Facts.tick_skipped, lambda mode: skipped.labels(mode, "running").inc())
        self._state = self._gauge(
            "mode_state", "1 while an operator holds the mode drained or paused", "mode", "state"
        )
        self._on(Facts.mode_held, self._mode_held)
        self._on(Facts.mode_resumed, self._mode_held)
        self._counter(
            "round_bound_hit_total",
            "Rounds that could not look at the whole queue",
            "mode",
            of=Facts.round_bound_hit,
        )
        self._counter(
            "refused_proposals_total",
            "Proposals that broke a rule of their mode, a defect of the strategy",
            "mode",
            of=Facts.proposal_refused,
        )
        self._counter(
            "stale_proposals_total",
            "Proposals whose players were gone",
            "mode",
            of=Facts.proposal_stale,
        )
        self._on(Facts.mode_served, self._starts_at_zero)

    def _handoff_metrics(self) -> None:
        self._gauge(
            "pending_handoffs",
            "Matches not yet claimed or confirmed",
            "mode",
            of=Facts.handoffs_pending,
            by="count",
        )
        self._counter(
            "redelivered_total", "Matches offered again", "mode", of=Facts.match_redelivered
        )
        self._counter(
            "handoff_answers_total",
            "Messages of game servers about matches, by what was answered",
            "mode",
            "kind",
            "reply",
            of=Facts.handoff_answered,
            by="count",
        )
        self._claimed = self._counter(
            "claimed_matches_total", "Offers that a game server claimed", "mode"
        )
        self._on(Facts.match_claimed, self._match_claimed)
        self._counter(
            "declined_matches_total",
            "Matches that a game server declined after its claim",
            "mode",
            of=Facts.offer_declined,
        )
        self._unstarted = self._counter(
            "unstarted_matches_total", "Claims that ended without a start, by the claimer", "pod"
        )
        self._on(Facts.match_given_back, self._given_back)
        self._counter(
            "late_claims_total",
            "Claims and confirms refused",
            "mode",
            "step",
            of=Facts.claim_refused,
        )
        unclaimed = self._counter(
            "unclaimed_matches_total", "Offers nobody claimed, by the pods of their players", "pod"
        )
        self._on(Facts.offer_unclaimed, lambda pod_id: unclaimed.labels(self._pods(pod_id)).inc())

    def _request_metrics(self) -> None:
        self._counter(
            "requests_total", "Requests heard", "kind", "via", of=Facts.requests_heard, by="count"
        )
        self._counter(
            "status_told_total",
            "Players of whom pods were told where they are",
            "state",
            of=Facts.status_told,
            by="count",
        )
        hearing = self._gauge("hearing", "1 while what this server hears on Pub/Sub counts")
        self._on(Facts.hearing, lambda: hearing.set(1))
        self._on(Facts.others_hear, lambda: hearing.set(0))
        self._enqueued = self._counter("enqueued_total", "Players put into a queue", "mode")
        self._on(Facts.enqueued, self._put_into_queue)
        self._counter(
            "dequeued_total", "Players who left a queue", "mode", of=Facts.dequeued, by="players"
        )
        self._counter(
            "refused_requests_total",
            "Requests refused; `mode` is empty where no known one was named",
            "mode",
            "code",
            of=Facts.refused,
            by="count",
        )
        twice = self._counter(
            "duplicate_requests_total", "Requests that came twice and counted once", "mode"
        )
        self._on(Facts.duplicate_request, lambda mode: twice.labels(mode).inc())
        self._on(Facts.done_by_others, lambda mode: twice.labels(mode).inc())
        self._counter(
            "overtaken_requests_total",
            "Requests that came late, after the player had asked for something else",
            "mode",
            of=Facts.request_overtaken,
        )
        self._counter(
            "answers_total", "Answers to pods", "result_type", of=Facts.answered, by="count"
        )
        self._counter(
            "backlog_dropped_total",
            "Requests dropped because too many waited",
            "channel",
            of=Facts.backlog_full,
        )

    def _starts_at_zero(self, mode: str) -> None:
        """What may never happen counts from 0: Prometheus sees no increase in a counter that
        appears with its first events.
        """
        for kind in Poison:
            self._poisoned.labels(mode, kind)
        for cause in _NOT_STARTED:
            self._back.labels(mode, cause)
        self._matched.labels(mode)
        self._mode_held(mode)

    def _queue_read(self, mode: str, length: int, more: int | None = None) -> None:
        if more is not None:
            self._more[mode] = more
        players = length + self._more.get(mode, 0) if length else 0
        if self._lengths.get(mode) != players:  # most queues are empty, and stay so
            self._lengths[mode] = players
            self._length.labels(mode).set(players)

    def _tickets_held(self, mode: str, counts: Mapping[str, int]) -> None:
        for why in _HOLDS:
            self._held.labels(mode, why).set(counts.get(why, 0))

    def _match_committed(
        self, mode: GameMode, made: Sequence[Committed], waits_seconds: Sequence[float]
    ) -> None:
        self._matches.labels(mode.name).inc(len(made))
        self._matched.labels(mode.name).inc(len(waits_seconds))
        self._waited(mode.name, "match", waits_seconds)
        if with_parties(made, waits_seconds):
            self._with_parties.add(mode.name)
        if mode.name in self._with_parties:
            for size, wait in by_size(made, waits_seconds):
                self._together.labels(mode.name, size).observe(wait)

    def _put_into_queue(self, mode: GameMode, players: int) -> None:
        if players:
            self._enqueued.labels(mode.name).inc(players)

    def _match_claimed(
        self, mode: str, matches: Sequence[Claimed], waits_seconds: Sequence[float]
    ) -> None:
        self._claimed.labels(mode).inc(len(matches))
        self._waited(mode, "claim", waits_seconds)

    def _waited(self, mode: str, until: str, seconds: Sequence[float]) -> None:
        histogram = self._wait.labels(mode, until)
        for each in seconds:
            histogram.observe(each)

    def _given_back(self, mode: str, cause: str, players: int, pod_id: str) -> None:
        self._back.labels(mode, cause).inc(players)
        if cause == "lease_expired" and pod_id:
            self._unstarted.labels(self._pods(pod_id)).inc()

    def _mode_held(self, mode: str, states: Collection[ModeState] = ()) -> None:
        for state in ModeState:
            self._state.labels(mode, state.value).set(state in states)
