"""What a circuit breaker decides: pure functions from one state to the next, without a clock."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

_TOO_EARLY_SECONDS = 60.0
"""If a circuit opens again so soon after it was closed early, that was too early."""


class BreakerState(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    """All calls go through."""
    OPEN = "open"
    """None goes through until the cooldown is over."""
    HALF_OPEN = "half_open"
    """One at a time goes through, and its end decides."""
    FORCED_OPEN = "forced_open"
    """None goes through until an operator releases the breaker."""


class Verdict(StrEnum):
    """What the end of a call says about the other side."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"
    """The call was cancelled: it says nothing about the other side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When a circuit opens and for how long. Raises ValueError for rules that make no sense."""

    failures: int
    """So many failures in a row open the circuit."""
    cooldown_seconds: float
    growth: float
    """Each failed probe makes the next cooldown longer by this factor."""
    cooldown_max_seconds: float
    """The cooldown grows up to here; jitter comes on top."""
    jitter: float
    """A random time, up to this share of the cooldown, is added: servers do not probe together."""
    probe_lease_seconds: float
    """A probe that has not ended after so long no longer stops others from probing."""
    early_probe_seconds: float = 0
    """How often an open circuit is probed, to close it early. 0: never."""

    def __post_init__(self) -> None:
        sound = {
            "failures is at least 1": self.failures >= 1,
            "cooldown is above 0": self.cooldown_seconds > 0,
            "growth is at least 1": self.growth >= 1,
            "cooldown_max is at least cooldown": self.cooldown_max_seconds >= self.cooldown_seconds,
            "jitter is at least 0": self.jitter >= 0,
            "probe_lease is above 0": self.probe_lease_seconds > 0,
            "early_probe is at least 0": self.early_probe_seconds >= 0,
        }
        for rule, holds in sound.items():
            if not holds:
                raise ValueError(f"A circuit breaker needs: {rule}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """The whole memory of a breaker. Times are seconds of a monotonic clock."""

    next_cooldown_seconds: float
    """How long it will be open when it opens the next time."""
    state: BreakerState = BreakerState.CLOSED
    generation: int = 0
    """Grows with every change of state and every probe; tells old calls from present ones."""
    failures: int = 0
    """Closed: failures in a row. Else: all that were counted since the row that opened it."""
    until: float = -math.inf
    """Nothing goes through before this time: the end of the cooldown, or of the probe's lease."""
    early_probe_seconds: float = 0
    """How often it is probed early now: less often each time that closing it was too early."""
    closed_early_at: float = -math.inf


def closed(rules: Rules) -> Circuit:
    """A circuit that has seen nothing yet."""
    return Circuit(
        next_cooldown_seconds=rules.cooldown_seconds,
        early_probe_seconds=rules.early_probe_seconds,
    )


def seen_at(circuit: Circuit, now: float) -> BreakerState:
    """The state as a caller would find it: a cooldown that is over means half open."""
    if circuit.state is BreakerState.OPEN and now >= circuit.until:
        return BreakerState.HALF_OPEN
    return circuit.state


def admit(circuit: Circuit, rules: Rules, *, now: float) -> Circuit | None:
    """The circuit with one more call let through, or None when the call is refused."""
    if circuit.state is BreakerState.CLOSED:
        return circuit
    if now < circuit.until:
        return None
    return replace(
        circuit,
        state=BreakerState.HALF_OPEN,
        generation=circuit.generation + 1,
        until=now + rules.probe_lease_seconds,
    )


def settle(
    circuit: Circuit,
    rules: Rules,
    verdict: Verdict,
    *,
    generation: int,
    now: float,
    chance: float,
) -> Circuit:
    """The circuit after the end of a call that was admitted in `generation`.

    `chance` in [0, 1) picks the jitter. A call of an earlier generation changes nothing.
    """
    if generation != circuit.generation:
        return circuit
    probing = circuit.state is BreakerState.HALF_OPEN
    if verdict is Verdict.UNKNOWN:
        return replace(circuit, until=-math.inf) if probing else circuit
    if verdict is Verdict.GOOD:
        return _close(circuit, rules) if probing else _forgive(circuit)
    worse = replace(circuit, failures=circuit.failures + 1)
    if probing or worse.failures >= rules.failures:
        return _open(worse, rules, now=now, chance=chance)
    return worse


def force_open(circuit: Circuit) -> Circuit:
    """Refuses every call until `release`."""
    return replace(
        circuit,
        state=BreakerState.FORCED_OPEN,
        generation=circuit.generation + 1,
        # Failures of a closed circuit have opened nothing, so there is nothing to recover from.
        failures=0 if circuit.state is BreakerState.CLOSED else circuit.failures,
        until=math.inf,
    )


def release(circuit: Circuit, rules: Rules) -> Circuit:
    """Ends `force_open`: half open, so that one call tries before all others follow."""
    if circuit.state is not BreakerState.FORCED_OPEN:
        return circuit
    return replace(
        circuit,
        state=BreakerState.HALF_OPEN,
        generation=circuit.generation + 1,
        next_cooldown_seconds=rules.cooldown_seconds,
        until=-math.inf,
    )


def close_early(circuit: Circuit, rules: Rules, *, now: float) -> Circuit:
    """The other side was found to work. Changes nothing while an operator holds it open."""
    if circuit.state not in (BreakerState.OPEN, BreakerState.HALF_OPEN):
        return circuit
    return replace(
        _close(circuit, rules),
        early_probe_seconds=circuit.early_probe_seconds,
        closed_early_at=now,
    )


def _forgive(circuit: Circuit) -> Circuit:
    return replace(circuit, failures=0) if circuit.failures else circuit


def _close(circuit: Circuit, rules: Rules) -> Circuit:
    return replace(closed(rules), generation=circuit.generation + 1)


def _open(circuit: Circuit, rules: Rules, *, now: float, chance: float) -> Circuit:
    cooldown = circuit.next_cooldown_seconds
    early = circuit.early_probe_seconds
    if circuit.state is BreakerState.CLOSED:
        too_early = now - circuit.closed_early_at < _TOO_EARLY_SECONDS
        early = min(2 * early, cooldown) if too_early else rules.early_probe_seconds
    return replace(
        circuit,
        state=BreakerState.OPEN,
        generation=circuit.generation + 1,
        until=now + cooldown * (1 + rules.jitter * chance),
        next_cooldown_seconds=min(cooldown * rules.growth, rules.cooldown_max_seconds),
        early_probe_seconds=early,
    )
