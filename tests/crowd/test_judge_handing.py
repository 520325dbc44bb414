"""What the judge says of messages about matches, and of what players are told to know."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crowd import handing
from crowd.history import History, What
from crowd.judge import Fault, judge
from crowd.wire import note
from tests.support.stories import Story, story

TOKEN = handing.token("pod", "1")


def answered(told: Story, code: str, *, who: str = "pod", kind: str = "claim") -> Story:
    return told.add(What.ANSWERED, who=who, match="m", epoch=1, word=kind, code=code, token=TOKEN)


def started(*, assigns: bool = True) -> Story:
    """A match of a and b, which `pod` starts."""
    told = story().queued("a", "b").offered("m", "a", "b").claimed("m")
    return told.add(What.CONFIRMING, who="pod", match="m", epoch=1, assigns=assigns).started("m")


def knows(
    told: Story, player: str, *, assignment: object = None, secret: str | None = None
) -> Story:
    """The player is told of the match, and of what is not given here what is right."""
    right = handing.assignment("m", "pod")
    return told.add(
        What.TOLD,
        who="pod",
        player=player,
        word="MatchFound",
        match="m",
        players=(("a", 0), ("b", 0)),
        by="pod",
        assignment=handing.text(right if assignment is None else assignment),
        secret=handing.secret("m", player) if secret is None else secret,
    )


GOOD: dict[str, Callable[[], Story]] = {
    "each is told the assignment and the own secret": lambda: knows(knows(started(), "a"), "b"),
    "the answer comes to who asked, twice": lambda: answered(
        answered(story(), "claimed"), "claimed"
    ),
    "granted, then too late": lambda: answered(answered(story(), "claimed"), "too_late"),
    "a message that nobody of the crowd has sent": lambda: story().add(
        What.ANSWERED, who="pod", match="m", epoch=1, word="claim", code="claimed", token="x"
    ),
    "no assignment where none was given": lambda: started(assigns=False).found("a", "m", "a", "b"),
}
BAD: dict[str, tuple[Fault, Callable[[], Story]]] = {
    "an answer to another pod": (
        Fault.WRONG_POD,
        lambda: answered(story(), "claimed", who="other"),
    ),
    "refused, and granted when it comes again": (
        Fault.REFUSED_BUT_GRANTED,
        lambda: answered(
            answered(story(), "not_claimed", kind="confirm"), "started", kind="confirm"
        ),
    ),
    "the assignment of another match": (
        Fault.WRONG_ASSIGNMENT,
        lambda: knows(started(), "a", assignment=handing.assignment("other", "pod")),
    ),
    "the assignment of another pod": (
        Fault.WRONG_ASSIGNMENT,
        lambda: knows(started(), "a", assignment=handing.assignment("m", "other")),
    ),
    "another player's secret": (
        Fault.WRONG_ASSIGNMENT,
        lambda: knows(started(), "a", secret=handing.secret("m", "b")),
    ),
    "no assignment": (
        Fault.WRONG_ASSIGNMENT,
        lambda: started().found("a", "m", "a", "b").found("b", "m", "a", "b"),
    ),
    "one has the assignment, the other none": (
        Fault.TOLD_OTHERWISE,
        lambda: knows(started(assigns=False), "a").found("b", "m", "a", "b"),
    ),
}


def faults(told: Story, *, failovers: bool = False) -> set[Fault]:
    found = judge(told.looked().events, settled=False, failovers=failovers).findings
    return {each.fault for each in found}


@pytest.mark.parametrize("name", GOOD)
def test_nothing_is_said_where_all_is_well(name: str) -> None:
    assert faults(GOOD[name]()) == set()


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_found(name: str) -> None:
    fault, told = BAD[name]
    assert fault in faults(told())


def test_a_failover_may_forget_a_refusal() -> None:
    _, granted = BAD["refused, and granted when it comes again"]
    assert faults(granted(), failovers=True) == set()


def test_answers_and_assignments_are_read_from_the_wire() -> None:
    history = History()
    answer = (
        b'{"match_id":"m","result_type":{"Handoff":'
        b'{"kind":"claim","epoch":2,"token":"pod~1","reply":"claimed"}}}'
    )
    found = (
        b'{"player_id":"a","result_type":{"MatchFound":{"match_id":"m","game_mode":"Duel",'
        b'"claimed_by":"pod","assignment":{"pod":"pod","match":"m"},"secret":"m of a"}}}'
    )
    note(history, 1.0, "", "pod:pod:match_result", answer)
    note(history, 2.0, "", "pod:pod:match_result:{eu}", found)
    came, told = history.events
    assert (came.who, came.match, came.epoch) == ("pod", "m", 2)
    assert (came.word, came.code, handing.pod_in(came.token)) == ("claim", "claimed", "pod")
    assert told.assignment == handing.text(handing.assignment("m", "pod"))
    assert told.secret == handing.secret("m", "a")
