"""What a game server hears: the results of its players, and battle requests."""

from __future__ import annotations

from typing import Any

import msgspec

from .codes import ErrorCode
from .limits import MAX_DEPTH, decoded

ENQUEUED = "EnQueued"
DEQUEUED = "DeQueued"
EXPIRED = "Expired"

_encode = msgspec.json.Encoder().encode


class MatchFound(msgspec.Struct, frozen=True, kw_only=True):
    """The player is in a match that starts."""

    opponent_id: str
    """The first player of another team, or another player where there is one team."""
    match_id: str
    game_mode: str
    player_ids: tuple[str, ...]
    """Everybody in the match, team after team."""
    claimed_by: str | None = None
    """The pod that starts it, in claim handoff; the script that starts the match fills it in."""


class Failure(msgspec.Struct, frozen=True):
    """Why a request was refused."""

    code: str
    message: str


class Answer(msgspec.Struct, frozen=True):
    """`pod:{pod_id}:match_result`. `result_type` is a word or an object of one key."""

    player_id: str
    result_type: str | dict[str, Any]

    @property
    def kind(self) -> str:
        """The word: EnQueued, DeQueued, Expired, MatchFound or Error."""
        if isinstance(self.result_type, str):
            return self.result_type
        return next(iter(self.result_type), "")


_answer = msgspec.json.Decoder(Answer)


def plain(player_id: str, word: str) -> bytes:
    """An answer that is one word."""
    return _encode(Answer(player_id, word))


def error(player_id: str, code: ErrorCode, message: str) -> bytes:
    """An `Error` answer."""
    return _encode(Answer(player_id, {"Error": Failure(code.value, message)}))


def decode_answer(payload: bytes) -> Answer:
    """An answer from its wire text. Raises msgspec.DecodeError."""
    return decoded(_answer, payload)


class BattlePlayer(msgspec.Struct, frozen=True):
    """C in the wire table: one player of a battle request."""

    player_id: str
    score: int
    """Enqueue time, Unix time in whole seconds."""
    pod_id: str
    metadata: msgspec.Raw


class BattleRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`battle:request`: a match is offered to all pods."""

    match_id: str
    game_mode: str
    player1: BattlePlayer | None = None
    player2: BattlePlayer | None = None
    teams: tuple[tuple[BattlePlayer, ...], ...] | None = None
    handoff: str = ""
    epoch: int = 0
    """Claim handoff: which hand-out of the match this is; claim, confirm and decline repeat it."""
    claim_within_seconds: float = 0.0
    lease_seconds: float = 0.0
    """A claim must be confirmed within this time."""
    durability: str = "none"
    """The durability of a confirm before the match starts: `redis.durability`."""
    traceparent: str = ""
    """W3C Trace Context of the match, where the server traces it."""

    @property
    def players(self) -> tuple[BattlePlayer, ...]:
        """All players, team after team."""
        if self.teams is not None:
            return tuple(player for team in self.teams for player in team)
        return tuple(player for player in (self.player1, self.player2) if player is not None)


_battle = msgspec.json.Decoder(BattleRequest)
_OFFER_DEPTH = 8
"""By how many levels metadata may be nested deeper in an offer than in its ticket."""


def decode_battle_request(payload: bytes) -> BattleRequest:
    """A battle request from its wire text. Raises msgspec.DecodeError."""
    return decoded(_battle, payload, depth=MAX_DEPTH + _OFFER_DEPTH)
