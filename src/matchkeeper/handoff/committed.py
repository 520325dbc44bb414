"""Matches that this server made and whose end it has not heard yet: for figures, not for safety."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.domain.realm import QueueName
from matchkeeper.domain.ticket import members_of
from matchkeeper.handoff.pods import PodRecords
from matchkeeper.observe.facts import Facts
from matchkeeper.observe.facts.handoff import Claimed, Started
from matchkeeper.observe.runtime import Runtime
from matchkeeper.resilience.waiting import pause
from matchkeeper.store.history import Happened, History
from matchkeeper.store.matches import NewMatch

_KEPT = 50_000
_EVERY_SECONDS = 1.0
_SOON_SECONDS = 0.05
_PAGE = 500


class _Made(msgspec.Struct, frozen=True, kw_only=True):
    mode: str
    pods: tuple[str, ...]
    enqueued_at: tuple[float, ...]
    committed_at: float | None = None
    """Unix time in seconds, by the clock of Redis; None until it is read in the history."""


class _News:
    """What game servers did with the matches of a mode. A batch of it is told at once: a fact for
    each match would cost the server a tenth of its time.
    """

    def __init__(self) -> None:
        self.claims: list[Claimed] = []
        self.waits_seconds: list[float] = []
        self.starts: list[Started] = []

    def claimed(self, made: _Made, each: Happened) -> None:
        since = made.committed_at
        offered_seconds = None if since is None else max(0.0, each.at - since)
        self.claims.append(Claimed(each.match_id, each.pod_id, offered_seconds))
        self.waits_seconds += [max(0.0, each.at - joined) for joined in made.enqueued_at]

    def tell(self, facts: Facts, mode: str) -> None:
        if self.claims:
            facts.match_claimed(mode=mode, matches=self.claims, waits_seconds=self.waits_seconds)
        if self.starts:
            facts.match_started(mode=mode, matches=self.starts)


class CommittedMatches:
    """Remembers who was in a match until a game server has started it."""

    def __init__(self, pods: PodRecords, facts: Facts) -> None:
        self._pods = pods
        self._facts = facts
        self._made: dict[str, _Made] = {}

    def add(self, mode: GameMode, match: NewMatch) -> None:
        """Remembers a match that is about to be committed; beyond a bound the oldest is
        forgotten.
        """
        if mode.handoff is not Handoff.CLAIM:
            return
        self._made[match.match_id] = _Made(
            mode=mode.name,
            pods=tuple(member.pod_id for member in members_of(match.tickets)),
            enqueued_at=tuple(each.enqueued_at for each in match.tickets for _ in each.members),
        )
        while len(self._made) > _KEPT:
            self._made.pop(next(iter(self._made)))

    def forget(self, match_id: str) -> None:
        """Forgets a match that was not committed."""
        self._made.pop(match_id, None)

    def heard(self, happened: Iterable[Happened]) -> None:
        """Takes in what game servers did with matches of this server; other matches are ignored."""
        news: dict[str, _News] = {}
        for each in happened:
            made = self._made.get(each.match_id)
            if made is None:
                continue
            if each.what == "committed":
                self._made[each.match_id] = replace(made, committed_at=each.at)
            elif each.what == "claimed":
                self._pods.claimed(made.pods)
                news.setdefault(made.mode, _News()).claimed(made, each)
            elif each.what == "declined":
                self._facts.match_declined(pod_id=each.pod_id)
            elif each.what == "started":
                del self._made[each.match_id]
                started = Started(each.match_id, each.pod_id)
                news.setdefault(made.mode, _News()).starts.append(started)
            elif each.what in ("claim_refused", "confirm_refused"):
                self._facts.claim_refused(
                    step=each.what.removesuffix("_refused"),
                    code=each.detail,
                    match_id=each.match_id,
                    pod_id=each.pod_id,
                    mode=made.mode,
                )
        for mode, of_mode in news.items():
            of_mode.tell(self._facts, mode)


class HandoffEvents:
    """Reads in the histories of these queues what game servers do with matches."""

    def __init__(
        self,
        history: History,
        committed: CommittedMatches,
        runtime: Runtime,
        *,
        queues: Sequence[QueueName],
    ) -> None:
        self._history = history
        self._committed = committed
        self._facts = runtime.facts
        self._queues = queues
        self._stop = runtime.stop

    async def run(self) -> None:
        """Runs until the server stops. Raises StoreError; what happens until the next start is
        missed.
        """
        ends = await self._history.ends(self._queues)
        wait = _EVERY_SECONDS
        while not await pause(self._stop, wait):
            happened, ends = await self._history.after(ends, count=_PAGE)
            self._committed.heard(happened)
            self._facts.history_read(happened=happened)
            # When much happens, it reads small portions often, so that none takes long.
            if len(happened) >= _PAGE:
                wait = 0.0
            else:
                wait = _SOON_SECONDS if len(happened) >= _PAGE / 10 else _EVERY_SECONDS
