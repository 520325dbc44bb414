"""The metrics, remembered for the live page as well."""

from __future__ import annotations

from collections.abc import Sequence

from matchkeeper.observe.board.recorder import Board
from matchkeeper.observe.metrics import Metrics

ODD_PLAYER = "odd_player"
"""One too many for a match, at every round: what nobody need look at."""


class BoardMetrics(Metrics):
    """Whatever is counted for Prometheus is told to the board, where the page shows it."""

    def __init__(self, board: Board) -> None:
        super().__init__()
        self._board = board

    def mode(self, mode: str, *, required_players: int) -> None:
        """A mode that is served."""
        super().mode(mode, required_players=required_players)
        self._board.mode(mode, required_players=required_players)

    def queue_length(self, mode: str, length: int) -> None:
        """Players waiting now."""
        super().queue_length(mode, length)
        self._board.read(mode, length)

    def oldest_wait(self, mode: str, seconds: float) -> None:
        """Longest wait now."""
        super().oldest_wait(mode, seconds)
        self._board.queues[mode].oldest_seconds = seconds

    def dead_letters(self, mode: str, length: int, newest: Sequence[float]) -> None:
        """Tickets set aside now, and when the newest two were."""
        super().dead_letters(mode, length, newest)
        queue = self._board.queues[mode]
        queue.dead_letters, queue.set_aside_at = length, tuple(newest)

    def pending_handoffs(self, mode: str, count: int) -> None:
        """Matches not yet claimed or confirmed."""
        super().pending_handoffs(mode, count)
        self._board.queues[mode].pending = count

    def matches(self, mode: str, count: int, waits_seconds: Sequence[float]) -> None:
        """Matches were made; one wait for each player."""
        super().matches(mode, count, waits_seconds)
        self._board.matched(mode, count, waits_seconds)

    def reenqueued(self, mode: str, cause: str, players: int) -> None:
        """Players keep their place after a match failed."""
        super().reenqueued(mode, cause, players)
        if cause != ODD_PLAYER:
            self._board.queues[mode].back[cause] += players

    def subscribers(self, count: int) -> None:
        """Subscribers of battle requests."""
        super().subscribers(count)
        self._board.subscribers = count

    def loop_lag(self, seconds: float) -> None:
        """How late the event loop is."""
        super().loop_lag(seconds)
        self._board.lags.append(seconds)
