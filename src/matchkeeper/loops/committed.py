"""Matches that this server made and whose end it has not heard yet: for figures, not for safety."""

from __future__ import annotations

from dataclasses import dataclass

from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.handoff.pods import PodRecords
from matchkeeper.observe.board.recorder import Board
from matchkeeper.observe.events import Event, emit
from matchkeeper.observe.metrics import Metrics
from matchkeeper.store.handoff_events import HandoffEvent
from matchkeeper.store.matches import NewMatch

_KEPT = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    mode: str
    pods: frozenset[str]
    enqueued_at: tuple[float, ...]
    made_at: float
    """Of the board's clock: the wall clocks of two machines differ."""


class CommittedMatches:
    """Remembers who was in a match until a game server has started it."""

    def __init__(self, pods: PodRecords, metrics: Metrics, board: Board) -> None:
        self._pods = pods
        self._board = board
        self._metrics = metrics
        self._made: dict[str, _Made] = {}

    def add(self, mode: GameMode, match: NewMatch) -> None:
        """A match that is about to be committed; the oldest is forgotten beyond a bound."""
        if mode.handoff is not Handoff.CLAIM:
            return
        self._made[match.match_id] = _Made(
            mode=mode.name,
            pods=frozenset(ticket.pod_id for ticket in match.tickets),
            enqueued_at=tuple(ticket.enqueued_at for ticket in match.tickets),
            made_at=self._board.clock(),
        )
        while len(self._made) > _KEPT:
            self._made.pop(next(iter(self._made)))

    def made(self, mode: GameMode, match: NewMatch) -> None:
        """It was committed."""
        self._board.made(mode, match.tickets)

    def forget(self, match_id: str) -> None:
        """It was not committed."""
        self._made.pop(match_id, None)

    def heard(self, event: HandoffEvent) -> None:
        """A game server did something with a match; other servers' matches are their affair."""
        made = self._made.get(event.match_id)
        if made is None:
            return
        if event.what == "claimed":
            self._pods.claimed(made.pods)
            waits = [max(0.0, event.at - since) for since in made.enqueued_at]
            self._metrics.claimed(made.mode, waits)
            self._board.claimed(event.pod_id, self._board.clock() - made.made_at)
            emit(Event.MATCH_CLAIMED, mode=made.mode, match_id=event.match_id, pod_id=event.pod_id)
        elif event.what == "started":
            del self._made[event.match_id]
            emit(Event.MATCH_STARTED, mode=made.mode, match_id=event.match_id, pod_id=event.pod_id)
        else:
            step, _, code = event.what.partition(" ")
            self._metrics.late_claim(made.mode, step)
            emit(
                Event.CLAIM_REFUSED,
                step=step,
                code=code,
                match_id=event.match_id,
                pod_id=event.pod_id,
            )
