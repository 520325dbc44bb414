"""Decodes enqueues and dequeues, and checks every limit before anything else."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated

import msgspec

from matchkeeper.domain.realm import folded
from matchkeeper.wire.codes import ErrorCode, WireError
from matchkeeper.wire.limits import MAX_DEPTH, id_problem, printable, too_deep
from matchkeeper.wire.metadata import BadMetadataError, normalise
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


class DequeueRequest(msgspec.Struct, frozen=True):
    """`match:dequeue:request`: take a player out of the queue of a mode."""

    player_id: str
    game_mode: str
    pod_id: str | None = None
    """The pod to tell where the player is in no queue. Else the pod that enqueued is told."""
    request_id: str | None = None
    repeats: _EntryId | None = None
    """Sent again: the id that the stream gave to the same request the first time."""


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A checked request. `metadata` is normalised JSON text; empty for a dequeue."""

    kind: RequestKind
    player_id: str
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

    @property
    def ticket_id(self) -> str:
        """The ticket that it puts into the queue or takes out: its id is the player's."""
        return self.player_id


_enqueue = msgspec.json.Decoder(EnqueueRequest)
_dequeue = msgspec.json.Decoder(DequeueRequest)


def kind_of(text: str, payload: bytes) -> RequestKind:
    """The `kind` of a stream entry, in upper or lower case; `payload` is its `body`.

    Raises WireError, which names player and pod as far as they can be read.
    """
    try:
        return RequestKind(text.strip().lower())
    except ValueError:
        known = " or ".join(RequestKind)
        why = f"kind is {printable(text[:64])!r}; write {known}"
        raise _refusal(ErrorCode.INVALID_MESSAGE_FORMAT, why, payload) from None


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
    if isinstance(message, EnqueueRequest):
        traceparent = traceparent_of(bytes(message.traceparent))
        try:
            metadata = normalise(bytes(message.metadata), message.pod_id)
        except BadMetadataError as error:
            raise WireError(
                ErrorCode.INVALID_METADATA,
                str(error),
                player_id=message.player_id,
                pod_id=message.pod_id,
                game_mode=message.game_mode,
            ) from None
    return Request(
        kind=kind,
        player_id=message.player_id,
        game_mode=message.game_mode,
        pod_id=message.pod_id,
        metadata=metadata,
        fingerprint=_fingerprint_of(kind, message),
        traceparent=traceparent,
        repeats=message.repeats or "",
    )


def fingerprint(kind: RequestKind, request_id: str, player_id: str, game_mode: str) -> str:
    """Names the request in Redis: 16 bytes as hex."""
    # An id is only as unique as its sender; player, mode and kind keep two senders apart.
    text = f"{request_id}\n{player_id}\n{folded(game_mode)}".encode()
    return hashlib.blake2b(text, digest_size=16, person=kind.encode()).hexdigest()


def _fingerprint_of(kind: RequestKind, message: EnqueueRequest | DequeueRequest) -> str:
    if message.request_id is None:
        return ""
    return fingerprint(kind, message.request_id, message.player_id, message.game_mode)


def _parse(kind: RequestKind, payload: bytes) -> EnqueueRequest | DequeueRequest:
    decoder = _enqueue if kind is RequestKind.ENQUEUE else _dequeue
    try:
        payload.decode()  # Raw fields are not checked by the decoder
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        why = f"The message is no request: {complaint(payload, error)}"
        raise _refusal(ErrorCode.INVALID_MESSAGE_FORMAT, why, payload) from None


def _refusal(code: ErrorCode, message: str, payload: bytes) -> WireError:
    return WireError(code, message, **ids_in(payload))


def _check_ids(message: EnqueueRequest | DequeueRequest) -> None:
    player_id, pod_id, request_id = message.player_id, message.pod_id, message.request_id
    player_problem = id_problem("player_id", player_id)
    pod_problem = None if pod_id is None else id_problem("pod_id", pod_id)
    request_problem = None if request_id is None else id_problem("request_id", request_id)
    if not (player_problem or pod_problem or request_problem):
        return
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
