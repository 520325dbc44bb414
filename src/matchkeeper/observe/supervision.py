"""Running a loop again when it failed, and telling so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from matchkeeper.errors import CircuitOpenError, StoreError
from matchkeeper.observe.runtime import Runtime
from matchkeeper.resilience.waiting import pause

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_IN_OUTAGE_SECONDS = 0.5
"""The end of an outage must not be slept over."""


async def supervised(
    name: str,
    loop: Callable[[], Awaitable[None]],
    runtime: Runtime,
) -> None:
    """Runs a loop until it returns, again after a pause whenever it fails."""
    pause_seconds = _FIRST_PAUSE_SECONDS
    while True:
        begun = asyncio.get_running_loop().time()
        long_seconds, longest = _FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_IN_OUTAGE_SECONDS
        try:
            await loop()
        except CircuitOpenError:
            pass  # told when it opened
        except StoreError as error:
            runtime.facts.loop_interrupted(loop=name, error=error.message)
        except Exception as error:  # noqa: BLE001  # the last line of defence: told, then run again
            runtime.facts.loop_failed(loop=name, error=error)
            long_seconds = 10 * _LONGEST_PAUSE_SECONDS  # a defect comes again
            longest = _LONGEST_PAUSE_SECONDS
        else:
            return
        if asyncio.get_running_loop().time() - begun > long_seconds:
            # It worked for a while. A Redis that fails again and again must not be slept through.
            pause_seconds = _FIRST_PAUSE_SECONDS
        # Jitter, so that several servers do not come back in one moment.
        if await pause(runtime.stop, pause_seconds * runtime.rng.uniform(0.5, 1.5)):
            return
        pause_seconds = min(2 * pause_seconds, longest)
