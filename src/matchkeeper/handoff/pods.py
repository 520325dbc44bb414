"""Which tickets are left alone for a while, because their pod is silent or never claims."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.ticket import Ticket

_FORGET_LEFT = 1_000
_FORGET = 10_000
"""At most so many pods have a record; beyond that the oldest record is dropped."""


class Hold(StrEnum):
    """Why a ticket is not matched now."""

    POD_SILENT = "pod_silent"
    POD_UNCLAIMED = "pod_unclaimed"


@dataclass(slots=True)
class _Record:
    unclaimed: int = 0
    held_until: float = 0.0


class PodRecords:
    """What this server has seen of the pods. It is forgotten with the process, and learnt again."""

    def __init__(self, settings: MatchmakingSettings, *, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._records: dict[str, _Record] = {}
        self._silent: frozenset[str] = frozenset()
        self._heartbeats: Mapping[str, float] = {}
        self._heard_at = 0.0
        self._left: dict[str, None] = {}

    @property
    def silent(self) -> frozenset[str]:
        """Pods that sent heartbeats and have stopped."""
        return self._silent

    @property
    def left(self) -> frozenset[str]:
        """Pods that sent heartbeats and have said `bye`, as far as is remembered."""
        return frozenset(self._left)

    def heard(self, seconds_ago: Mapping[str, float]) -> tuple[frozenset[str], frozenset[str]]:
        """Takes in the heartbeats; returns pods (newly silent, back again)."""
        self._left |= dict.fromkeys(self._heartbeats.keys() - seconds_ago.keys())
        self._left = {pod: None for pod in self._left if pod not in seconds_ago}
        while len(self._left) > _FORGET_LEFT:
            self._left.pop(next(iter(self._left)))
        self._heartbeats, self._heard_at = seconds_ago, self._clock()
        limit = self._settings.pod_heartbeat_timeout_seconds
        now_silent = frozenset(pod for pod, seconds in seconds_ago.items() if seconds > limit)
        fell, came_back = now_silent - self._silent, self._silent - now_silent
        self._silent = now_silent
        return fell, came_back

    def heartbeats(self) -> dict[str, float]:
        """Seconds since the last heartbeat of each pod that sends some, as of the last look."""
        since = self._clock() - self._heard_at
        return {pod: seconds + since for pod, seconds in self._heartbeats.items()}

    def claimed(self, pods: Iterable[str]) -> None:
        """A match with players of these pods was claimed."""
        for pod in pods:
            self._records.pop(pod, None)

    def unclaimed(self, pods: Iterable[str]) -> dict[str, int]:
        """Nobody claimed a match with players of these pods. Returns the pods whose tickets are
        held from now on, each with its number of unclaimed matches in a row. With each further
        match the hold lasts twice as long.
        """
        held = {}
        for pod in set(pods):
            record = self._records.setdefault(pod, _Record())
            record.unclaimed += 1
            beyond = record.unclaimed - self._settings.unclaimed_threshold
            if beyond >= 0:
                seconds = min(
                    self._settings.unclaimed_hold_seconds * 2 ** min(beyond, 30),
                    self._settings.unclaimed_hold_max_seconds,
                )
                record.held_until = self._clock() + seconds
                held[pod] = record.unclaimed
        while len(self._records) > _FORGET:
            self._records.pop(next(iter(self._records)))
        return held

    @property
    def holding(self) -> bool:
        """Whether some pod may have tickets that are to be left alone."""
        return bool(self._silent or self._records)

    def unclaimed_in_a_row(self) -> dict[str, int]:
        """Pods with unclaimed matches, and how many."""
        return {pod: record.unclaimed for pod, record in self._records.items()}

    def hold(self, ticket: Ticket) -> Hold | None:
        """Why a ticket is to be left alone now, or None."""
        for member in ticket.members:
            if member.pod_id in self._silent:
                return Hold.POD_SILENT
            record = self._records.get(member.pod_id)
            if record is not None and self._clock() < record.held_until:
                return Hold.POD_UNCLAIMED
        return None
