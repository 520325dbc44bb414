"""What a game server hears: the results of its players, and battle requests."""

from __future__ import annotations

from typing import Any

import msgspec

from .codes import ErrorCode
from .limits import MAX_DEPTH, decoded
from .status import Status

ENQUEUED = "EnQueued"
DEQUEUED = "DeQueued"
EXPIRED = "Expired"

_encode = msgspec.json.Encoder().encode


MOST_NAMED = 32
"""In larger matches `MatchFound` names no other players: each message would name them all."""


class MatchFound(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The player is in a match that starts."""

    opponent_id: str | None = None
    """The other player, in a match of two."""
    match_id: str
    game_mode: str
    team: int
    """The player's team, from 0 on."""
    teams: tuple[tuple[str, ...], ...] | None = None
    """Everybody in the match, by team; absent in matches of more than 32 players."""
    parties: dict[str, tuple[str, ...]] | None = None
    """The parties among them: party id -> its players. Absent where there are none."""
    team_names: tuple[str, ...] | None = None
    """The name of each team, in modes with rules."""
    region: str | None = None
    """Where the match is played, in modes that choose it."""
    role: str | None = None
    """What the player plays, in modes with roles."""
    roles: dict[str, str] | None = None
    """Player -> role, of all players; absent as `teams` is, and where there are no roles."""
    claimed_by: str | None
    """The pod that starts it, in claim handoff; the script that starts the match fills it in, and
    what follows.
    """
    assignment: dict[str, Any] | None = None
    """What that pod wants the players to know: where the match is played."""
    secret: str | None = None
    """The same, for this player alone."""


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a request was refused."""

    code: str
    message: str
    because_of: str | None = None
    """The player of a party because of whom nobody of it was queued."""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """`pod:{pod_id}:match_result`. `result_type` is a word or an object of one key."""

    player_id: str
    """The player; the party, where the news is about a party whose players are not known."""
    result_type: str | dict[str, Any]
    party_id: str | None = None
    """The party that the player is in, or would be in."""
    left_by: str | None = None
    """Beside `DeQueued`: the player of the party who left, and so took it out of the queue."""

    @property
    def kind(self) -> str:
        """The word: EnQueued, DeQueued, Expired, MatchFound, Error or Status."""
        if isinstance(self.result_type, str):
            return self.result_type
        return next(iter(self.result_type), "")

    @property
    def status(self) -> Status | None:
        """Where the player is, in an answer that says so. Raises msgspec.ValidationError."""
        found = self.result_type
        if not isinstance(found, dict) or "Status" not in found:
            return None
        return msgspec.convert(found["Status"], Status)


_answer = msgspec.json.Decoder(Answer)


def plain(
    player_id: str, word: str, *, party_id: str | None = None, left_by: str | None = None
) -> bytes:
    """An answer that is one word."""
    return _encode(Answer(player_id, word, party_id, left_by))


def error(
    player_id: str,
    code: ErrorCode,
    message: str,
    *,
    party_id: str | None = None,
    because_of: str | None = None,
) -> bytes:
    """An `Error` answer."""
    failure = Failure(code.value, message, because_of)
    return _encode(Answer(player_id, {"Error": failure}, party_id))


def decode_answer(payload: bytes) -> Answer:
    """An answer from its wire text. Raises msgspec.DecodeError."""
    return decoded(_answer, payload)


class BattlePlayer(msgspec.Struct, frozen=True, omit_defaults=True):
    """C in the wire table: one player of a battle request."""

    player_id: str
    score: int
    """Enqueue time, Unix time in whole seconds."""
    pod_id: str
    metadata: msgspec.Raw
    party_id: str | None = None
    """The party that the player came with."""
    role: str | None = None
    """What the player plays, in modes with roles."""


class BattleRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`battle:request`: a match is offered to all pods."""

    match_id: str
    game_mode: str
    player1: BattlePlayer | None = None
    player2: BattlePlayer | None = None
    teams: tuple[tuple[BattlePlayer, ...], ...] | None = None
    team_names: tuple[str, ...] | None = None
    """The name of each team, in modes with rules; of `player1` and `player2`, too."""
    region: str | None = None
    """Where the match is to be played, in modes that choose it."""
    handoff: str = ""
    epoch: int = 0
    """Claim handoff: which hand-out of the match this is; claim, confirm and decline repeat it."""
    claim_within_seconds: float = 0.0
    lease_seconds: float = 0.0
    """A claim must be confirmed within this time."""
    traceparent: str = ""
    """W3C Trace Context of the match, where the server traces it."""

    @property
    def sides(self) -> tuple[tuple[BattlePlayer, ...], ...]:
        """The teams, also of a match of two players."""
        if self.teams is not None:
            return self.teams
        return tuple((player,) for player in (self.player1, self.player2) if player is not None)

    @property
    def players(self) -> tuple[BattlePlayer, ...]:
        """All players, team after team."""
        return tuple(player for team in self.sides for player in team)


_battle = msgspec.json.Decoder(BattleRequest)
_OFFER_DEPTH = 8
"""By how many levels metadata may be nested deeper in an offer than in its ticket."""


def decode_battle_request(payload: bytes) -> BattleRequest:
    """A battle request from its wire text. Raises msgspec.DecodeError."""
    return decoded(_battle, payload, depth=MAX_DEPTH + _OFFER_DEPTH)
