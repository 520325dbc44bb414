"""The metadata of one player, as text from outside: what is wrong with it, and what it says."""

from __future__ import annotations

import math
import re

import msgspec

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Poison
from matchkeeper.wire.codes import ErrorCode
from matchkeeper.wire.limits import decoded
from matchkeeper.wire.salvage import complaint

_CODES = {
    Poison.METADATA_TOO_LARGE: ErrorCode.METADATA_TOO_LARGE,
    Poison.INVALID_PLAYER_ID: ErrorCode.INVALID_PLAYER_ID,
    Poison.INVALID_POD_ID: ErrorCode.INVALID_POD_ID,
    Poison.POD_ID_NOT_FOUND: ErrorCode.INVALID_POD_ID,
    Poison.INVALID_PARTY: ErrorCode.INVALID_PARTY,
    Poison.PARTY_DOES_NOT_FIT: ErrorCode.PARTY_DOES_NOT_FIT,
    Poison.MISSING_ATTRIBUTE: ErrorCode.MISSING_ATTRIBUTE,
    Poison.INVALID_ATTRIBUTE: ErrorCode.INVALID_ATTRIBUTE,
}


class BadMetadataError(ValueError):
    """The sentence says what is wrong with the metadata. `kind` is the kind of fault."""

    def __init__(self, message: str, kind: Poison, player_id: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.player_id = player_id
        """The player of a party with whom something is wrong; empty where it is nobody of them."""

    @property
    def code(self) -> ErrorCode:
        """The code for the sender."""
        return _CODES.get(self.kind, ErrorCode.INVALID_METADATA)

    def of_player(self, player_id: str) -> BadMetadataError:
        """The same, about a player of a party."""
        return BadMetadataError(f"player {player_id}: {self}", self.kind, player_id)


_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_anything = msgspec.json.Decoder()
_LONG_NUMBER = re.compile(rb"[0-9]{300}")


def normalised(raw: bytes) -> dict[str, msgspec.Raw]:
    """The fields of metadata in a request.

    `raw` is JSON: an object, a string that holds one, or null for none.
    Raises BadMetadataError.
    """
    try:
        if raw.startswith(b'"'):
            raw = msgspec.json.decode(raw, type=str).encode()
        if raw in (b"", b"null"):
            raw = b"{}"
        readable(raw)
        return _fields.decode(raw)
    except (msgspec.DecodeError, UnicodeError) as error:
        why = complaint(raw, error)
        text = f"metadata is not a JSON object: {why}"
        raise BadMetadataError(text, Poison.NOT_AN_OBJECT) from None


def readable(raw: bytes) -> None:
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


def check_size(raw: bytes, mode: GameMode) -> None:
    """Raises BadMetadataError where one player of the mode may not have so much."""
    if len(raw) > mode.max_metadata_bytes:
        text = (
            f"metadata has {len(raw)} bytes with its pod_id, {mode.max_metadata_bytes} are allowed "
            f"for each of the {mode.most_players} players of {mode.name}"
        )
        raise BadMetadataError(text, Poison.METADATA_TOO_LARGE)
