"""Players whose end is known, in a few bytes each: what is told of them later is still judged."""

from __future__ import annotations

from array import array
from hashlib import blake2b

from crowd.requests import Names
from matchkeeper.swarm.news import News
from matchkeeper.swarm.player import Player
from matchkeeper.swarm.tally import Invariant, Tally, Whereabouts

_MATCHED, _GONE, _REFUSED, _SEVERAL = 1, 2, 4, 8
LEFT = (Whereabouts.DEQUEUED, Whereabouts.WAITING, Whereabouts.EXPIRED)
"""Told to be out, and without a match."""


class Past:
    """All players of a run by their number."""

    def __init__(self, *, names: Names, players: int, tally: Tally) -> None:
        self._names = names
        self._tally = tally
        self._flags = bytearray(players)
        self._last_match = array("Q", bytes(8 * players))

    def take(self, player: Player) -> None:
        """This player's end is known."""
        several = len(player.matches) > 1 or player.fresh_stay
        refused = player.refused >= player.enqueues
        self._flags[player.number] = (
            _MATCHED * bool(player.matches)
            | _GONE * (player.gone in LEFT)
            | _REFUSED * refused
            | _SEVERAL * several
        )
        if player.matches:
            self._last_match[player.number] = _hash(player.matches[-1])

    def told(self, number: int, news: News) -> None:
        """Something is told of a player who is not about any more."""
        if news.kind != "MatchFound" or number >= len(self._flags):
            return
        flags, name = self._flags[number], self._names.player(number)
        again = flags & _MATCHED and self._last_match[number] == _hash(news.match_id)
        if again or flags & _SEVERAL:
            return
        if flags & _GONE:
            broken, before = Invariant.NOT_AFTER_LEAVING, "told to be out"
        elif flags & _MATCHED:
            broken, before = Invariant.ONE_MATCH, "matched"
        elif flags & _REFUSED:
            broken, before = Invariant.NOT_REFUSED_AND_MATCHED, "refused"
        else:
            return
        self._tally.violated(broken, f"{name}: {before}, then matched in {news.match_id}")


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
