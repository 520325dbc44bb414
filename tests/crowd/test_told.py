"""What players are told, as it is read off the wire, and judged as it comes."""

from __future__ import annotations

from enum import StrEnum

import pytest

from crowd.judge import Fault, Match, Matches, Told
from crowd.wire import told
from tests.support.stories import story


class Gone(StrEnum):
    LEFT = "left"


CASES = {
    "asked once": (Told(queued=1), None),
    "before the answer": (Told(), None),
    "asked twice, matched once": (Told(enqueues=2, matches=["a"]), None),
    "matched": (Told(queued=1, matches=["a"]), Fault.DOUBLED),
    "asked twice, refused once, matched once": (
        Told(enqueues=2, queued=1, refused=1, matches=["a"]),
        Fault.DOUBLED,
    ),
    "gone": (Told(queued=1, gone=Gone.LEFT), Fault.LEFT_BUT_MATCHED),
    "refused": (Told(refused=1), Fault.REFUSED_BUT_MATCHED),
}


@pytest.mark.parametrize("name", CASES)
def test_a_match_is_right_or_breaks_something_and_told_again_breaks_nothing(name: str) -> None:
    known, fault = CASES[name]
    finding = known.matched("p", "m")
    assert (finding.fault if finding else None) == fault
    assert finding is None or finding.text.startswith("p is in match m, although ")
    assert known.matched("p", "m") is None


@pytest.mark.parametrize(
    "result",
    [
        None,
        7,
        {},
        {"MatchFound": 7},
        {"MatchFound": {"teams": "x"}},
        {"MatchFound": {"teams": [7, []]}},
        {"Error": None},
        {7: {}},
    ],
)
def test_an_answer_of_a_wrong_shape_is_empty(result: object) -> None:
    event = told(1.0, "pod", "p", result)
    assert (event.player, event.code, event.match, event.players) == ("p", "", "", ())


def test_matches_that_nothing_is_heard_of_any_more_are_handed_over_once() -> None:
    matches = Matches()
    events = story().claimed("a").claimed("b").started("a").events
    for event in events:
        matches.see(event)
    assert list(matches.forget(before=events[0].at)) == []
    ((match_id, _),) = matches.forget(before=events[1].at)
    assert match_id == "b"
    assert list(matches.by_id) == ["a"]
    assert matches.by_id["a"].starters == {"pod"}
    assert Match().starters == set()
