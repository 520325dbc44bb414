"""What the judge says of where pods were told that players are."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crowd.history import What
from crowd.judge import Fault, judge
from crowd.wire import told
from tests.support.stories import Story

FAULT = Fault.UNTRUE


def sought(story: Story, player: str = "a") -> Story:
    return story.add(What.SOUGHT, who="pod", player=player)


def said(story: Story, state: str, match: str = "", player: str = "a") -> Story:
    return story.told(player, "Status", state, match)


def played(story: Story | None = None) -> Story:
    """`a` and `b` are in match `m`, and then sought."""
    story = (story or Story()).queued("a", "b").looked({"a": 100.0, "b": 100.5})
    return story.played("m", "a", "b").looked(started={"m": ("a", "b")})


def party() -> Story:
    """`a` and `b` are party `crew`."""
    story = Story()
    for player in ("a", "b"):
        story.add(
            What.ASKED, who="pod", player=player, mode="squad", word="enqueue",
            party="crew", together=("a", "b"),
        )  # fmt: skip
    return story


def still_played(story: Story) -> Story:
    return story.looked(started={"m": ("a", "b")})


def stepped(story: Story) -> Story:
    return story.add(What.STEPPED, who="redis")


def waits() -> Story:
    """`a` waits, and was in match `m` before."""
    return played().queued("a").looked({"a": 200.0}, started={"m": ("a", "b")})


GOOD: dict[str, Callable[[], Story]] = {
    "of a party, what its ticket does": lambda: said(
        sought(party(), "crew").looked(matches={"m": ("a", "b")}), "pending", "n", "crew"
    ),
    "nothing is known of somebody who never came": lambda: said(sought(Story()), "unknown"),
    "waiting": lambda: said(sought(waits()), "waiting"),
    "waiting, when it was asked": lambda: said(sought(waits()).looked(), "waiting"),
    "pending": lambda: said(
        sought(Story().queued("a").looked(matches={"m": ("a", "b")})), "pending", "m"
    ),
    "started": lambda: said(sought(played()), "started", "m"),
    "the match before, as long as the request is not done": lambda: said(
        sought(played().asked("a")), "started", "m"
    ),
    "done meanwhile": lambda: said(
        sought(played().asked("a")).looked({"a": 200.0}, started={"m": ("a", "b")}),
        "started",
        "m",
    ),
    "gone": lambda: said(sought(waits().looked(started={"m": ("a", "b")})), "gone"),
    "the match was just forgotten": lambda: said(sought(played()), "unknown").looked(),
    "the match is forgotten": lambda: said(sought(played().looked()), "unknown"),
    "the news alone is forgotten, since the clock stepped": lambda: still_played(
        said(sought(stepped(played())), "unknown")
    ),
}
BAD: dict[str, Callable[[], Story]] = {
    "nothing is known of somebody who waits": lambda: said(sought(waits()), "unknown"),
    "gone, and waits": lambda: said(sought(waits()), "gone"),
    "waiting nowhere": lambda: said(sought(played()), "waiting"),
    "another match is pending": lambda: said(
        sought(Story().queued("a").looked(matches={"m": ("a", "b")})), "pending", "n"
    ),
    "an old match, while waiting": lambda: said(sought(waits()), "started", "m"),
    "an old match, after having left": lambda: said(
        sought(waits().looked(started={"m": ("a", "b")})), "started", "m"
    ),
    "a match of others": lambda: said(
        sought(Story().queued("a").looked(started={"m": ("c", "d")})), "started", "m"
    ),
    "the one before the last": lambda: said(
        sought(waits().looked(started={"m": ("a", "b"), "n": ("a", "c")})), "started", "m"
    ),
    "unknown, although it has started": lambda: still_played(said(sought(played()), "unknown")),
    "unknown, although it has started since the clock stepped": lambda: still_played(
        said(sought(played(stepped(Story()))), "unknown")
    ),
    "gone, although it has started": lambda: still_played(said(sought(played()), "gone")),
}


def untrue(story: Story) -> bool:
    story.looked()
    verdict = judge(story.events, settled=False)
    return FAULT in {each.fault for each in verdict.findings}


@pytest.mark.parametrize("name", GOOD)
def test_what_was_true_once_since_the_question_is_good(name: str) -> None:
    assert not untrue(GOOD[name]())


@pytest.mark.parametrize("name", BAD)
def test_what_was_never_true_is_found(name: str) -> None:
    assert untrue(BAD[name]())


def test_a_status_as_it_comes_over_the_wire() -> None:
    found = {"MatchFound": {"match_id": "m", "game_mode": "Squad"}}
    event = told(1.0, "pod", "a", {"Status": {"state": "started", "news": found}})
    assert (event.word, event.code, event.match, event.mode) == ("Status", "started", "m", "squad")
    pending = {"Status": {"state": "pending", "match_id": "m", "game_mode": "Squad"}}
    assert told(1.0, "pod", "a", pending).match == "m"
    assert told(1.0, "pod", "a", {"Status": []}).code == ""
