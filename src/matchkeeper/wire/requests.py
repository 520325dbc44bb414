"""Decodes enqueues and dequeues, and checks every limit before anything else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from matchkeeper.domain.realm import folded
from matchkeeper.domain.ticket import Member, Poison
from matchkeeper.wire.codes import ErrorCode, WireError
from matchkeeper.wire.limits import (
    MAX_DEPTH,
    MAX_METADATA_BYTES,
    are_ids,
    id_problem,
    printable,
    too_deep,
)
from matchkeeper.wire.metadata import normalise
from matchkeeper.wire.metadata_text import BadMetadataError
from matchkeeper.wire.parties import PartyPlayer, checked, readable_members, text_of
from matchkeeper.wire.salvage import complaint, ids_in
from matchkeeper.wire.trace_context import traceparent_of

_ABSENT = msgspec.Raw(b"")
_EntryId = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,15}-[0-9]{1,20}$(?!\n)")]
"""`$` alone also matches before a line break at the end: scripts could not read that."""


class RequestKind(StrEnum):
    """What a game server can ask."""

    ENQUEUE = "enqueue"
    DEQUEUE = "dequeue"


class EnqueueRequest(msgspec.Struct, frozen=True):
    """`match:enqueue:request`: put a player into the queue of a mode."""

    player_id: str
    game_mode: str
    pod_id: str
    metadata: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"{}"))
    """An object, or a string that holds one."""
    request_id: str | None = None
    """Two messages with the same id are one request, however far apart."""
    traceparent: msgspec.Raw = msgspec.field(default_factory=lambda: _ABSENT)
    """W3C Trace Context of the sender. Raw, since an invalid one is ignored."""
    repeats: _EntryId | None = None
    """Sent again: the id that the stream gave to the same request the first time."""
    party_id: None = None
    """A party is asked for with `PartyRequest`."""


class PartyRequest(msgspec.Struct, frozen=True):
    """`match:enqueue:request`: put players who stay together into the queue of a mode."""

    party_id: str
    """No player may have the same id."""
    players: list[PartyPlayer]
    game_mode: str
    pod_id: str | None = None
    """The pod of players who name none of their own."""
    request_id: str | None = None
    traceparent: msgspec.Raw = msgspec.field(default_factory=lambda: _ABSENT)
    repeats: _EntryId | None = None
    player_id: None = None
    """A player who comes alone is asked for with `EnqueueRequest`."""


class DequeueRequest(msgspec.Struct, frozen=True):
    """`match:dequeue:request`: take a player out of the queue of a mode, and so the party that the
    player is in.
    """

    player_id: str
    game_mode: str
    pod_id: str | None = None
    """The pod to tell where the player is in no queue. Else the pod that enqueued is told."""
    request_id: str | None = None
    repeats: _EntryId | None = None
    """Sent again: the id that the stream gave to the same request the first time."""
    party_id: None = None


class PartyDequeueRequest(msgspec.Struct, frozen=True):
    """`match:dequeue:request`: take a party out of the queue of a mode."""

    party_id: str
    game_mode: str
    pod_id: str | None = None
    """The pod to tell where the party is in no queue."""
    request_id: str | None = None
    repeats: _EntryId | None = None
    player_id: None = None


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A checked request. `metadata` is normalised JSON text; empty for a dequeue."""

    kind: RequestKind
    player_id: str
    """The player; the id of the party where the request is about one."""
    game_mode: str
    """The game mode as it was written."""
    pod_id: str | None
    metadata: str
    fingerprint: str = ""
    """The same for the same request sent again; empty where the sender gave it no id."""
    traceparent: str = ""
    """The traceparent of the sender's trace; empty where there is none."""
    repeats: str = ""
    """Entry id of the same request when it was first sent; empty where this is the first."""
    by_party: bool = False
    """It names a party, not a player."""
    party: tuple[Member, ...] = ()
    """The players of the party, in an enqueue."""

    @property
    def ticket_id(self) -> str:
        """The ticket that it puts into the queue or takes out. A dequeue of a player also takes out
        the party that the player is in.
        """
        return self.player_id

    @property
    def party_id(self) -> str | None:
        """The party that it names."""
        return self.player_id if self.by_party else None

    @property
    def members(self) -> tuple[Member, ...]:
        """The players to tell; of a party that leaves they are not known."""
        return self.party or (Member(self.player_id, self.pod_id or ""),)


class _About(msgspec.Struct):
    party_id: Any = None


_about = msgspec.json.Decoder(_About)
_Message = EnqueueRequest | DequeueRequest | PartyRequest | PartyDequeueRequest
_alone: Mapping[RequestKind, msgspec.json.Decoder[EnqueueRequest | DequeueRequest]] = {
    RequestKind.ENQUEUE: msgspec.json.Decoder(EnqueueRequest),
    RequestKind.DEQUEUE: msgspec.json.Decoder(DequeueRequest),
}
_together: Mapping[RequestKind, msgspec.json.Decoder[PartyRequest | PartyDequeueRequest]] = {
    RequestKind.ENQUEUE: msgspec.json.Decoder(PartyRequest),
    RequestKind.DEQUEUE: msgspec.json.Decoder(PartyDequeueRequest),
}


_kinds: Mapping[str, RequestKind] = {each.value: each for each in RequestKind}


def kind_of(text: str, payload: bytes) -> RequestKind:
    """The `kind` of a stream entry, in upper or lower case; `payload` is its `body`.

    Raises WireError, which names player and pod as far as they can be read.
    """
    kind = _kinds.get(text.strip().lower())
    if kind is None:
        known = f"{', '.join(RequestKind)} or handoff"
        why = f"kind is {printable(text[:64])!r}; write {known}"
        raise _refusal(ErrorCode.INVALID_MESSAGE_FORMAT, why, payload)
    return kind


def decode(kind: RequestKind, payload: bytes, *, max_bytes: int) -> Request:
    """A request from its wire text. Raises WireError with a code and, where known, the pod."""
    if len(payload) > max_bytes:
        why = f"{len(payload)} bytes, {max_bytes} are allowed"
        raise _refusal(ErrorCode.MESSAGE_TOO_LARGE, why, payload)
    if too_deep(payload):
        why = f"nested deeper than {MAX_DEPTH} levels"
        raise _refusal(ErrorCode.MESSAGE_TOO_DEEP, why, payload)
    message = _parse(kind, payload)
    _check_ids(message)
    metadata = traceparent = ""
    party: tuple[Member, ...] = ()
    try:
        if isinstance(message, EnqueueRequest):
            metadata = normalise(bytes(message.metadata), message.pod_id)
        elif isinstance(message, PartyRequest):
            metadata, party = _party(message)
    except BadMetadataError as error:
        raise WireError(
            error.code,
            str(error),
            player_id=_subject(message),
            pod_id=message.pod_id,
            game_mode=message.game_mode,
            party=readable_members(payload) if isinstance(message, PartyRequest) else (),
            because_of=error.player_id,
        ) from None
    if isinstance(message, EnqueueRequest | PartyRequest):
        traceparent = traceparent_of(bytes(message.traceparent))
    return Request(
        kind=kind,
        player_id=_subject(message),
        game_mode=message.game_mode,
        pod_id=message.pod_id,
        metadata=metadata,
        fingerprint=_fingerprint_of(kind, message),
        traceparent=traceparent,
        repeats=message.repeats or "",
        by_party=message.party_id is not None,
        party=party,
    )


def _party(message: PartyRequest) -> tuple[str, tuple[Member, ...]]:
    """Its text in Redis, and its players. Raises BadMetadataError."""
    members = checked(message.party_id, message.players, message.pod_id)
    metadata = text_of(members, message.pod_id)
    if len(metadata) > MAX_METADATA_BYTES:
        text = f"A party has more than {MAX_METADATA_BYTES} bytes"
        raise BadMetadataError(text, Poison.METADATA_TOO_LARGE)
    return metadata, tuple([Member(each.player_id, each.pod_id) for each in members])


def fingerprint(kind: RequestKind, request_id: str, player_id: str, game_mode: str) -> str:
    """Names the request in Redis: 16 bytes as hex."""
    # An id is only as unique as its sender; player, mode and kind keep two senders apart.
    text = f"{request_id}\n{player_id}\n{folded(game_mode)}".encode()
    return hashlib.blake2b(text, digest_size=16, person=kind.encode()).hexdigest()


def _subject(message: _Message) -> str:
    """The player or the party that it is about."""
    return message.party_id or message.player_id or ""


def _fingerprint_of(kind: RequestKind, message: _Message) -> str:
    if message.request_id is None:
        return ""
    return fingerprint(kind, message.request_id, _subject(message), message.game_mode)


def _parse(kind: RequestKind, payload: bytes) -> _Message:
    try:
        payload.decode()  # Raw fields are not checked by the decoder
        decoder = _together[kind] if _names_party(payload) else _alone[kind]
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        why = f"The message is no request: {complaint(payload, error)}"
        raise _refusal(ErrorCode.INVALID_MESSAGE_FORMAT, why, payload) from None


def _names_party(payload: bytes) -> bool:
    """Whether a message is about a party. Those that are not are not parsed for it."""
    if b'"party_id"' not in payload:
        return False
    found = _about.decode(payload)
    return found.party_id is not None


def _refusal(code: ErrorCode, message: str, payload: bytes) -> WireError:
    ids = ids_in(payload)
    return WireError(
        code,
        message,
        player_id=ids.get("player_id") or ids.get("party_id", ""),
        pod_id=ids.get("pod_id"),
        game_mode=ids.get("game_mode", ""),
    )


def _check_ids(message: _Message) -> None:
    player_id, pod_id, request_id = _subject(message), message.pod_id, message.request_id
    if are_ids(player_id, *(each for each in (pod_id, request_id) if each is not None)):
        return
    name = "player_id" if message.party_id is None else "party_id"
    player_problem = id_problem(name, player_id)
    pod_problem = None if pod_id is None else id_problem("pod_id", pod_id)
    request_problem = None if request_id is None else id_problem("request_id", request_id)
    for code, problem in (
        (ErrorCode.INVALID_PLAYER_ID, player_problem),
        (ErrorCode.INVALID_POD_ID, pod_problem),
        (ErrorCode.INVALID_MESSAGE_FORMAT, request_problem),
    ):
        if problem is not None:
            raise WireError(
                code,
                problem,
                player_id="" if player_problem else player_id,
                pod_id=None if pod_problem else pod_id,
                game_mode=message.game_mode,
            )
