"""Looks into Redis for players who were told `EnQueued` and no end since: the missing are lost.

It has a connection of its own, so that what it does is not in the server's figures.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from matchkeeper.cli.demo.ledger import Fate, Ledger, Stay
from matchkeeper.config import Settings
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import members_of
from matchkeeper.errors import StoreError
from matchkeeper.operate.operator import QueueState
from matchkeeper.server.wiring import Stores, operator_for

_FRESH = timedelta(seconds=1)
"""A player whose answer is younger than this need not be looked for yet."""
_LOST_AFTER_SECONDS = 5.0
"""News of a match may be on its way for this long; and a look at several keys takes time."""
_PAGE = 1000
_AT_ONCE = 20
_AT_MOST = 400
_LETTERS = 200


class Lookout:
    """Counts the lost. `away` says that Redis is known to be away."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        ledger: Ledger,
        *,
        away: Callable[[], bool],
    ) -> None:
        self._stores = stores
        self._operator = operator_for(settings, stores)
        self._channel = settings.matchmaking.offers
        self._ledger = ledger
        self._away = away
        self._nowhere_since: dict[str, float] = {}
        self._lost: set[str] = set()
        self._answered = False
        self.queues: tuple[QueueState, ...] = ()
        self.subscribers = 0

    @property
    def known(self) -> bool:
        """Whether the last look saw everything. Nobody knows while Redis is away."""
        return self._answered and not self._away()

    @property
    def lost(self) -> int:
        """Players who are nowhere; the last known number while nothing is known."""
        return len(self._lost)

    @property
    def suspects(self) -> int:
        """Players who were nowhere at the last look, the lost among them."""
        return len(self._nowhere_since)

    async def look(self) -> None:
        """One look at everything; notes that nothing is known when Redis does not answer."""
        try:
            await self._look()
        except StoreError:
            self._answered = False
            # A gap in the looks proves nothing: only players lost before it are still lost.
            self._nowhere_since = {player: self._nowhere_since[player] for player in self._lost}
        else:
            self._answered = True

    async def _look(self) -> None:
        waiting = self._ledger.waiting(longer_than=_FRESH)
        self.queues = tuple(await self._operator.queues())
        queued = {each for mode in self._operator.modes for each in await self._queued(mode)}
        self.subscribers = await self._stores.coordination.subscribers(self._channel)
        suspects = [player for player in waiting if player not in queued]
        await self._judge(suspects[:_AT_MOST])
        suspected = set(suspects)
        for player in self._nowhere_since.keys() - suspected:
            self._is_somewhere(player)

    async def _queued(self, mode: GameMode) -> set[str]:
        players: set[str] = set()
        start = 0
        while True:
            page = await self._operator.page(mode, start=start, count=_PAGE)
            players.update(member.player_id for member in members_of(page.tickets))
            players.update(ticket.ticket_id for ticket in page.unreadable)
            start += len(page.scan.places)
            if len(page.scan.places) < _PAGE:
                return players

    async def _judge(self, suspects: Sequence[str]) -> None:
        """Those who stand in no queue may stand in a pending match, or may be queued again."""
        found = [False] * len(suspects)
        for first in range(0, len(suspects), _AT_ONCE):
            some = suspects[first : first + _AT_ONCE]
            found[first : first + _AT_ONCE] = await asyncio.gather(*map(self._stands, some))
        gone = [player for player, here in zip(suspects, found, strict=True) if not here]
        for player in set(suspects) - set(gone):
            self._is_somewhere(player)
        now = self._ledger.clock()
        for player in gone:
            self._nowhere_since.setdefault(player, now)
        late = [each for each in gone if now - self._nowhere_since[each] >= _LOST_AFTER_SECONDS]
        letters = await self._dead_letters() if late else set[str]()
        for player in late:
            self._end(player, set_aside=player in letters)

    def _end(self, player: str, *, set_aside: bool) -> None:
        """The player was nowhere for too long: nobody heard of the end, or the player is lost."""
        stay = self._ledger.stay(player)
        end = unheard_end(stay, now=self._ledger.clock(), set_aside=set_aside)
        if end is not None:
            self._ledger.ended(player, end)
            self._is_somewhere(player)
        elif not stay.in_hand:
            self._lost.add(player)

    def _is_somewhere(self, player: str) -> None:
        self._nowhere_since.pop(player, None)
        self._lost.discard(player)

    async def _stands(self, player_id: str) -> bool:
        place = await self._operator.where(player_id)
        return bool(place.queues) or place.pending_match is not None

    async def _dead_letters(self) -> set[str]:
        return {
            letter.player_id
            for mode in self._operator.modes
            for letter in await self._stores.dead_letters.list(mode.queue, count=_LETTERS)
        }


def unheard_end(stay: Stay, *, now: float, set_aside: bool) -> Fate | None:
    """How the wait of a player who is nowhere has ended, where the news of it may have been lost.

    News goes by Pub/Sub, which forgets what nobody hears. None: there is no such end, and unless
    the player is told of a match soon, the player is lost.
    """
    if stay.fate is not Fate.WAITING:
        return stay.fate
    if set_aside:
        return Fate.SET_ASIDE
    if stay.asked_to_leave:
        return Fate.LEFT
    waited = timedelta(seconds=now - (stay.queued_at or now))
    if stay.mode.max_wait is not None and waited >= stay.mode.max_wait:
        return Fate.EXPIRED
    return None
