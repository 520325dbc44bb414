"""What a game server makes of an offer, by its behaviour."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from crowd.behaviours import PodBehaviour
from crowd.history import What

Ask = Callable[[], Awaitable[bool]]
"""Asks the match server something; returns whether it was granted."""
_STARTS_NOTHING = (PodBehaviour.FORGETS, PodBehaviour.DIES, PodBehaviour.GRABS)


async def treat(
    behaviour: PodBehaviour,
    *,
    claim: Ask,
    decline: Ask,
    start: Ask,
    before: Callable[[], float] = lambda: 0.0,
    between: float = 0.0,
    note: Callable[[What], None] = lambda _: None,
) -> What | None:
    """Plays one offer to its end. Returns the last of CLAIMED, CONFIRMING and STARTED that
    happened, None without any; `note` is told of each when it happens.

    `before`: how many seconds pass until the claim, asked where they count; too many make it late.
    `between`: seconds from there until the start. Raises what the three raise.
    """
    if behaviour is PodBehaviour.NEVER_CLAIMS:
        return None
    if behaviour is not PodBehaviour.GRABS:
        await asyncio.sleep(before())
    if behaviour is not PodBehaviour.STARTS_UNCLAIMED:
        if not await claim():
            return None
        note(What.CLAIMED)
    if behaviour is PodBehaviour.DECLINES:
        await decline()
        return What.CLAIMED
    if behaviour in _STARTS_NOTHING:
        return What.CLAIMED
    await asyncio.sleep(between)
    note(What.CONFIRMING)
    if not await start():
        return What.CONFIRMING
    note(What.STARTED)
    return What.STARTED
