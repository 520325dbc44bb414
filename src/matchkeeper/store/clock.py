"""The clock of Redis, looked at by the servers, and how far its steps are bridged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from matchkeeper.domain.realm import NO_REALM
from matchkeeper.store import keys
from matchkeeper.store.connection import Connection
from matchkeeper.store.scripts import Call, Unsent, script

TRUST_SECONDS = 2.0
"""Scripts believe the clock for so long after a look, and may follow so much of a step forward."""
_MADE_UP_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at the clock of Redis found."""

    clock: float
    """Unix time in seconds, as Redis has it."""
    steady: float
    """Seconds of this server's monotonic clock, at about that moment."""
    doubt: float
    """That moment may be off by so many seconds, either way."""
    astray: bool
    """The clock is not where it should be, and scripts do not follow it."""
    offset: float
    """Seconds that scripts add to it."""
    steps: int
    """How many steps were bridged since the data set was new."""
    step: float
    """Seconds of the last step; positive: forward."""
    looks: int
    """How many looks all servers took since the data set was new."""


@script(list[Any], keys.clock, keys.requests, keys.heard)
def clock(
    *,
    realm: Unsent[str] = NO_REALM,
    trust_seconds: float = TRUST_SECONDS,
    made_up_share: float = _MADE_UP_SHARE,
    step: float | Literal[""] = "",
    known_steps: int = 0,
    looked_at: float = 0,
    group: str = keys.GROUP,
) -> None:
    """A `Look`, in the form that `RedisClock` reads.

    `made_up_share`: the share of the time by which a step is made up for. `step`: seconds that the
    clock has stepped since this server's previous look, at `looked_at` by that clock; empty: the
    call only looks.
    """


class RedisClock:
    """Methods raise StoreError. `steady` gives monotonic seconds."""

    def __init__(
        self, connection: Connection, *, steady: Callable[[], float], realm: str = NO_REALM
    ) -> None:
        self._connection = connection
        self._realm = realm
        self._steady = steady

    async def look(self) -> Look:
        """Where the clock is now. Scripts believe it for another moment, unless it is astray."""
        return await self._call(clock(realm=self._realm))

    async def bridge(self, step_seconds: float, look: Look) -> Look:
        """Bridges a step of `step_seconds` between the previous look and `look`, where the clock
        was astray. Scripts believe it again, unless another server was faster.
        """
        return await self._call(
            clock(
                realm=self._realm,
                step=step_seconds,
                known_steps=look.steps,
                looked_at=look.clock,
            )
        )

    async def _call(self, call: Call[list[Any]]) -> Look:
        begun = self._steady()
        reply = await self._connection.script(call)
        doubt = (self._steady() - begun) / 2
        return Look(
            clock=float(reply[0]),
            steady=begun + doubt,
            doubt=doubt,
            astray=reply[1] == b"1",
            offset=float(reply[2]),
            steps=int(reply[3]),
            step=float(reply[4]),
            looks=int(reply[5]),
        )
