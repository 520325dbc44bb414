"""Who was in a match with whom lately, out of the histories: for rules about new opponents.

For whom players meet next, not for anybody's safety: what the history has forgotten, or what
happened within the last second, is not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.realm import QueueName
from matchkeeper.domain.rule import NewOpponents
from matchkeeper.matching.rules.lineup import Met, nobody
from matchkeeper.observe.runtime import Runtime
from matchkeeper.resilience.waiting import pause
from matchkeeper.store.happenings import Happening
from matchkeeper.store.history import Happened, History

_EVERY_SECONDS = 1.0
_PAGE = 500
_MADE = (Happening.COMMITTED, Happening.ANNOUNCED)


class _Past(NamedTuple):
    match_id: str
    at: float
    players: tuple[str, ...]


class Circle:
    """The matches of one queue. It is read by rounds in a thread: what they read is replaced, never
    changed.
    """

    def __init__(self, within_seconds: float) -> None:
        self.within_seconds = within_seconds
        self._matches: dict[str, _Past] = {}
        self._of: dict[str, tuple[_Past, ...]] = {}

    def heard(self, happened: Happened) -> None:
        """Takes in what happened to a match."""
        if happened.what in _MADE:
            # A large match stands in several entries.
            before = self._matches.get(happened.match_id)
            players = tuple([each for each in happened.players.split("\n") if each])
            self._forget(happened.match_id)
            self._add(
                _Past(
                    happened.match_id,
                    happened.at,
                    players if before is None else (*before.players, *players),
                )
            )
            self._forget_before(happened.at - self.within_seconds)
        elif happened.what == Happening.GIVEN_BACK:
            self._forget(happened.match_id)

    def met(self, player_id: str) -> Mapping[str, float]:
        """Whom a player was in a match with, and when last."""
        found: dict[str, float] = {}
        for past in self._of.get(player_id, ()):
            for other in past.players:
                found[other] = max(past.at, found.get(other, 0.0))
        return found

    def _add(self, past: _Past) -> None:
        self._matches[past.match_id] = past
        for player in past.players:
            self._of[player] = (*self._of.get(player, ()), past)

    def _forget_before(self, at: float) -> None:
        old = []
        for match_id, past in self._matches.items():
            if past.at >= at:
                break
            old.append(match_id)
        for match_id in old:
            self._forget(match_id)

    def _forget(self, match_id: str) -> None:
        past = self._matches.pop(match_id, None)
        for player in () if past is None else past.players:
            left = tuple([each for each in self._of.get(player, ()) if each.match_id != match_id])
            if left:
                self._of[player] = left
            else:
                self._of.pop(player, None)


class Acquaintances:
    """Follows the histories of modes that ask for new opponents."""

    def __init__(self, modes: Sequence[GameMode], history: History, runtime: Runtime) -> None:
        self._circles: dict[QueueName, Circle] = {
            mode.queue: Circle(seconds) for mode in modes if (seconds := _within(mode))
        }
        self._history = history
        self._stop = runtime.stop

    def met(self, queue: QueueName) -> Met:
        """Who met whom in a queue."""
        circle = self._circles.get(queue)
        return nobody if circle is None else circle.met

    async def run(self) -> None:
        """Runs until the server stops. Raises StoreError; the next start reads all of it again."""
        if not self._circles:
            await self._stop.wait()
            return
        ends = {
            queue: _earlier(end, self._circles[queue].within_seconds)
            for queue, end in (await self._history.ends(list(self._circles))).items()
        }
        wait = 0.0
        while not await pause(self._stop, wait):
            happened, following = await self._history.after(ends, count=_PAGE)
            for each in happened:
                self._circles[each.queue].heard(each)
            wait = 0.0 if following != ends and len(happened) >= _PAGE else _EVERY_SECONDS
            ends = dict(following)


def _within(mode: GameMode) -> float:
    """How long ago opponents count as known; 0 where no rule asks."""
    rules = () if mode.rules is None else mode.rules.rules
    demands = [each.demand for each in rules]
    return max(
        [each.within_seconds for each in demands if isinstance(each, NewOpponents)], default=0.0
    )


def _earlier(entry_id: str, seconds: float) -> str:
    """The id of an entry that many seconds before another one."""
    milliseconds = int(entry_id.partition("-")[0]) - int(seconds * 1000)
    return f"{max(0, milliseconds)}-0"
