"""Of whom news is to come, so that none is missed and none is told twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from ..wire.answers import DEQUEUED, ENQUEUED, EXPIRED, Answer

T = TypeVar("T")

_REMEMBERED = 100_000
_SET_ASIDE = "invalid_metadata"
_ELSEWHERE = ("already_in_queue", "match_pending", "in_party", "in_other_queue")
"""Refusals of players who wait, or are in a pending match."""


class Watching:
    """The players who wait, as far as this game server knows."""

    def __init__(self) -> None:
        self._waiting: dict[str, object] = {}
        self._copies: dict[str, tuple[Answer, int]] = {}
        """Player -> the answer to a request that was sent several times, and how many follow."""
        self._matches: dict[str, str] = {}
        """Player -> the match that was told last."""
        self._made_up: dict[str, Answer] = {}
        """Player -> news that was told because of a status; its message may still come."""

    def waiting(self) -> Mapping[str, object]:
        """Player -> what `still_waits` is asked with."""
        return dict(self._waiting)

    def still_waits(self, player_id: str, since: object) -> bool:
        """Whether the player still waits, for the same wish, and no news has come since."""
        return self._waiting.get(player_id) is since

    def asks(self, player_id: str) -> None:
        """A new request of this player is sent."""
        self._copies.pop(player_id, None)

    def answered(self, answer: Answer, copies: int) -> None:
        """A request that was sent so often more than once has got its answer."""
        player, code = answer.player_id, _code(answer)
        if copies:
            _remember(self._copies, player, (answer, copies))
        if answer.kind == ENQUEUED or code in _ELSEWHERE:
            self.waits(player)
        elif answer.kind == DEQUEUED:
            self._waiting.pop(player, None)

    def waits(self, player_id: str) -> None:
        """News of this player is to come."""
        self._made_up.pop(player_id, None)
        self._waiting.setdefault(player_id, object())

    def is_news(self, answer: Answer, *, made_up: bool = False) -> bool:
        """Whether an answer that nobody waits for tells something new, which is to be handed out
        now. `made_up`: it is told because of a status.
        """
        player, word = answer.player_id, answer.kind
        if word == ENQUEUED or _code(answer) in _ELSEWHERE:  # an answer that comes late
            is_known = player in self._waiting
            self.waits(player)
            return not is_known
        if word == "MatchFound":
            match_id = _match_id(answer)
            if self._matches.get(player) == match_id:
                return False
            _remember(self._matches, player, match_id)
        elif self._is_copy(answer) or self._made_up.pop(player, None) == answer:
            return False
        if word in ("MatchFound", DEQUEUED, EXPIRED, "Status") or _code(answer) == _SET_ASIDE:
            self._waiting.pop(player, None)
        if made_up:
            _remember(self._made_up, player, answer)
        return True

    def _is_copy(self, answer: Answer) -> bool:
        known, left = self._copies.get(answer.player_id, (None, 0))
        if known != answer:
            return False
        if left > 1:
            self._copies[answer.player_id] = (answer, left - 1)
        else:
            del self._copies[answer.player_id]
        return True


def _remember(known: dict[str, T], player_id: str, value: T) -> None:
    known.pop(player_id, None)
    known[player_id] = value
    if len(known) > _REMEMBERED:
        known.pop(next(iter(known)))


def _about(answer: Answer) -> Mapping[str, Any]:
    """What stands in the answer behind its word."""
    found = answer.result_type
    about = next(iter(found.values()), None) if isinstance(found, dict) else None
    return about if isinstance(about, dict) else {}


def _code(answer: Answer) -> str:
    return str(_about(answer).get("code", "")) if answer.kind == "Error" else ""


def _match_id(answer: Answer) -> str:
    return str(_about(answer).get("match_id", ""))
