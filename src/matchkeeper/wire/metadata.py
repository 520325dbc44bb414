"""Metadata travels with a ticket. It is checked on arrival and again when the queue is read."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Member, Poison, PoisonedTicket, Ticket, Traits
from matchkeeper.wire.attributes import values_in
from matchkeeper.wire.limits import MAX_METADATA_BYTES, id_problem
from matchkeeper.wire.metadata_text import (
    BadMetadataError,
    check_size,
    normalised,
    rating_of,
    readable,
)
from matchkeeper.wire.parties import members_of_text, readable_members, traits_of_party


class _Known(msgspec.Struct):
    """The fields Matchkeeper itself reads; all others pass through."""

    pod_id: Any = None
    mmr: Any = None
    players: Any = msgspec.UNSET
    """What has this key is a party."""


_known = msgspec.json.Decoder(_Known)
_encode = msgspec.json.Encoder().encode
_LATEST_SCORE = 2.0**53
"""Seconds; the wire promises whole numbers, and a float holds them up to here."""


def normalise(raw: bytes, pod_id: str) -> str:
    """The metadata of a request as it is stored: one JSON object, with the pod in it.

    `raw` is JSON: an object, a string that holds one, or null for none.
    Raises BadMetadataError.
    """
    fields = normalised(raw)
    if "players" in fields:
        text = "metadata has the key players: in Redis that is a party"
        raise BadMetadataError(text, Poison.INVALID_PARTY)
    fields["pod_id"] = msgspec.Raw(_encode(pod_id))
    return _encode(fields).decode()


def traits_in(metadata: str, mode: GameMode) -> Traits:
    """What strategies read in the normalised metadata of a player who comes alone.

    Raises BadMetadataError where a ticket with this metadata would be poisoned in `mode`.
    """
    raw = metadata.encode()
    return _traits(raw, None if mode.rating is None else _known.decode(raw).mmr, mode)


def _traits(raw: bytes, mmr: object, mode: GameMode) -> Traits:
    check_size(raw, mode)
    rating = None if mode.rating is None else rating_of(mmr)
    return Traits(rating, (values_in(raw, mode),) if mode.attributes else ())


def read_ticket(
    ticket_id: str, enqueued_at: float, raw: bytes, mode: GameMode, *, hand_made: bool = False
) -> Ticket | PoisonedTicket:
    """The ticket that stands in Redis, or the reason why it cannot be used."""
    members: tuple[Member, ...] = ()
    try:
        if problem := id_problem("player_id", ticket_id):
            raise BadMetadataError(problem, Poison.INVALID_PLAYER_ID)
        if not abs(enqueued_at) <= _LATEST_SCORE:
            raise BadMetadataError("score is no enqueue time", Poison.INVALID_SCORE)
        known = _parse(raw)
        if known.players is msgspec.UNSET:
            members = _alone(ticket_id, known)
            traits = _traits(raw, known.mmr, mode)
        else:
            members = readable_members(raw)
            party = members_of_text(ticket_id, raw)
            members = tuple([Member(each.player_id, each.pod_id) for each in party])
            traits = traits_of_party(party, mode)
    except BadMetadataError as error:
        return PoisonedTicket(
            ticket_id=ticket_id,
            enqueued_at=enqueued_at,
            raw_metadata=raw.decode("utf-8", "replace"),
            reason=str(error),
            kind=error.kind,
            members=members,
            hand_made=hand_made,
        )
    return Ticket(
        ticket_id=ticket_id,
        members=members,
        enqueued_at=enqueued_at,
        metadata_sum=metadata_sum(raw),
        rating=traits.rating,
        values=traits.values,
        hand_made=hand_made,
    )


def _alone(player_id: str, known: _Known) -> tuple[Member, ...]:
    if known.pod_id is None:
        raise BadMetadataError("pod_id not found", Poison.POD_ID_NOT_FOUND)
    if problem := id_problem("pod_id", known.pod_id):
        raise BadMetadataError(problem, Poison.INVALID_POD_ID)
    return (Member(player_id, known.pod_id),)


def metadata_sum(raw: bytes) -> str:
    """The first 16 digits of the SHA-1 of metadata: the commit script compares them."""
    return hashlib.sha1(raw, usedforsecurity=False).hexdigest()[:16]


def _parse(raw: bytes) -> _Known:
    if len(raw) > MAX_METADATA_BYTES:
        text = f"metadata has more than {MAX_METADATA_BYTES} bytes"
        raise BadMetadataError(text, Poison.METADATA_TOO_LARGE)
    try:
        readable(raw)
    except msgspec.DecodeError as error:
        raise BadMetadataError(f"Invalid JSON: {error}", Poison.INVALID_JSON) from None
    try:
        return _known.decode(raw)
    except msgspec.ValidationError:
        raise BadMetadataError("metadata is not a JSON object", Poison.NOT_AN_OBJECT) from None


def members_in(ticket_id: str, raw: bytes) -> tuple[Member, ...]:
    """The players to tell of a ticket with this metadata; empty where it cannot be read."""
    try:
        known = _parse(raw)
        if known.players is not msgspec.UNSET:
            return readable_members(raw)
        return _alone(ticket_id, known)
    except BadMetadataError:
        return ()
