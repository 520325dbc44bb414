"""A run of the swarm without a network: a ledger that is told things, under a clock of its own."""

from __future__ import annotations

from typing import Any

from crowd import wire
from crowd.behaviours import Behaviour
from crowd.people import Person
from crowd.requests import Names
from matchkeeper.swarm.ledger import Ledger
from matchkeeper.swarm.player import Doing, Wish
from matchkeeper.swarm.tally import Invariant, Tally

QUEUED, DEQUEUED, EXPIRED = "EnQueued", "DeQueued", "Expired"
STEPS = ("leave", "late", "look", "gap")
TIMEOUT = 10.0
LATE = 3.0


def found(match: str = "m1", *players: int, by: str | None = None) -> dict[str, Any]:
    """Players from 9 on are not of this run."""
    ids = [f"r-{number}" if number < 9 else f"x-{number}" for number in players or (0, 1)]
    return {
        "MatchFound": {
            "match_id": match,
            "game_mode": "Normal",
            "teams": [[each] for each in ids],
            "opponent_id": ids[-1],
            "claimed_by": by,
        }
    }


def error(code: str) -> dict[str, Any]:
    return {"Error": {"code": code, "message": "no"}}


class Run:
    """A ledger and a clock that tests move."""

    def __init__(
        self, *behaviours: Behaviour, size: int = 2, together: int = 1, variant: int = 0
    ) -> None:
        """`together`: how many come as one party, each time."""
        self.ledger = Ledger(
            names=Names(run="r"),
            players=100,
            timeout_seconds=TIMEOUT,
            late_seconds=LATE,
            sizes={"Normal": size},
            teams={"Normal": 2},
            tally=Tally(),
        )
        self.now = 0.0
        self.wishes: list[Wish] = []
        for number, behaviour in enumerate(behaviours or (Behaviour.NORMAL, Behaviour.NORMAL)):
            numbers = range(number * together, (number + 1) * together)
            group = [
                Person(
                    number=each,
                    at=0.0,
                    behaviour=behaviour,
                    mode="Normal",
                    home=0,
                    rating=1500,
                    patience_seconds=0.5,
                    variant=variant,
                    together=numbers,
                )
                for each in numbers
            ]
            requests = 2 if behaviour is Behaviour.TWICE else 1
            self.wishes += self.ledger.asked(group, 0.0, requests=requests)

    @property
    def tally(self) -> Tally:
        return self.ledger.tally

    def told(
        self, number: int, *words: str | dict[str, Any], left_by: str = "", pod: str = ""
    ) -> Run:
        return self._heard(range(number, number + 1), words, left_by=left_by, pod=pod)

    def all_told(self, numbers: range, *words: str | dict[str, Any]) -> Run:
        """Of a party as one."""
        return self._heard(numbers, words)

    def _heard(
        self,
        numbers: range,
        words: tuple[str | dict[str, Any], ...],
        *,
        left_by: str = "",
        pod: str = "",
    ) -> Run:
        name = f"r-{numbers[0]}"
        for word in words:
            self.now += 0.1
            news = wire.told(self.now, pod, name, word, left_by=left_by)
            self.wishes += self.ledger.told(numbers, news)
        return self

    def leaves(self, number: int) -> Run:
        assert self.ledger.leaves(number) is not None
        return self

    def late(self) -> Run:
        """All patience is over."""
        self.now += TIMEOUT
        self.wishes += self.ledger.due(self.now)
        return self

    def much_later(self) -> Run:
        """Old enough for every match to be judged."""
        self.ledger.matches.sweep(self.now + 100)
        return self

    def looks(self) -> Run:
        for wish in [each for each in self.wishes if each.doing is Doing.LOOK]:
            self.ledger.looks(wish.number, self.now + wish.after)
        return self

    def goes_on(self, step: str, *, leaver: int) -> None:
        """One of STEPS."""
        if step == "leave":
            self.ledger.leaves(leaver)
        elif step == "late":
            self.late()
        elif step == "look":
            self.looks()
        else:
            self.ledger.gap()

    def finish(self) -> Run:
        self.ledger.finish()
        return self

    @property
    def broken(self) -> set[Invariant]:
        return set(+self.tally.broken)

    def wrong(self) -> dict[str, int]:
        return {
            reason: count
            for ends in self.tally.ends.values()
            for reason, count in ends.wrong.items()
        }


def both_matched() -> Run:
    return Run().told(0, QUEUED).told(1, QUEUED).told(0, found()).told(1, found())
