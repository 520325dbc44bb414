"""Attributes: what rules read of a player, as typed values out of the metadata."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

ABSURD_MS = 10_000.0
"""A ping from here on says nothing, and neither does one of zero or less: it is unknown."""

Latencies = tuple[tuple[str, float], ...]
"""(region, milliseconds) of the regions that are known, by name."""
Value = float | str | frozenset[str] | tuple[str, ...] | Latencies
"""A number, a string, a set, a ranking (the favourite first), or latencies."""


class AttributeType(StrEnum):
    """What kind of value an attribute has."""

    NUMBER = "number"
    STRING = "string"
    SET = "set"
    RANKING = "ranking"
    LATENCIES = "latencies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An attribute that every player of a mode has."""

    name: str
    """Its key in the metadata."""
    type: AttributeType
    default: Value | None = None
    """The value of a player whose metadata has none. None: such a player is refused."""


def number(raw: object) -> float | None:
    """A finite number; None where it is none."""
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    try:
        value = float(raw)
    except OverflowError:  # an integer of hundreds of digits
        return None
    return value if math.isfinite(value) else None


def known_latencies(pings: Mapping[str, float]) -> Latencies:
    """The pings that say something. Those given are finite."""
    known = [(each, float(ms)) for each, ms in pings.items() if 0 < ms < ABSURD_MS]
    return tuple(sorted(known))


def ranking(names: Sequence[str]) -> tuple[str, ...] | None:
    """A ranking; None where a name is there twice."""
    return tuple(names) if len(set(names)) == len(names) else None
