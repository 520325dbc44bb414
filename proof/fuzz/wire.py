"""The codec of the wire: only the errors that it documents may come out, and quickly."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import msgspec

from matchkeeper.config import GameModeSettings
from matchkeeper.domain.match import seats_of
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Member, PoisonedTicket, Ticket
from matchkeeper.wire import answers
from matchkeeper.wire.codes import ErrorCode, WireError
from matchkeeper.wire.limits import id_problem
from matchkeeper.wire.metadata import members_in, read_ticket, traits_in
from matchkeeper.wire.metadata_text import BadMetadataError
from matchkeeper.wire.offers import battle_request, filled_in
from matchkeeper.wire.requests import Request, RequestKind, decode
from proof.fuzz import texts
from proof.fuzz.report import Tally, WrongError

_MAX_BYTES = 65_536
_SCORES = (0.0, -1.0, 1e9, 1.5e9, 1e18, 1e308, -1e308, float("inf"), float("-inf"), 5e-324)

PLAIN = GameMode(name="Normal")
RATED = GameModeSettings(game_mode="Ranked", use_mmr_matching=True, handoff="claim").to_domain(
    max_metadata_bytes=65_536
)


def run(tally: Tally, *, seconds: float) -> None:
    """Tries inputs until the time is over."""
    for rng in tally.inputs(seconds=seconds):
        judge, given = _input(rng)
        tally.judge(given, judge, name=f"{judge.__name__.strip('_')}: ")


def _input(rng: random.Random) -> tuple[Callable[[bytes], bool], bytes]:
    kind = rng.random()
    if kind < 0.4:
        return _enqueue, texts.request(rng)
    if kind < 0.55:
        return _dequeue, texts.request(rng)
    if kind < 0.85:
        return _ticket, rng.randrange(256).to_bytes() + texts.stored_metadata(rng)
    if kind < 0.9:
        return _answer, _answer_text(rng)
    return _battle, _battle_text(rng)


def _answer_text(rng: random.Random) -> bytes:
    results = (b'"EnQueued"', b'{"Error":{"code":"x","message":"y"}}', b'{"MatchFound":{}}')
    result = texts.value(rng) if rng.random() < 0.4 else rng.choice(results)
    fields = [(b'"player_id"', texts.ident(rng, "player")), (b'"result_type"', result)]
    if rng.random() < 0.3:
        fields.append((texts.string(rng), texts.value(rng)))
    text = texts.joined(fields)
    return texts.mutated(rng, text) if rng.random() < 0.3 else text


def _battle_text(rng: random.Random) -> bytes:
    player = texts.joined(
        [
            (b'"player_id"', texts.ident(rng, "player")),
            (b'"score"', texts.value(rng) if rng.random() < 0.2 else b"1"),
            (b'"pod_id"', texts.ident(rng, "pod")),
            (b'"metadata"', texts.metadata(rng)),
        ]
    )
    fields = [(b'"match_id"', b'"m"'), (b'"game_mode"', b'"Normal"'), (b'"player1"', player)]
    if rng.random() < 0.3:
        fields.append((rng.choice((b'"epoch"', b'"teams"', b'"x"')), texts.value(rng)))
    text = texts.joined(fields)
    return texts.mutated(rng, text) if rng.random() < 0.3 else text


def strict_json(text: str | bytes, *, what: str) -> Any:
    """The value of JSON that every parser can read. Raises where one of them cannot."""
    try:
        msgspec.json.decode(text)
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        why = str(error).partition(" - at")[0]
        raise WrongError(f"{what} is not readable JSON: {why}") from None


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _expect(holds: object, what: str) -> None:
    if not holds:
        raise WrongError(what)


def _enqueue(payload: bytes) -> bool:
    return _request(RequestKind.ENQUEUE, payload)


def _dequeue(payload: bytes) -> bool:
    return _request(RequestKind.DEQUEUE, payload)


def _request(kind: RequestKind, payload: bytes) -> bool:
    try:
        request = decode(kind, payload, max_bytes=_MAX_BYTES)
    except WireError as error:
        _expect(error.pod_id is None or not id_problem("pod_id", error.pod_id), "a bad pod told")
        answer = answers.error(error.player_id, error.code, error.message)
        _expect(answers.decode_answer(answer).kind == "Error", "the refusal is no Error")
        return False
    _expect(not id_problem("player_id", request.player_id), "a bad player_id accepted")
    _expect(request.pod_id is None or not id_problem("pod_id", request.pod_id), "a bad pod_id")
    _expect(len(request.fingerprint) in (0, 32), "a fingerprint of another length")
    if kind is RequestKind.ENQUEUE:
        _matchable(request)
    return True


def _matchable(request: Request) -> None:
    """What was accepted at the door must be good enough for the queue and for game servers."""
    for mode in [mode for mode in (PLAIN, RATED) if _passes(request, mode)]:
        ticket = read_ticket(request.player_id, 1.0, request.metadata.encode(), mode)
        _expect(isinstance(ticket, Ticket), "accepted at the door, poisoned in the queue")
    fields = strict_json(request.metadata, what="accepted metadata")
    _expect(fields.get("pod_id") == request.pod_id, "the metadata names another pod")


def _passes(request: Request, mode: GameMode) -> bool:
    try:
        traits_in(request.metadata, mode)
    except BadMetadataError:
        return False
    return True


def _ticket(given: bytes) -> bool:
    """The first byte chooses the score; the rest is what stands in Redis."""
    score, raw = _SCORES[given[0] % len(_SCORES)], given[1:]
    members_in("p", raw)
    found = [read_ticket("p", score, raw, mode) for mode in (PLAIN, RATED)]
    for mode, ticket in zip((PLAIN, RATED), found, strict=True):
        if isinstance(ticket, PoisonedTicket):
            answers.error(ticket.ticket_id, ErrorCode.INVALID_METADATA, ticket.reason)
            continue
        them = (Member("q", "pod"),)
        other = Ticket(ticket_id="q", members=them, enqueued_at=1.0, metadata_sum="")
        try:
            seats = seats_of([[ticket], [other]], mode.teams)
            pieces = battle_request(seats, mode, match_id="m", epoch=1, claim_within_seconds=5)
        except (ValueError, OverflowError) as error:
            raise WrongError(f"no offer for a readable ticket of score {score}: {error}") from None
        offer = filled_in(pieces, [raw.decode(), "{}"]).encode()
        strict_json(offer, what="the offer of a readable ticket")
        players = answers.decode_battle_request(offer).players
        _expect(len(players) == 2, "an offer of one player")
        _expect(abs(players[0].score) < 2**63, f"score {score} is offered, which is no i64")
    return any(isinstance(ticket, Ticket) for ticket in found)


def _answer(payload: bytes) -> bool:
    try:
        answer = answers.decode_answer(payload)
    except msgspec.DecodeError:
        return False
    _expect(isinstance(answer.kind, str), "an answer of no kind")
    return True


def _battle(payload: bytes) -> bool:
    try:
        request = answers.decode_battle_request(payload)
    except msgspec.DecodeError:
        return False
    _expect(len(request.players) <= 2 or request.teams is not None, "more players than sent")
    return True
