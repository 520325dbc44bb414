"""What every part of one server is given."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from matchkeeper.observe.facts import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Whom one server tells, its time, its chance, its names and its end."""

    facts: Facts
    clock: Callable[[], float]
    """Monotonic seconds."""
    rng: random.Random
    """For jitter and lots, not for secrets."""
    new_token: Callable[[], str]
    """Makes ids that are never made twice."""
    stop: asyncio.Event
    """Set when the server is to end what it does."""
