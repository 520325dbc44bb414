"""What is counted: ends of players, errors by kind, and what must never happen."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from crowd.behaviours import Behaviour
from matchkeeper.swarm.figures import Durations, Timeline

S = TypeVar("S", bound=str)

_EXAMPLES = 5


class Invariant(StrEnum):
    """What must hold, whatever players and game servers do."""

    ONE_MATCH = "one_match"
    NOT_AFTER_LEAVING = "not_after_leaving"
    NOT_REFUSED_AND_MATCHED = "not_refused_and_matched"
    NOBODY_LOST = "nobody_lost"
    NOT_IN_TWO_PLACES = "not_in_two_places"
    ONE_STARTER = "one_starter"
    LATE_CLAIM_REFUSED = "late_claim_refused"
    ALL_TOLD = "all_told"
    OWN_POD = "own_pod"
    PARTY_WHOLE = "party_whole"
    LEFT_BY = "left_by"

    @property
    def sentence(self) -> str:
        """What it says."""
        return _SENTENCES[self]


_SENTENCES = {
    Invariant.ONE_MATCH: "No player is in two started matches.",
    Invariant.NOT_AFTER_LEAVING: "Nobody is matched who was told DeQueued or Expired.",
    Invariant.NOT_REFUSED_AND_MATCHED: "Nobody is matched whose request was refused.",
    Invariant.NOBODY_LOST: (
        "Everybody who was told EnQueued is matched, dequeued, expired, set aside, or still waits."
    ),
    Invariant.NOT_IN_TWO_PLACES: "Nobody whose match has started stands in the queue as well.",
    Invariant.ONE_STARTER: "A match is claimed once an offer, and started by one game server.",
    Invariant.LATE_CLAIM_REFUSED: "A claim after the deadline is refused.",
    Invariant.ALL_TOLD: "All players of a started match are told of the same match.",
    Invariant.OWN_POD: "Each player is told on the own pod.",
    Invariant.PARTY_WHOLE: "A party is queued, matched and put on one team whole, or not at all.",
    Invariant.LEFT_BY: "Who is taken out because a friend left is told which one.",
}


class Reason(StrEnum):
    """Why a player's end was not the right one."""

    NO_ANSWER = "no answer"
    NOT_MATCHED = "not matched in time"
    EXPIRED = "expired"
    TAKEN_OUT = "taken out by somebody else"
    ACCEPTED = "accepted, but to be refused"
    NOT_REFUSED = "second request was not refused"
    LOST = "lost"
    QUEUED_THOUGH_MATCHED = "in the queue although matched"
    NOT_SENT = "not sent"


class Neutral(StrEnum):
    """Ends that say nothing about the server."""

    NO_PARTNER = "left over without a partner"
    STOPPED = "still waiting when the run was stopped"


class Whereabouts(StrEnum):
    """What became of the players who were told `EnQueued`."""

    MATCHED = "matched"
    DEQUEUED = "dequeued"
    EXPIRED = "expired"
    SET_ASIDE = "set aside"
    WAITING = "waiting at the end, then taken out"
    UNKNOWN = "not observable"
    REMAINS = "perhaps still in the queue"
    LOST = "lost"


@dataclass(slots=True)
class Ends:
    """How the players of one behaviour ended."""

    right: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    neutral: Counter[str] = field(default_factory=Counter)

    @property
    def judged(self) -> int:
        """Those that say something."""
        return self.right + self.wrong.total()


@dataclass(slots=True)
class Tally:
    """Everything that was counted. Its size does not grow with the number of players."""

    ends: defaultdict[Behaviour, Ends] = field(default_factory=lambda: defaultdict(Ends))
    accounts: Counter[Whereabouts] = field(default_factory=Counter)
    expected_errors: Counter[str] = field(default_factory=Counter)
    """Codes that a behaviour asks for."""
    errors: Counter[str] = field(default_factory=Counter)
    """Everything else that went wrong, by kind."""
    broken: Counter[Invariant] = field(default_factory=Counter)
    checked: Counter[Invariant] = field(default_factory=Counter)
    examples: defaultdict[Invariant, list[str]] = field(default_factory=lambda: defaultdict(list))
    waits: Durations = field(default_factory=Durations)
    """From the request to `MatchFound`."""
    asked_by_size: Counter[int] = field(default_factory=Counter)
    """Players, by how many came together; with parties of at most 100 it is bounded."""
    waits_by_size: defaultdict[int, Durations] = field(
        default_factory=lambda: defaultdict(Durations)
    )
    answers: Durations = field(default_factory=Durations)
    """From the request to its answer."""
    timeline: Timeline = field(default_factory=Timeline)
    pods: Counter[str] = field(default_factory=Counter)
    """What the simulated game servers saw and did."""
    gaps: int = 0
    """How often the connection for answers was lost."""
    foreign: int = 0
    """Answers for players of somebody else."""

    def violated(self, invariant: Invariant, example: str) -> None:
        """It did not hold; the first few cases are kept."""
        self.broken[invariant] += 1
        if len(self.examples[invariant]) < _EXAMPLES:
            self.examples[invariant].append(example)

    @property
    def judged(self) -> int:
        """Players whose end says something."""
        return sum(each.judged for each in self.ends.values())

    @property
    def right(self) -> int:
        """Players whose end was the right one."""
        return sum(each.right for each in self.ends.values())

    @property
    def success(self) -> float | None:
        """Their share; None where nothing could be judged."""
        return self.right / self.judged if self.judged else None

    @property
    def unexpected(self) -> int:
        """All errors that no behaviour asked for."""
        return self.errors.total()


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What a run must reach. None: it need not."""

    min_success: float | None = 0.99
    """A share of 1."""
    max_p95_wait_seconds: float | None = None
    max_errors: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One threshold, and whether it was met."""

    name: str
    limit: str
    found: str
    met: bool


def checks(tally: Tally, thresholds: Thresholds) -> list[Check]:
    """All thresholds that were set. A figure that could not be measured does not meet its own."""
    found = []
    if (least := thresholds.min_success) is not None:
        success = tally.success
        text = "nothing to judge" if success is None else f"{percent(success)}"
        met = success is not None and success >= least
        found.append(Check(name="success", limit=f"≥ {percent(least)}", found=text, met=met))
    if (longest := thresholds.max_p95_wait_seconds) is not None:
        p95 = tally.waits.quantile(0.95)
        text = "no match" if p95 is None else f"{p95:.3g} s"
        met = p95 is not None and p95 <= longest
        found.append(Check(name="p95 wait", limit=f"≤ {longest:g} s", found=text, met=met))
    if (most := thresholds.max_errors) is not None:
        errors = tally.unexpected
        met = errors <= most
        found.append(Check(name="errors", limit=f"≤ {most}", found=str(errors), met=met))
    return found


def percent(share: float) -> str:
    """A share as a percentage, never rounded up to a limit that was missed."""
    return f"{math.floor(share * 100_000 + 1e-6) / 1000:g} %"


def by_count(counts: Counter[S]) -> list[tuple[str, int]]:
    """The most frequent first."""
    return sorted(((str(k), v) for k, v in counts.items() if v), key=lambda each: (-each[1], each))
