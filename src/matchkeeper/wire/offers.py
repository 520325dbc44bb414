"""The messages about a match: its offer to all pods, and `MatchFound` to its players' pods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from matchkeeper.domain.match import Seat, Seating
from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.wire.answers import MOST_NAMED, BattlePlayer, BattleRequest

_encode = msgspec.json.Encoder().encode
_DUEL = 2
"""Of two players each hears who the other is."""


class Found(NamedTuple):
    """`MatchFound` for all players of a match, in pieces: what all are told is sent and kept once.
    Scripts put the message together: `{"player_id":`, the player, what follows, what all are told,
    the pod that starts the match as JSON text, its assignment and secret, `}}}`.
    """

    common: str
    """What all are told, up to the pod that starts it."""
    players: tuple[tuple[str, str, str], ...]
    """For each player: where to tell it, the player as JSON text, and what follows."""


class _Common(msgspec.Struct, kw_only=True, omit_defaults=True):
    match_id: str
    game_mode: str
    teams: Sequence[Sequence[str]] | None = None
    parties: Mapping[str, Sequence[str]] | None = None
    team_names: Sequence[str] | None = None
    region: str | None = None
    roles: Mapping[str, str] | None = None
    claimed_by: None


def match_found(
    teams: Sequence[Sequence[Seat]],
    mode: GameMode,
    match_id: str,
    channel: Callable[[str], str],
    seating: Seating | None = None,
) -> Found:
    """What players hear of their match. `channel`: of a pod."""
    everybody = list(chain.from_iterable(teams))
    is_named = len(everybody) <= MOST_NAMED
    common = _Common(
        match_id=match_id,
        game_mode=mode.name,
        teams=[[seat.player_id for seat in team] for team in teams] if is_named else None,
        parties=(_parties(everybody) or None) if is_named else None,
        team_names=None if seating is None else seating.names,
        region=None if seating is None else seating.region,
        roles=(_roles(everybody) or None) if is_named and seating is not None else None,
        claimed_by=None,
    )
    names = [_text(seat.player_id) for seat in everybody]
    others = names[::-1] if len(names) == _DUEL else None
    players, nth = [], 0
    for number, team in enumerate(teams):
        for seat in team:
            party = seat.party_id
            mine = f',"party_id":{_text(party)}' if party is not None else ""
            other = f'"opponent_id":{others[nth]},' if others else ""
            role = f'"role":{_text(seat.role)},' if seat.role is not None else ""
            rest = f'{mine},"result_type":{{"MatchFound":{{{other}"team":{number},{role}'
            players.append((channel(seat.pod_id), names[nth], rest))
            nth += 1
    return Found(_encode(common).decode()[1 : -len("null}")], tuple(players))


def _parties(everybody: Sequence[Seat]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for seat in everybody:
        if (party := seat.party_id) is not None:
            found.setdefault(party, []).append(seat.player_id)
    return found


def _roles(everybody: Sequence[Seat]) -> dict[str, str]:
    return {seat.player_id: seat.role for seat in everybody if seat.role}


def _text(value: str) -> str:
    return _encode(value).decode()


_SLOT = b"\x00"
"""Stands for metadata; JSON text holds no such character."""
_slot = msgspec.Raw(_SLOT)


def battle_request(
    teams: Sequence[Sequence[Seat]],
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
    sides = _sides(teams, of_parties)
    everybody = tuple(chain.from_iterable(sides))
    duel, claimed = len(everybody) == _DUEL, mode.handoff is Handoff.CLAIM
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
