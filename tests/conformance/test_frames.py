"""What passes between a program and Redis is cut into whole values, however it comes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchkeeper.conformance.frames import Frames, packed
from matchkeeper.conformance.texts import adorned, fields_of, handoff_in, word_in

TEXTS = st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=4), max_size=6)


@given(values=TEXTS, cuts=st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_values_are_whole_wherever_the_bytes_are_cut(
    values: list[list[bytes]], cuts: list[int]
) -> None:
    stream = b"".join(map(packed, values))
    frames, at = Frames(), 0
    found: list[tuple[bytes, Any]] = []
    while at < len(stream):
        size = cuts[len(found) % len(cuts)]
        found += list(frames.feed(stream[at : at + size]))
        at += size
    assert [value for _, value in found] == values
    assert b"".join(raw for raw, _ in found) == stream


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"+OK\r\n", b"+OK"),
        (b"-ERR no\r\n", b"-ERR no"),
        (b":7\r\n", b":7"),
        (b"_\r\n", b"_"),
        (b"$-1\r\n", None),
        (b"*-1\r\n", None),
        (b"*0\r\n", []),
        (b"PING\r\n", b"PING"),
        (b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$0\r\n\r\n", [b"message", b"c", b""]),
        (b"%1\r\n+a\r\n*1\r\n:1\r\n", [b"+a", [b":1"]]),
        (b"=5\r\ntxt:a\r\n", b"txt:a"),
        (b"*2\r\n*1\r\n$1\r\nx\r\n:1\r\n", [[b"x"], b":1"]),
    ],
)
def test_both_versions_of_the_protocol_are_read(text: bytes, value: Any) -> None:
    assert list(Frames().feed(text)) == [(text, value)]


def test_unknown_fields_are_added_wherever_some_may_be() -> None:
    offer = {"match_id": "m", "player1": {"player_id": "p", "metadata": {"mmr": 1}}, "epoch": 1}
    found = adorned(offer)
    assert next(iter(found)) == "later", "the first: readers by position find something else"
    assert "later" in found["player1"]
    assert found["player1"]["metadata"] == {"mmr": 1}
    answer = {"match_id": "m", "result_type": {"Handoff": {"reply": "claimed"}}}
    found = adorned(answer)
    assert list(found["result_type"]) == ["Handoff"], "an object of one key"
    assert "later" in found["result_type"]["Handoff"]


def test_answers_are_read_as_an_outsider_does() -> None:
    assert word_in({"result_type": "EnQueued"}) == "EnQueued"
    assert word_in({"result_type": {"MatchFound": {}}}) == "MatchFound"
    assert word_in({"result_type": {"Error": {"code": "not_in_queue"}}}) == "not_in_queue"
    assert handoff_in({"result_type": {"Handoff": {"reply": "claimed"}}}) == {"reply": "claimed"}
    assert handoff_in({"result_type": "EnQueued"}) == handoff_in({}) == {}
    assert fields_of(b"\xff") is fields_of(b"[]") is fields_of(b"[" * 5000) is None
