"""Game servers that claim matches and do not start them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from matchkeeper.store import keys

_HELD = re.compile(rb"(\d{1,9}) ([\d.]{1,30}) ([\d.]{1,30})")


class Refusals(Protocol):
    """When the claims of a game server are refused, as the settings say: doubled with each further
    one.
    """

    @property
    def unstarted_threshold(self) -> int:
        """Leases in a row that end without a start."""

    @property
    def unstarted_refusal_seconds(self) -> float:
        """The first one."""

    @property
    def unstarted_refusal_max_seconds(self) -> float:
        """The longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimer:
    """A game server whose last claims came to nothing."""

    pod_id: str
    not_started: int
    """Matches in a row."""
    refused_for_seconds: float | None
    """Until it may claim again, below 0 when it may; None: it was not refused yet."""


def claimers(now: float, reply: Sequence[bytes]) -> tuple[Claimer, ...]:
    """From the reply of `overdue.lua`. What cannot be read counts as unknown."""
    return tuple(_readable(now, reply))


def _readable(now: float, reply: Sequence[bytes]) -> Iterator[Claimer]:
    for pod, held in zip(reply[::2], reply[1::2], strict=True):
        found = _HELD.fullmatch(held)
        try:
            count, until = (int(found[1]), float(found[3])) if found else (0, 0.0)
        except ValueError:
            continue
        if count:
            yield Claimer(
                pod_id=keys.text(pod),
                not_started=count,
                refused_for_seconds=until - now if until else None,
            )
