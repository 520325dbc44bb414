"""The messages about a match: its offer to all pods, and `MatchFound` to its players' pods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType

import msgspec

from matchkeeper.domain.match import Proposal, Seat, Seating, seats_of
from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.domain.ticket import Ticket
from matchkeeper.wire.answers import (
    MOST_NAMED,
    Answer,
    BattlePlayer,
    BattleRequest,
    MatchFound,
)

_encode = msgspec.json.Encoder().encode


def match_found(proposal: Proposal, mode: GameMode, match_id: str) -> list[tuple[str, str]]:
    """One (pod_id, payload) for each player of the match."""
    seating = proposal.seating
    teams = seats_of(proposal.teams, mode.teams, seating)
    everybody = list(chain.from_iterable(teams))
    named = parties = roles = None
    if len(everybody) <= MOST_NAMED:
        named = tuple([tuple([seat.player_id for seat in team]) for team in teams])
        parties = {
            each.ticket_id: tuple([one.player_id for one in each.members])
            for each in proposal.tickets
            if each.is_party
        } or None
        roles = {each.player_id: each.role for each in everybody if each.role} or None
    notices = []
    for number, team in enumerate(teams):
        for seat in team:
            found = MatchFound(
                opponent_id=_other(everybody, seat) if len(everybody) == 2 else None,
                match_id=match_id,
                game_mode=mode.name,
                team=number,
                teams=named,
                parties=parties,
                team_names=None if seating is None else seating.names,
                region=None if seating is None else seating.region,
                role=seat.role,
                roles=roles,
                claimed_by=None,
            )
            answer = Answer(seat.player_id, {"MatchFound": found}, seat.party_id)
            notices.append((seat.pod_id, _encode(answer).decode()))
    return notices


def _other(both: Sequence[Seat], seat: Seat) -> str:
    return next(each.player_id for each in both if each is not seat)


_SLOT = b"\x00"
"""Stands for metadata; JSON text holds no such character."""
_slot = msgspec.Raw(_SLOT)


def battle_request(
    teams: Sequence[Sequence[Ticket]],
    mode: GameMode,
    *,
    match_id: str,
    epoch: int,
    claim_within_seconds: float,
    traceparent: str = "",
    of_parties: Mapping[str, Sequence[bytes]] = MappingProxyType({}),
    seating: Seating | None = None,
) -> tuple[str, ...]:
    """The offer of a match, in pieces. The metadata of the next ticket, team after team, belongs
    between two pieces; that of a party stands in the pieces, so nothing does. Two players stand in
    `player1` and `player2`, more in `teams`. `of_parties`: ticket id -> JSON of each player.
    """
    sides = _sides(seats_of(teams, mode.teams, seating), of_parties)
    everybody = tuple(chain.from_iterable(sides))
    duel, claimed = len(everybody) == 2, mode.handoff is Handoff.CLAIM
    text = _encode(
        BattleRequest(
            match_id=match_id,
            game_mode=mode.name,
            player1=everybody[0] if duel else None,
            player2=everybody[1] if duel else None,
            teams=None if duel else sides,
            team_names=None if seating is None else seating.names,
            region=None if seating is None else seating.region,
            handoff=mode.handoff.value,
            epoch=epoch,
            claim_within_seconds=claim_within_seconds if claimed else 0.0,
            lease_seconds=mode.claim_lease.total_seconds() if claimed else 0.0,
            traceparent=traceparent,
        )
    )
    return tuple(text.decode().split(_SLOT.decode()))


def filled_in(pieces: Sequence[str], metadata: Iterable[str]) -> str:
    """A battle request from its pieces and the metadata of its tickets."""
    first, *rest = pieces
    return "".join((first, *(text for pair in zip(metadata, rest, strict=True) for text in pair)))


def _sides(
    teams: Sequence[Sequence[Seat]], of_parties: Mapping[str, Sequence[bytes]]
) -> tuple[tuple[BattlePlayer, ...], ...]:
    left = {ticket_id: len(texts) for ticket_id, texts in of_parties.items()}

    def metadata(seat: Seat) -> msgspec.Raw:
        party_id = seat.party_id
        if party_id is None:
            return _slot
        members = [each.player_id for each in seat.ticket.members]
        text = of_parties[party_id][members.index(seat.player_id)]
        left[party_id] -= 1
        # Behind its last player a party has a place between two pieces, as every ticket has.
        return msgspec.Raw(text if left[party_id] else text + _SLOT)

    return tuple(
        [
            tuple(
                [
                    BattlePlayer(
                        seat.player_id,
                        int(seat.ticket.enqueued_at),
                        seat.pod_id,
                        metadata(seat),
                        seat.party_id,
                        seat.role,
                    )
                    for seat in team
                ]
            )
            for team in teams
        ]
    )
