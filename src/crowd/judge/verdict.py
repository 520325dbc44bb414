"""What the judge says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """How a promise can be broken."""

    LOST = "lost"
    """Was told EnQueued, and is nowhere (G1)."""
    DOUBLED = "doubled"
    """In two live matches, in two places at once, or in a match that started twice (G2)."""
    OUT_OF_PLACE = "out of place"
    """The place in the queue changed, or somebody who came later stands before (G3)."""
    LEFT_BUT_MATCHED = "left but matched"
    """Was told DeQueued or Expired, and is in a match made afterwards (G3)."""
    PUT_BACK = "asked to leave, put back"
    """Asked to leave a queue while in a pending match, and stands in that queue later (G3)."""
    UNCLAIMED_START = "unclaimed start"
    """A pod was allowed to start what it had not claimed."""
    OLD_EPOCH = "old epoch"
    """An end of an earlier hand-out was accepted."""
    UNEXPECTED = "unexpected"
    """In the queue or a match without having asked; metadata without a ticket, or the reverse."""
    UNANSWERED = "unanswered"
    """Asked again and again, and was told nothing (G5, G6)."""
    UNTOLD = "not told of the match"
    """Is in a started match, and the player's own pod, which listened, was not told (G7)."""
    TOLD_OTHERWISE = "told different things"
    """Players of one match were not told of the same players and pod (G7)."""
    REFUSED_BUT_MATCHED = "refused but matched"
    """Every request was refused, and yet there is a match (G2)."""
    WRONG_POD = "told to the wrong pod"
    """An answer went to a pod through which the player has not asked."""
    NO_REASON = "refused without a reason"
    """A request that was written to the stream was refused, and not for its own sake (G1)."""
    NOT_REFUSED = "claims on"
    """A pod claims match after match and starts none, and is not refused (G4)."""
    SPLIT = "party split"
    """A party is in a match without one of its players, or on two teams (G2)."""
    LEFT_BY = "left by the wrong player"
    """A player of a party was told DeQueued, and not who of the party left (G7)."""
    UNTRUE = "status untrue"
    """A pod asked where a player is, and was told what was true at no moment since (G7)."""
    WRONG_ASSIGNMENT = "told the wrong assignment"
    """A player was not told the assignment of the match by the pod that starts it, or the own
    secret, or was told another's (G7)."""
    REFUSED_BUT_GRANTED = "refused, then granted"
    """A message about a match was refused, and the same message was granted later (G2)."""
    STUCK = "stuck"
    """Everything is well again, and yet a match hangs, or a player who could play waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One broken promise."""

    fault: Fault
    about: str
    """The player or match."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The judgement in Jepsen's form. Players are counted by stay: from a request to its end."""

    attempted: int
    """Stays that were asked for."""
    acknowledged: int
    """Of these, those that were told EnQueued."""
    recovered: int
    """Of these, those never told EnQueued, and yet matched, waiting, or told their end."""
    started: int
    """Matches that started."""
    findings: tuple[Finding, ...]

    def about(self, fault: Fault) -> set[str]:
        """The players and matches with such a finding."""
        return {finding.about for finding in self.findings if finding.fault is fault}

    def count(self, *faults: Fault) -> int:
        """How many findings of these kinds."""
        return sum(finding.fault in faults for finding in self.findings)

    @property
    def ok(self) -> bool:
        """Whether every promise was kept."""
        return not self.findings

    def summary(self) -> str:
        """One line."""
        kinds = Counter(finding.fault.value for finding in self.findings)
        broken = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        return (
            f"attempted {self.attempted}, acknowledged {self.acknowledged}, "
            f"recovered {self.recovered}, matches {self.started}: {broken or 'all kept'}"
        )
