"""What a game server missed while it heard nothing: asked for, and handed out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ..errors import MatchkeeperError
from ..wire.answers import Answer
from ..wire.status import State, Status
from .inbox import Inbox
from .watching import Watching

_AT_ONCE = 200
"""So many questions are under way."""
_PAUSE_SECONDS = 1.0


class CatchingUp:
    """Asks where all players are who wait, each time that the subscription has come back."""

    def __init__(
        self, inbox: Inbox, watching: Watching, *, status: Callable[[str], Awaitable[Answer]]
    ) -> None:
        self._inbox = inbox
        self._watching = watching
        self._status = status

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._inbox.is_back.wait()
            self._inbox.is_back.clear()
            if not await self._catch_up():
                self._inbox.is_back.set()
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _catch_up(self) -> bool:
        """Whether all questions are answered."""
        room = asyncio.Semaphore(_AT_ONCE)

        async def ask(player_id: str, since: object) -> bool:
            async with room:
                if not self._watching.still_waits(player_id, since):
                    return True
                try:
                    found = await self._status(player_id)
                except MatchkeeperError:
                    return False
                if self._watching.still_waits(player_id, since):
                    self._hand_out(found)
                return True

        waiting = self._watching.waiting()
        done = await asyncio.gather(*(ask(*each) for each in waiting.items()))
        return all(done)

    def _hand_out(self, found: Answer) -> None:
        status = found.status
        if status is None or status.state in (State.WAITING, State.PENDING):
            return
        news = found if status.news is None else news_of(found, status)
        self._inbox.hand_out(news, made_up=True)


def news_of(found: Answer, status: Status) -> Answer:
    """What was told last, as it was told."""
    return Answer(found.player_id, status.news or "", found.party_id, found.left_by)
