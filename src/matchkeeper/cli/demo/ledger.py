"""What players and game servers were told, and nothing else: the judge of "nobody lost"."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from crowd.history import Event
from crowd.judge import Told
from matchkeeper.domain.mode import GameMode
from matchkeeper.wire.codes import ErrorCode

_NEWS = 100
_REMEMBERED = 50_000


class Fate(StrEnum):
    """What has become of a player who was told `EnQueued`."""

    WAITING = "waiting"
    MATCHED = "matched"
    LEFT = "left"
    EXPIRED = "expired"
    SET_ASIDE = "set aside"


_ENDS = {"Expired": Fate.EXPIRED, "DeQueued": Fate.LEFT}


@dataclass(slots=True, kw_only=True, eq=False)
class Stay(Told):
    """One player's visit."""

    mode: GameMode
    patience: timedelta
    lobby: str
    """The pod that is told."""
    together: tuple[str, ...]
    """All who came together, this player among them: who leaves takes all along."""
    gone: Fate | None = None
    queued_at: float | None = None
    """When `EnQueued` was told. A match may have been faster than that answer."""
    asked_to_leave: bool = False
    in_hand: int = 0
    """Game servers that ask for the last word on a match of this player, and have no answer yet."""

    @property
    def fate(self) -> Fate:
        """What has become of the player."""
        return self.gone or (Fate.MATCHED if self.matches else Fate.WAITING)


class Ledger:
    """Everybody who was told anything. `clock` gives monotonic seconds."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.counts: Counter[str] = Counter()
        self.doubled = 0
        """Players in two matches, or in one after they were told that they had left."""
        self.waits: deque[float] = deque(maxlen=500)
        self._routine: deque[tuple[int, str]] = deque(maxlen=_NEWS)
        self._unusual: deque[tuple[int, str]] = deque(maxlen=_NEWS)
        self._told = 0
        self._stays: dict[str, Stay] = {}
        self._waiting: dict[str, float] = {}

    def came(
        self, players: tuple[str, ...], mode: GameMode, patience: timedelta, *, lobby: str
    ) -> None:
        """A player asks for a match, or a party. The first of them loses patience for all."""
        self.counts["asked"] += len(players)
        for player_id in players:
            self._stays[player_id] = Stay(
                mode=mode,
                patience=patience if player_id == players[0] else timedelta.max,
                lobby=lobby,
                together=players,
            )
        while len(self._stays) > _REMEMBERED + len(self._waiting):
            self._forget_one()

    def queued(self, player_id: str) -> None:
        """The player was told `EnQueued`; told again, it counts once."""
        stay = self._stays.get(player_id)
        if stay is None or stay.queued_at is not None:
            return
        stay.queued_at = self.clock()
        self.counts["enqueued"] += 1
        if stay.fate is Fate.WAITING:
            self._waiting[player_id] = stay.queued_at

    def told(self, news: Event) -> None:
        """A lobby heard news, or an answer that nobody waits for any more."""
        if news.word == "MatchFound":
            self.matched(news.match, [news.player])
        elif news.word == "EnQueued":
            self.queued(news.player)
        elif end := _ENDS.get(news.word):
            self.ended(news.player, end)
        elif news.word == "Error":
            self._refused(news.player, news.code)

    def asks_to_leave(self, player_id: str) -> None:
        """From here on nobody may hear how the wait ends: the answer may be lost on the way."""
        for stay in self._with(player_id):
            stay.asked_to_leave = True

    def stays_on(self, player_id: str) -> None:
        """The wish to leave was refused, so it explains nothing. It is not asked for again."""
        for stay in self._with(player_id):
            stay.asked_to_leave, stay.patience = False, timedelta.max

    def left(self, player_id: str) -> None:
        """A player was answered to have left, and so have all who came with this one."""
        stay = self._stays.get(player_id)
        for each in stay.together if stay else ():
            self.ended(each, Fate.LEFT)

    def _with(self, player_id: str) -> Iterator[Stay]:
        for each in self._stays[player_id].together:
            if (stay := self._stays.get(each)) is not None:
                yield stay

    def _refused(self, player_id: str, code: str) -> None:
        stay = self._stays.get(player_id)
        if stay is None or stay.queued_at is None:
            return
        if code == ErrorCode.INVALID_METADATA:
            self.ended(player_id, Fate.SET_ASIDE)
        elif code == ErrorCode.NOT_IN_QUEUE:
            self.stays_on(player_id)

    @contextmanager
    def last_word(self, players: Iterable[str]) -> Generator[None]:
        """A game server asks whether it may start their match. Until it is answered, or is gone,
        nobody knows whether it may.
        """
        stays = [stay for each in players if (stay := self._stays.get(each))]
        for stay in stays:
            stay.in_hand += 1
        try:
            yield
        finally:
            for stay in stays:
                stay.in_hand -= 1

    def matched(self, match_id: str, players: Iterable[str]) -> None:
        """A game server starts a match, or a player was told of one. Both tell the same match."""
        for player_id in players:
            stay = self._stays.get(player_id)
            if stay is None or match_id in stay.matches:
                continue
            if finding := stay.matched(player_id, match_id):
                self.doubled += 1
                self.tell(finding.text, unusual=True)
                continue
            if stay.queued_at is None:
                self.queued(player_id)  # its answer is late, or lost
            else:
                self.waits.append(self.clock() - stay.queued_at)
            self._is_over(player_id, Fate.MATCHED)

    def ended(self, player_id: str, fate: Fate) -> None:
        """The player's wait is over."""
        stay = self._stays.get(player_id)
        if stay is None or stay.fate is not Fate.WAITING:
            return
        stay.gone = fate
        self._is_over(player_id, fate)

    def _is_over(self, player_id: str, fate: Fate) -> None:
        self.counts[fate.value] += 1
        self._waiting.pop(player_id, None)

    def waiting(self, *, longer_than: timedelta = timedelta(0)) -> list[str]:
        """Players who were told `EnQueued` and no end since, longest first."""
        latest = self.clock() - longer_than.total_seconds()
        return [player for player, since in self._waiting.items() if since <= latest]

    def stay(self, player_id: str) -> Stay:
        """The visit of a player who waits. Raises KeyError for strangers."""
        return self._stays[player_id]

    def impatient(self) -> list[str]:
        """Players who have waited as long as they will, and have not asked to leave yet."""
        now = self.clock()
        return [
            player
            for player, since in self._waiting.items()
            if not self._stays[player].asked_to_leave
            and now - since >= self._stays[player].patience.total_seconds()
        ]

    def tell(self, text: str, *, unusual: bool = False) -> None:
        """One line for the people who watch."""
        self._told += 1
        (self._unusual if unusual else self._routine).append((self._told, text))

    def news(self, count: int) -> list[str]:
        """The newest lines, newest last. Half of the room is kept for unusual lines: the lines of
        matches would push them out at once.
        """
        unusual = list(self._unusual)[-max(1, count // 2) :]
        routine = list(self._routine)[-max(1, count - len(unusual)) :]
        return [text for _, text in sorted([*unusual, *routine])]

    def _forget_one(self) -> None:
        """Forgets the oldest player whose wait is over. An outage makes it forget none who wait."""
        oldest = next(player for player in self._stays if player not in self._waiting)
        del self._stays[oldest]
