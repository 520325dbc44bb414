"""Histories for the judge, told event by event."""

from __future__ import annotations

from typing import Any

from crowd.history import Event, State, What
from crowd.judge import Refusals, Verdict, judge

Players = dict[str, float]
REQUIRED = {"squad": 2}
LIFETIMES = {"brief": 5.0}
REFUSALS = Refusals(claims=3, after_seconds=1.5, apart_seconds=2.5)


class Story:
    """Events one after the other, a second between them."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, what: What, **fields: Any) -> Story:
        self.events.append(Event(at=float(len(self.events) + 1), what=what, **fields))
        return self

    def asked(self, player: str, word: str = "enqueue", mode: str = "squad") -> Story:
        return self.add(What.ASKED, who="pod", player=player, mode=mode, word=word)

    def told(self, player: str, word: str = "EnQueued", code: str = "", match: str = "") -> Story:
        return self.add(What.TOLD, who="pod", player=player, word=word, code=code, match=match)

    def found(self, player: str, match: str, *players: str, by: str = "pod") -> Story:
        """`player` is told of a match of these players, which `by` starts."""
        return self.add(
            What.TOLD,
            who="pod",
            player=player,
            word="MatchFound",
            match=match,
            players=tuple((each, 0) for each in players),
            by=by,
        )

    def queued(self, *players: str) -> Story:
        for player in players:
            self.asked(player).told(player)
        return self

    def offered(
        self, match: str, *players: str, epoch: int = 1, word: str = "claim", second: int = 100
    ) -> Story:
        return self.add(
            What.OFFERED,
            who="pod",
            match=match,
            epoch=epoch,
            mode="squad",
            word=word,
            players=tuple((player, second) for player in players),
        )

    def claimed(self, match: str, *, who: str = "pod", epoch: int = 1) -> Story:
        return self.add(What.CLAIMED, who=who, match=match, epoch=epoch)

    def started(self, match: str, *, who: str = "pod", epoch: int = 1) -> Story:
        return self.add(What.STARTED, who=who, match=match, epoch=epoch)

    def played(self, match: str, *players: str) -> Story:
        return self.offered(match, *players).claimed(match).started(match)

    def looked(
        self,
        queue: Players | None = None,
        *,
        matches: dict[str, tuple[str, ...]] | None = None,
        started: dict[str, tuple[str, ...]] | None = None,
        without_metadata: tuple[str, ...] = (),
        more_metadata: tuple[str, ...] = (),
        more: State | None = None,
    ) -> Story:
        """A look at Redis: who waits, and the pending matches, in order but for what is asked."""
        players, pending = queue or {}, matches or {}
        have = (set(players) - set(without_metadata)) | set(more_metadata)
        state = State(
            queues={"squad": players},
            metadata={"squad": tuple(sorted(have))},
            matched={"squad": {each: match for match, who in pending.items() for each in who}},
            pending={"squad": dict.fromkeys(pending, 50.0)},
            matches={match: ("offered", who) for match, who in pending.items()},
            started=started or {},
        )
        return self.add(What.LOOKED, who="operator", state=more or state)

    def verdict(self, *, settled: bool = True, several: bool = False) -> Verdict:
        return judge(
            self.events,
            settled=settled,
            required=REQUIRED,
            lifetimes=LIFETIMES,
            several=several,
            sizes=REQUIRED,
            refusals=REFUSALS,
        )


def story() -> Story:
    return Story()


def moved(*, asked: int, waits: int) -> Story:
    """A player asks so often, and has another place so many looks after the first."""
    told = story()
    for _ in range(asked):
        told.asked("a", mode="brief")
    told.told("a")
    for second in (100.5, *[100.5] * (waits - 1), 170.5):
        told.looked(more=State(queues={"brief": {"a": second}}, metadata={"brief": ("a",)}))
    return told
