"""Players whose end is known, in a few bytes each: what is told of them later is still judged."""

from __future__ import annotations

from array import array
from hashlib import blake2b

from crowd.judge import Told
from matchkeeper.swarm.player import Player
from matchkeeper.swarm.tally import Whereabouts

_MATCHED, _GONE, _REFUSED, _SEVERAL = 1, 2, 4, 8
LEFT = (Whereabouts.DEQUEUED, Whereabouts.WAITING, Whereabouts.EXPIRED)
"""The player was told to be out, and has no match."""


class Past:
    """All players of a run by their number."""

    def __init__(self, *, players: int) -> None:
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

    def recall(self, number: int, match: str) -> Told | None:
        """What such a player was told, as far as it says something about this match. None for
        strangers, and for players who may be in several matches.
        """
        flags = self._flags[number] if number < len(self._flags) else _SEVERAL
        if flags & _SEVERAL:
            return None
        last = match if self._last_match[number] == _hash(match) else "another"
        return Told(
            refused=int(bool(flags & _REFUSED)),
            matches=[last] if flags & _MATCHED else [],
            gone=Whereabouts.DEQUEUED if flags & _GONE else None,
        )


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
