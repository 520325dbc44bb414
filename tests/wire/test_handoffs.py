"""Messages about matches: what is understood, and what is said of the rest."""

from __future__ import annotations

import json

import pytest

from matchkeeper.wire.codes import ErrorCode
from matchkeeper.wire.handed import (
    HandoffReply,
    decode_handoff_answer,
)
from matchkeeper.wire.handoffs import (
    Assigned,
    HandoffError,
    HandoffKind,
    HandoffRequest,
    PodKind,
    PodRequest,
    Said,
    StatusRequest,
    assigned_in,
    decode_handoff,
)

GOOD = {
    "kind": "claim", "pod_id": "pod-a", "game_mode": "Squad", "match_id": "m", "epoch": 2,
    "token": "t",
}  # fmt: skip


def decoded(payload: bytes | str, *, max_bytes: int = 1000) -> Said:
    text = payload if isinstance(payload, bytes) else payload.encode()
    return decode_handoff(text, max_bytes=max_bytes)


@pytest.mark.parametrize("more", [{}, {"token": "t"}, {"game_mode": "any"}, {"game_mode": 7}])
def test_a_question_where_a_player_is(more: dict[str, object]) -> None:
    asked = {"kind": "status", "pod_id": "pod-a", "player_id": "p1", **more}
    token = "t" if "token" in more else ""
    expected = StatusRequest(kind="status", pod_id="pod-a", player_id="p1", token=token)
    assert decoded(json.dumps(asked)) == expected


@pytest.mark.parametrize(
    ("wrong", "code", "why"),
    [
        ({"player_id": ""}, "invalid_player_id", "player_id is empty"),
        ({"player_id": None}, "invalid_message_format", "player_id"),
        ({"pod_id": "x" * 129}, "invalid_pod_id", "pod_id has 129 characters"),
        ({"token": "\n"}, "invalid_message_format", "token has control characters"),
    ],
)
def test_a_bad_question_is_answered_with_what_is_wrong(
    wrong: dict[str, object], code: str, why: str
) -> None:
    asked = {"kind": "status", "pod_id": "pod-a", "player_id": "p1", "token": "t", **wrong}
    with pytest.raises(HandoffError, match=why) as refused:
        decoded(json.dumps(asked))
    assert refused.value.code == code
    came = json.loads(refused.value.answer)["result_type"]["Handoff"]
    assert (came["kind"], came["reply"]) == ("status", code)
    assert came["token"] == ("t" if "token" not in wrong else "")


@pytest.mark.parametrize("kind", list(HandoffKind))
def test_what_is_said_of_a_match(kind: HandoffKind) -> None:
    said = decoded(json.dumps({**GOOD, "kind": kind, "more": 1}))
    assert said == HandoffRequest(
        kind=kind, pod_id="pod-a", game_mode="Squad", match_id="m", epoch=2, token="t"
    )


@pytest.mark.parametrize("kind", list(PodKind))
def test_what_is_said_of_a_pod(kind: PodKind) -> None:
    assert decoded(json.dumps({"kind": kind, "pod_id": "a"})) == PodRequest(kind=kind, pod_id="a")


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        ({"kind": "clam"}, "invalid_message_format", "kind is 'clam'; write one of claim"),
        ({"kind": None}, "invalid_message_format", "write one of claim"),
        ({"epoch": "2"}, "invalid_message_format", "$.epoch"),
        ({"epoch": 0}, "invalid_message_format", "$.epoch"),
        ({"epoch": 1.5}, "invalid_message_format", "$.epoch"),
        ({"token": ""}, "invalid_message_format", "token is empty"),
        ({"token": "\x00"}, "invalid_message_format", "token has control characters"),
        ({"token": 7}, "invalid_message_format", "$.token"),
        ({"match_id": ""}, "invalid_message_format", "match_id is empty"),
        ({"match_id": "m" * 129}, "invalid_message_format", "match_id has 129 characters"),
        ({"more": "x" * 1000}, "message_too_large", "1000 are allowed"),
        ({"kind": "confirm", "assignment": []}, "invalid_assignment", "is no JSON object"),
        ({"kind": "start", "assignment": {"a": "x" * 4096}}, "invalid_assignment", "4096 are"),
        ({"kind": "start", "secrets": {"p": "\u00e4" * 129}}, "invalid_assignment", "258 bytes"),
        ({"kind": "start", "secrets": {"p": 7}}, "invalid_message_format", "$.secrets"),
        ({"assignment": {}}, "invalid_assignment", "claim takes no assignment"),
        ({"kind": "decline", "secrets": {"p": "x"}}, "invalid_assignment", "takes no assignment"),
        ({"more": [[]]}, "", ""),
    ],
)
def test_a_message_that_cannot_be_used_is_answered_with_what_was_wrong(
    change: dict[str, object], code: str, named: str
) -> None:
    payload = json.dumps({**GOOD, **change}).encode()
    if not code:
        assert decoded(payload)
        return
    with pytest.raises(HandoffError) as caught:
        decoded(payload, max_bytes=1000 if "more" in change else 5000)
    error = caught.value
    assert (error.code, error.pod_id) == (ErrorCode(code), "pod-a")
    assert named in error.message
    answer = decode_handoff_answer(error.answer)
    came = answer.result_type["Handoff"]
    assert came.reply == code
    assert named in came.message
    if "match_id" not in change:
        assert answer.match_id == "m"
    if "token" not in change:
        assert came.token == "t"


@pytest.mark.parametrize("text", ["", "[]", "7", '{"kind":', "\ufeff{}", '"claim"'])
def test_whatever_comes_is_refused_and_nothing_else(text: str) -> None:
    with pytest.raises(HandoffError) as caught:
        decoded(text)
    assert caught.value.pod_id is None


def test_a_pod_that_cannot_be_named_is_told_nothing() -> None:
    for pod in ("", "a\n", 7, None):
        with pytest.raises(HandoffError) as caught:
            decoded(json.dumps({**GOOD, "pod_id": pod}))
        assert caught.value.pod_id in (None, "7")


def test_what_players_are_to_know_is_passed_on_as_it_is() -> None:
    text = '{ "address":"10.0.0.1:7777", "n":1.50 }'
    body = json.dumps({**GOOD, "kind": "confirm", "secrets": {'p"': "s"}})
    said = decoded(f'{body[:-1]},"assignment":{text}}}')
    assert isinstance(said, HandoffRequest)
    assert assigned_in(said) == Assigned(text, {'"p\\""': '"s"'})
    plain = decoded(json.dumps(GOOD))
    assert isinstance(plain, HandoffRequest)
    assert assigned_in(plain) is None


def test_no_complaint_shows_what_stands_in_a_message() -> None:
    text = json.dumps({**GOOD, "kind": "start", "secrets": {"p": "hush"}}).replace(
        '"hush"', '"hush",,'
    )
    with pytest.raises(HandoffError) as caught:
        decoded(text)
    assert "hush" not in caught.value.message + caught.value.answer.decode()


def test_every_reply_is_explained() -> None:
    assert all(each.meaning for each in HandoffReply if each is not HandoffReply.CONFIRMED)
