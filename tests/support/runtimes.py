"""What a part of a server is given, for tests of one part."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from matchkeeper.observe.facts import Facts
from matchkeeper.observe.runtime import Runtime
from matchkeeper.server.wiring.stores import new_token


def runtime(
    facts: Facts | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    rng: random.Random | None = None,
    stop: asyncio.Event | None = None,
) -> Runtime:
    """Tells nobody, unless `facts` are given."""
    return Runtime(
        facts=facts or Facts(),
        clock=clock,
        rng=rng or random.Random(1),
        new_token=new_token,
        stop=stop or asyncio.Event(),
    )
