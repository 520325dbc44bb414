"""Answers out: match results to a pod, and battle requests to all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import msgspec

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.domain.ticket import Ticket
from matchkeeper.wire.codes import ErrorCode
from matchkeeper.wire.limits import MAX_DEPTH, decoded

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
    """The pod that starts it, where matches are claimed; filled in by the script that starts it."""


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


def match_found(proposal: Proposal, mode: GameMode, match_id: str) -> list[tuple[str, str]]:
    """One (pod_id, payload) for each player of the match."""
    players = tuple([ticket.player_id for ticket in proposal.tickets])
    notices = []
    for team in proposal.teams:
        for ticket in team:
            found = MatchFound(
                opponent_id=_opponent(proposal, team, ticket),
                match_id=match_id,
                game_mode=mode.name,
                player_ids=players,
            )
            notices.append(
                (ticket.pod_id, _encode(Answer(ticket.player_id, {"MatchFound": found})).decode())
            )
    return notices


def _opponent(proposal: Proposal, team: Sequence[Ticket], ticket: Ticket) -> str:
    """The first player of another team; in a mode of one team, the first other player."""
    for other in proposal.teams:
        if other is not team:
            return other[0].player_id
    return next(each.player_id for each in team if each is not ticket)


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
    """Within this a claim is to be confirmed."""
    durability: str = "none"
    """What a confirm must have reached before the match starts: `redis.durability`."""
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
"""How much deeper metadata may stand in an offer than in its ticket."""


def decode_battle_request(payload: bytes) -> BattleRequest:
    """A battle request from its wire text. Raises msgspec.DecodeError."""
    return decoded(_battle, payload, depth=MAX_DEPTH + _OFFER_DEPTH)


_SLOT = "\x00"
"""Stands for metadata; JSON text holds no such character."""
_slot = msgspec.Raw(_SLOT.encode())


def battle_request(
    teams: Sequence[Sequence[Ticket]],
    mode: GameMode,
    *,
    match_id: str,
    epoch: int,
    claim_within_seconds: float,
    durability: str = "none",
    traceparent: str = "",
) -> tuple[str, ...]:
    """The offer of a match, in pieces: between two belongs the metadata of the next player, team
    after team. Two players stand in `player1` and `player2`, more in `teams`.
    """
    sides = tuple(map(_players, teams))
    everybody = tuple(chain.from_iterable(sides))
    duel, claimed = len(everybody) == 2, mode.handoff is Handoff.CLAIM
    text = _encode(
        BattleRequest(
            match_id=match_id,
            game_mode=mode.name,
            player1=everybody[0] if duel else None,
            player2=everybody[1] if duel else None,
            teams=None if duel else sides,
            handoff=mode.handoff.value,
            epoch=epoch,
            claim_within_seconds=claim_within_seconds if claimed else 0.0,
            lease_seconds=mode.claim_lease.total_seconds() if claimed else 0.0,
            durability=durability if claimed else "none",
            traceparent=traceparent,
        )
    )
    return tuple(text.decode().split(_SLOT))


def filled_in(pieces: Sequence[str], metadata: Iterable[str]) -> str:
    """A battle request from its pieces and the metadata of its players."""
    first, *rest = pieces
    return "".join((first, *(text for pair in zip(metadata, rest, strict=True) for text in pair)))


def _players(team: Iterable[Ticket]) -> tuple[BattlePlayer, ...]:
    return tuple(
        [
            BattlePlayer(ticket.player_id, int(ticket.enqueued_at), ticket.pod_id, _slot)
            for ticket in team
        ]
    )
