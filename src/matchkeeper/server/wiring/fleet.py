"""What a server tells the others of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from matchkeeper.config import Settings
from matchkeeper.domain.realm import QueueName
from matchkeeper.observe.facts import Facts
from matchkeeper.queue.fleet import Fleet
from matchkeeper.server.wiring.stores import Stores


def fleet_for(
    settings: Settings,
    stores: Stores,
    wake: Callable[[QueueName], None],
    *,
    facts: Facts,
    stop: asyncio.Event,
) -> Fleet:
    """Who may match what. `wake` makes a round of a mode due."""
    shared = settings.agreed()
    return Fleet(settings.modes(), stores.servers, shared, wake=wake, facts=facts, stop=stop)
