"""How a game server speaks to Redis."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

from ..resilience.breaker import CircuitBreaker
from ..store.operations import Network, Operations, Options, Unobserved


def connection(
    url: str,
    *,
    pod_id: str,
    timeout: timedelta,
    network: Network | None,
    clock: Callable[[], float],
    rng: random.Random,
) -> Operations:
    """Connections of this pod, not opened yet. Raises MatchkeeperError for a URL that is none."""
    breaker = CircuitBreaker(
        failures=5,
        cooldown=timedelta(seconds=2),
        cooldown_max=timedelta(seconds=10),
        clock=clock,
        rng=rng,
    )
    options = Options(
        url=url,
        timeout=timeout,
        client_name=f"pod-{pod_id}".replace(" ", "_"),
        network=network,
    )
    return Operations(options, breaker=breaker, observer=Unobserved(), clock=clock, rng=rng)
