"""What one player was told. Each request is sent once, so that every answer is certain."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from crowd.judge.verdict import Fault, Finding


@dataclass(slots=True, kw_only=True, eq=False)
class Told:
    """From the first request on. It is judged as it grows, and needs no history."""

    enqueues: int = 1
    """Requests to be queued that were sent."""
    queued: int = 0
    """Times told `EnQueued`."""
    refused: int = 0
    """Requests that were certainly not done."""
    matches: list[str] = field(default_factory=list)
    gone: StrEnum | None = None
    """How the wait is over without a match, as the player was told."""

    @property
    def must_wait(self) -> bool:
        """Whether the player was told `EnQueued`, and nothing since."""
        return self.gone is None and self.queued > len(self.matches)

    def matched(self, player: str, match: str) -> Finding | None:
        """Notes that the player was told of a match, or is in one that starts. Returns the promise
        that this breaks; the same match told again breaks none.
        """
        if match in self.matches:
            return None
        fault, why = self._against()
        self.matches.append(match)
        if fault is None:
            return None
        return Finding(
            fault=fault, about=player, text=f"{player} is in match {match}, although {why}"
        )

    def _against(self) -> tuple[Fault | None, str]:
        """What speaks against a further match."""
        if self.gone is not None:
            return Fault.LEFT_BUT_MATCHED, self.gone.value
        if len(self.matches) < self.enqueues - self.refused:
            return None, ""
        if self.matches:
            return Fault.DOUBLED, f"matched in {', '.join(self.matches)}"
        return Fault.REFUSED_BUT_MATCHED, "refused"
