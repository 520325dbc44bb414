"""Metadata travels with a ticket. It is checked on arrival and again when the queue is read."""

from __future__ import annotations

import hashlib
import math
import re
from typing import Any

import msgspec

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Member, Poison, PoisonedTicket, Ticket
from matchkeeper.wire.codes import ErrorCode
from matchkeeper.wire.limits import MAX_METADATA_BYTES, decoded, id_problem
from matchkeeper.wire.salvage import complaint


class BadMetadataError(ValueError):
    """The sentence says what is wrong with the metadata. `kind` is the kind of fault."""

    def __init__(self, message: str, kind: Poison) -> None:
        super().__init__(message)
        self.kind = kind

    @property
    def code(self) -> ErrorCode:
        """The code for the sender."""
        if self.kind is Poison.METADATA_TOO_LARGE:
            return ErrorCode.METADATA_TOO_LARGE
        return ErrorCode.INVALID_METADATA


class _Known(msgspec.Struct):
    """The fields Matchkeeper itself reads; all others pass through."""

    pod_id: Any = None
    mmr: Any = None


_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_known = msgspec.json.Decoder(_Known)
_anything = msgspec.json.Decoder()
_encode = msgspec.json.Encoder().encode
_LONG_NUMBER = re.compile(rb"[0-9]{300}")
_LATEST_SCORE = 2.0**53
"""Seconds; the wire promises whole numbers, and a float holds them up to here."""


def normalise(raw: bytes, pod_id: str) -> str:
    """The metadata of a request as it is stored: one JSON object, with the pod in it.

    `raw` is JSON: an object, a string that holds one, or null for none.
    Raises BadMetadataError.
    """
    try:
        if raw.startswith(b'"'):
            raw = msgspec.json.decode(raw, type=str).encode()
        if raw in (b"", b"null"):
            raw = b"{}"
        _readable(raw)
        fields = _fields.decode(raw)
    except (msgspec.DecodeError, UnicodeError) as error:
        why = complaint(raw, error)
        text = f"metadata is not a JSON object: {why}"
        raise BadMetadataError(text, Poison.NOT_AN_OBJECT) from None
    fields["pod_id"] = msgspec.Raw(_encode(pod_id))
    return _encode(fields).decode()


def _readable(raw: bytes) -> None:
    """Raises DecodeError where a game server could not read the metadata. This check is needed
    since the decoder of known fields skips the values of all others.
    """
    value = decoded(_anything, raw)
    if _LONG_NUMBER.search(raw) and not _finite(value):
        raise msgspec.DecodeError("Number out of range")


def _finite(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list):
        return all(map(_finite, value))
    try:
        return not isinstance(value, int) or math.isfinite(float(value))
    except OverflowError:
        return False


def rating_of(mmr: object) -> float | None:
    """The rating that the `mmr` field gives. Raises BadMetadataError when it is no number."""
    if mmr is None:
        return None
    if isinstance(mmr, bool) or not isinstance(mmr, (int, float)):
        text = f"mmr is not a number but {type(mmr).__name__}"
        raise BadMetadataError(text, Poison.INVALID_MMR)
    try:
        rating = float(mmr)
    except OverflowError:
        rating = math.inf
    if not math.isfinite(rating):
        raise BadMetadataError("mmr is out of range", Poison.INVALID_MMR)
    return rating


def rating_in(metadata: str, mode: GameMode) -> float | None:
    """The rating in normalised metadata, where the mode uses ratings.

    Raises BadMetadataError where a ticket with this metadata would be poisoned in `mode`.
    """
    _check_size(metadata.encode(), mode)
    return None if mode.rating is None else rating_of(_known.decode(metadata).mmr)


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
        if known.pod_id is None:
            raise BadMetadataError("pod_id not found", Poison.POD_ID_NOT_FOUND)
        if problem := id_problem("pod_id", known.pod_id):
            raise BadMetadataError(problem, Poison.INVALID_POD_ID)
        members = (Member(ticket_id, known.pod_id),)
        _check_size(raw, mode)
        rating = rating_of(known.mmr) if mode.rating is not None else None
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
        rating=rating,
        hand_made=hand_made,
    )


def _check_size(raw: bytes, mode: GameMode) -> None:
    if len(raw) > mode.max_metadata_bytes:
        text = (
            f"metadata has {len(raw)} bytes with its pod_id, {mode.max_metadata_bytes} are allowed "
            f"for each of the {mode.required_players} players of {mode.name}"
        )
        raise BadMetadataError(text, Poison.METADATA_TOO_LARGE)


def metadata_sum(raw: bytes) -> str:
    """The first 16 digits of the SHA-1 of metadata: the commit script compares them."""
    return hashlib.sha1(raw, usedforsecurity=False).hexdigest()[:16]


def _parse(raw: bytes) -> _Known:
    if len(raw) > MAX_METADATA_BYTES:
        text = f"metadata has more than {MAX_METADATA_BYTES} bytes"
        raise BadMetadataError(text, Poison.METADATA_TOO_LARGE)
    try:
        _readable(raw)
    except msgspec.DecodeError as error:
        raise BadMetadataError(f"Invalid JSON: {error}", Poison.INVALID_JSON) from None
    try:
        return _known.decode(raw)
    except msgspec.ValidationError:
        raise BadMetadataError("metadata is not a JSON object", Poison.NOT_AN_OBJECT) from None


def members_in(ticket_id: str, raw: bytes) -> tuple[Member, ...]:
    """The players to tell of a ticket with this metadata; empty where it cannot be read."""
    try:
        pod_id = _parse(raw).pod_id
    except BadMetadataError:
        return ()
    return () if id_problem("pod_id", pod_id) else (Member(ticket_id, str(pod_id)),)
