"""Players who come together: as a request names them, and as their ticket stands in Redis.

That is `{"pod_id":…,"players":[{"player_id","metadata","pod_id"},…]}`, where the first `pod_id` is
that of players who have none of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.party import mean_rating, misfit
from matchkeeper.domain.ticket import Member, Poison, Ticket, Traits, Values
from matchkeeper.wire.attributes import values_in
from matchkeeper.wire.limits import decoded, id_problem
from matchkeeper.wire.metadata_text import (
    BadMetadataError,
    check_size,
    normalised,
    rating_of,
)

MOST_PLAYERS = 100
"""A party has no more players, however many a match has: all of them are told, one by one."""


class PartyPlayer(msgspec.Struct, frozen=True):
    """A player of a party."""

    player_id: str
    metadata: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"{}"))
    """An object, or a string that holds one."""
    pod_id: str | None = None
    """The pod that is told about this player. Absent: that of the party."""


class _Stored(msgspec.Struct):
    players: list[PartyPlayer]
    pod_id: str | None = None


class _Anybody(msgspec.Struct):
    players: Any = None
    pod_id: Any = None


class _Told(msgspec.Struct, omit_defaults=True):
    """A player as the ticket has it."""

    player_id: str
    metadata: msgspec.Raw
    pod_id: str | None = None


class _Ticket(msgspec.Struct):
    pod_id: str | None
    players: list[_Told]


class PartyMember(msgspec.Struct, frozen=True, gc=False):
    """A player of a party, all checked."""

    player_id: str
    pod_id: str
    metadata: bytes
    """A JSON object."""


_stored = msgspec.json.Decoder(_Stored)
_anybody = msgspec.json.Decoder(_Anybody)
_mmr = msgspec.json.Decoder(dict[str, msgspec.Raw])
_anything = msgspec.json.Decoder()
_encode = msgspec.json.Encoder().encode


def checked(
    party_id: str, players: Sequence[PartyPlayer], pod_id: str | None
) -> tuple[PartyMember, ...]:
    """The players of a party. Raises BadMetadataError, which names the player who is wrong."""
    if not players:
        raise BadMetadataError("The party has no players", Poison.INVALID_PARTY)
    if len(players) > MOST_PLAYERS:
        text = f"The party has {len(players)} players, {MOST_PLAYERS} are allowed"
        raise BadMetadataError(text, Poison.INVALID_PARTY)
    members: dict[str, PartyMember] = {}
    for place, player in enumerate(players, start=1):
        member = _checked(player, place, pod_id)
        if member.player_id in members:
            text = f"player {member.player_id} is in the party twice"
            raise BadMetadataError(text, Poison.INVALID_PARTY, member.player_id)
        if member.player_id == party_id:
            text = f"player {party_id} has the id of the party: players and parties share their ids"
            raise BadMetadataError(text, Poison.INVALID_PARTY, party_id)
        members[member.player_id] = member
    return tuple(members.values())


def _checked(player: PartyPlayer, place: int, pod_id: str | None) -> PartyMember:
    if problem := id_problem("player_id", player.player_id):
        text = f"player {place} of the party: {problem}"
        raise BadMetadataError(text, Poison.INVALID_PLAYER_ID)
    its_pod = pod_id if player.pod_id is None else player.pod_id
    try:
        if its_pod is None:
            raise BadMetadataError("pod_id not found", Poison.POD_ID_NOT_FOUND)
        if problem := id_problem("pod_id", its_pod):
            raise BadMetadataError(problem, Poison.INVALID_POD_ID)
        metadata = _encode(normalised(bytes(player.metadata)))
    except BadMetadataError as error:
        raise error.of_player(player.player_id) from None
    return PartyMember(player.player_id, its_pod, metadata)


def text_of(members: Sequence[PartyMember], pod_id: str | None) -> str:
    """A party as its ticket stands in Redis."""
    return _encode(
        _Ticket(
            pod_id,
            [
                _Told(
                    each.player_id,
                    msgspec.Raw(each.metadata),
                    None if each.pod_id == pod_id else each.pod_id,
                )
                for each in members
            ],
        )
    ).decode()


def members_of_text(party_id: str, raw: bytes) -> tuple[PartyMember, ...]:
    """The players of a party that stands in Redis. Raises BadMetadataError."""
    try:
        party = decoded(_stored, raw)
    except msgspec.DecodeError as error:
        raise BadMetadataError(f"No party: {error}", Poison.INVALID_PARTY) from None
    return checked(party_id, party.players, party.pod_id)


def seats_in(ticket: Ticket, raw: bytes) -> list[bytes]:
    """The metadata of each player of a party, for its offer. `raw` is the ticket's text, which was
    found good before; where it is not any more, players have none.
    """
    try:
        found = {each.player_id: each.metadata for each in members_of_text(ticket.ticket_id, raw)}
    except BadMetadataError:
        found = {}
    return [found.get(each.player_id, b"{}") for each in ticket.members]


def traits_of_party(members: Sequence[PartyMember], mode: GameMode) -> Traits:
    """What strategies read of a party. Its rating is the mean; None where nobody has one, or the
    mode uses none.

    Raises BadMetadataError where the party is too large for the mode, or one of the players has
    metadata that the mode does not take.
    """
    if why := misfit(len(members), mode):
        raise BadMetadataError(why, Poison.PARTY_DOES_NOT_FIT)
    found = [_of_member(each, mode) for each in members]
    ratings, rating = [each for each, _ in found], None
    if mode.rating is not None and any(each is not None for each in ratings):
        rating = mean_rating(ratings, mode.rating)
    return Traits(rating, tuple([each for _, each in found]) if mode.attributes else ())


def _of_member(member: PartyMember, mode: GameMode) -> tuple[float | None, Values]:
    """The rating and the attributes of a player."""
    try:
        check_size(member.metadata, mode)
        mmr = _mmr.decode(member.metadata).get("mmr") if mode.rating is not None else None
        rating = None if mmr is None else rating_of(_anything.decode(mmr))
        return rating, values_in(member.metadata, mode)
    except BadMetadataError as error:
        raise error.of_player(member.player_id) from None


def readable_members(raw: bytes) -> tuple[Member, ...]:
    """The players of a party whom news can reach, even if others of them cannot be read."""
    try:
        party = decoded(_anybody, raw)
    except msgspec.DecodeError:
        return ()
    players = party.players if isinstance(party.players, list) else []
    found = []
    for each in players[:MOST_PLAYERS]:
        player = each if isinstance(each, dict) else {}
        player_id, pod_id = player.get("player_id"), player.get("pod_id") or party.pod_id
        if id_problem("player_id", player_id) is None and id_problem("pod_id", pod_id) is None:
            found.append(Member(str(player_id), str(pod_id)))
    return tuple(found)
