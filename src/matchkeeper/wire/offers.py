"""The messages about a match: its offer to all pods, and `MatchFound` to its players' pods."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.domain.ticket import Member, Ticket, members_of
from matchkeeper.wire.answers import Answer, BattlePlayer, BattleRequest, MatchFound

_encode = msgspec.json.Encoder().encode


def match_found(proposal: Proposal, mode: GameMode, match_id: str) -> list[tuple[str, str]]:
    """One (pod_id, payload) for each player of the match."""
    teams = [members_of(team) for team in proposal.teams]
    players = tuple([member.player_id for team in teams for member in team])
    notices = []
    for team in teams:
        for member in team:
            found = MatchFound(
                opponent_id=_opponent(teams, team, member),
                match_id=match_id,
                game_mode=mode.name,
                player_ids=players,
            )
            notices.append(
                (member.pod_id, _encode(Answer(member.player_id, {"MatchFound": found})).decode())
            )
    return notices


def _opponent(teams: Sequence[list[Member]], team: list[Member], member: Member) -> str:
    """The first player of another team; in a mode of one team, the first other player."""
    for other in teams:
        if other is not team:
            return other[0].player_id
    return next(each.player_id for each in team if each is not member)


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
    """The offer of a match, in pieces. The metadata of the next player, team after team, belongs
    between two pieces. Two players stand in `player1` and `player2`, more in `teams`.
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
            BattlePlayer(member.player_id, int(ticket.enqueued_at), member.pod_id, _slot)
            for ticket in team
            for member in ticket.members
        ]
    )
