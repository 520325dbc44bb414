"""Decodes what game servers say of matches, and of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

import msgspec

from matchkeeper.wire.codes import ErrorCode, WireError
from matchkeeper.wire.handed import handoff_answer
from matchkeeper.wire.limits import MAX_DEPTH, are_ids, id_problem, printable, too_deep
from matchkeeper.wire.salvage import complaint, fields_in

HANDOFF = "handoff"
"""The kind of a stream entry with such a message; what it is about stands in the message."""
STATUS = "status"
"""The kind of a question where a player is."""
_MOST_EPOCHS = 2**31 - 1
_Epoch = Annotated[int, msgspec.Meta(ge=1, le=_MOST_EPOCHS)]
_IDS = {
    "kind": "kind",
    "podid": "pod_id",
    "gamemode": "game_mode",
    "matchid": "match_id",
    "epoch": "epoch",
    "token": "token",
}


_ABSENT = msgspec.Raw(b"")
MAX_ASSIGNMENT_BYTES = 4096
MAX_ASSIGNMENT_DEPTH = 16
MAX_SECRET_BYTES = 256


class HandoffKind(StrEnum):
    """What a game server can say of a match."""

    CLAIM = "claim"
    CONFIRM = "confirm"
    START = "start"
    """Claim and confirm in one."""
    DECLINE = "decline"


class PodKind(StrEnum):
    """What a game server can say of itself."""

    HEARTBEAT = "heartbeat"
    BYE = "bye"


class HandoffRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`match:handoff:request`: what a game server does with a match that it was offered."""

    kind: HandoffKind
    pod_id: str
    """The pod that does it, and that is answered."""
    game_mode: str
    match_id: str
    epoch: _Epoch
    """Of the offer."""
    token: str
    """Made up by the sender, for each message anew; the same message again has the same."""
    assignment: msgspec.Raw = msgspec.field(default_factory=lambda: _ABSENT)
    """With `confirm` or `start`: an object of up to 4 KiB that all players of the match are told,
    as it is, such as where it is played.
    """
    secrets: dict[str, str] = msgspec.field(default_factory=dict)
    """With `confirm` or `start`: player -> up to 256 bytes that this player alone is told."""


class Assigned(NamedTuple):
    """What players are to know, as it is told."""

    assignment: str
    """JSON text of an object."""
    secrets: Mapping[str, str]
    """JSON text of a player -> JSON text of the secret."""


class PodRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`match:handoff:request`: a game server lives, or leaves."""

    kind: PodKind
    pod_id: str


class StatusRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`match:handoff:request`: a game server asks where a player is. In which mode does not matter:
    a `game_mode` may stand there, too.
    """

    kind: Literal["status"]
    pod_id: str
    """The pod that is told."""
    player_id: str
    token: str = ""
    """Anything; the answer repeats it."""


class HandoffError(WireError):
    """A message of a game server that must be refused; `answer` says so."""

    def __init__(self, code: ErrorCode, message: str, payload: bytes) -> None:
        found = fields_in(payload, _IDS)
        super().__init__(
            code, message, pod_id=found.get("pod_id"), game_mode=found.get("game_mode", "")
        )
        epoch = found.get("epoch", "")
        self.answer = handoff_answer(
            match_id=found.get("match_id", ""),
            kind=found.get("kind", ""),
            epoch=int(epoch) if epoch.isdecimal() and len(epoch) < len(str(_MOST_EPOCHS)) else 0,
            token=found.get("token", ""),
            reply=code.value,
            message=message,
        )


Said = HandoffRequest | StatusRequest | PodRequest
_handoff = msgspec.json.Decoder(HandoffRequest)
_encode = msgspec.json.Encoder().encode
_pod = msgspec.json.Decoder(PodRequest)
_status = msgspec.json.Decoder(StatusRequest)
_any = msgspec.json.Decoder(dict[str, msgspec.Raw])
_KNOWN = ", ".join((*HandoffKind, STATUS, *PodKind))
_CODES = {"pod_id": ErrorCode.INVALID_POD_ID, "player_id": ErrorCode.INVALID_PLAYER_ID}


def decode_handoff(payload: bytes, *, max_bytes: int) -> Said:
    """A message from its wire text. Raises HandoffError, which has an answer for the pod as far as
    that can be read.
    """
    if len(payload) > max_bytes:
        why = f"{len(payload)} bytes, {max_bytes} are allowed"
        raise HandoffError(ErrorCode.MESSAGE_TOO_LARGE, why, payload)
    if too_deep(payload):
        why = f"nested deeper than {MAX_DEPTH} levels"
        raise HandoffError(ErrorCode.MESSAGE_TOO_DEEP, why, payload)
    found = _parse(payload)
    if not isinstance(found, HandoffRequest):
        _check_ids(found, payload)
        return found
    if not are_ids(found.pod_id, found.match_id, found.token):
        _check_ids(found, payload)
    if _says_more(found) and (problem := _assignment_problem(found)):
        raise HandoffError(ErrorCode.INVALID_ASSIGNMENT, problem, payload)
    return found


def _check_ids(found: HandoffRequest | StatusRequest | PodRequest, payload: bytes) -> None:
    for name in ("pod_id", "player_id", "match_id", "token"):
        value = getattr(found, name, "-")
        if name == "token" and not value and isinstance(found, StatusRequest):
            continue
        problem = id_problem(name, value)
        if problem is not None:
            code = _CODES.get(name, ErrorCode.INVALID_MESSAGE_FORMAT)
            raise HandoffError(code, problem, payload)


def _says_more(said: HandoffRequest) -> bool:
    """Whether it has an assignment or secrets."""
    return said.assignment is not _ABSENT or bool(said.secrets)


def assigned_in(said: HandoffRequest) -> Assigned | None:
    """What the players are to know; None where the message says nothing of it."""
    if not _says_more(said):
        return None
    text = bytes(said.assignment)
    # A secret stands in nothing that is written down: it is told, and then kept with its match.
    secrets = {_text(player): _text(secret) for player, secret in said.secrets.items()}
    return Assigned(text.decode() or "{}", secrets)


def _text(value: str) -> str:
    return _encode(value).decode()


def _assignment_problem(said: HandoffRequest) -> str:
    """What is wrong with what the players are to know. It says nothing of what stands there."""
    text, secrets = bytes(said.assignment), said.secrets
    problem = ""
    if said.kind not in (HandoffKind.CONFIRM, HandoffKind.START):
        problem = f"{said.kind} takes no assignment and no secrets: send them with confirm or start"
    elif text and not text.startswith(b"{"):
        problem = "assignment is no JSON object"
    elif len(text) > MAX_ASSIGNMENT_BYTES:
        problem = f"assignment has {len(text)} bytes, {MAX_ASSIGNMENT_BYTES} are allowed"
    elif too_deep(text, MAX_ASSIGNMENT_DEPTH):
        problem = f"assignment is nested deeper than {MAX_ASSIGNMENT_DEPTH} levels"
    elif (longest := max((len(_utf8(each)) for each in secrets.values()), default=0)) > (
        MAX_SECRET_BYTES
    ):
        problem = f"a secret has {longest} bytes, {MAX_SECRET_BYTES} are allowed"
    return problem


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _parse(payload: bytes) -> Said:
    try:
        payload.decode()  # Raw fields are not checked by the decoder
        return _handoff.decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        first = error
    try:
        kind = bytes(_any.decode(payload).get("kind", b"")).decode().strip('"')
        if kind in tuple(PodKind):
            return _pod.decode(payload)
        if kind == STATUS:
            return _status.decode(payload)
        if kind not in tuple(HandoffKind):
            said = f"kind is {printable(kind[:64])!r}" if kind else "there is no kind"
            why = f"The message cannot be used: {said}; write one of {_KNOWN}"
            raise HandoffError(ErrorCode.INVALID_MESSAGE_FORMAT, why, payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        first = error
    # No part of the message: there may be a secret in it.
    why = f"The message cannot be used: {complaint(payload, first, shown=False)}"
    raise HandoffError(ErrorCode.INVALID_MESSAGE_FORMAT, why, payload) from None
