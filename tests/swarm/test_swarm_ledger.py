"""The judge of the swarm: good histories pass, and each bad one is caught for its own reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowd.behaviours import Behaviour
from matchkeeper.swarm.player import Doing, Wish
from matchkeeper.swarm.tally import Invariant, Neutral, Reason, Whereabouts
from tests.support.swarm_runs import (
    DEQUEUED,
    EXPIRED,
    LATE,
    QUEUED,
    STEPS,
    Run,
    both_matched,
    error,
    found,
)


def test_two_who_are_matched_are_right() -> None:
    run = both_matched().finish()
    assert (run.tally.right, run.tally.judged, run.broken) == (2, 2, set())
    assert run.tally.accounts == {Whereabouts.MATCHED: 2}
    assert run.ledger.live == {}
    assert run.ledger.waiting == 0
    assert run.tally.checked[Invariant.ONE_MATCH] == 2
    assert run.tally.checked[Invariant.ALL_TOLD] == 1


def test_an_answer_that_comes_after_the_match_or_twice_changes_nothing() -> None:
    run = Run().told(0, found(), QUEUED, found()).told(1, QUEUED, found(), found()).finish()
    assert (run.tally.right, run.broken) == (2, set())


GOOD: dict[str, tuple[Behaviour, Callable[[Run], Run]]] = {
    "quits": (Behaviour.QUITS, lambda run: run.told(0, QUEUED).leaves(0).told(0, DEQUEUED)),
    "quits, but the match was faster": (
        Behaviour.QUITS,
        lambda run: run.told(0, QUEUED, found("m", 0, 50)),
    ),
    "quits while a match is pending, which falls through": (
        Behaviour.QUITS,
        lambda run: run.told(0, QUEUED).leaves(0).told(0, error("match_pending"), DEQUEUED),
    ),
    "quits while a match is pending, which starts": (
        Behaviour.QUITS,
        lambda run: (
            run.told(0, QUEUED).leaves(0).told(0, error("match_pending"), found("m", 0, 50))
        ),
    ),
    "twice, refused before the match": (
        Behaviour.TWICE,
        lambda run: run.told(0, QUEUED, error("already_in_queue"), found("m", 0, 50)),
    ),
    "twice, refused behind the match": (
        Behaviour.TWICE,
        lambda run: run.told(0, QUEUED, found("m", 0, 50), error("match_pending")),
    ),
    "twice, and the match was so fast that the second is a new stay": (
        Behaviour.TWICE,
        lambda run: run.told(0, QUEUED, found("m", 0, 50), QUEUED).leaves(0).told(0, DEQUEUED),
    ),
    "leaves late": (
        Behaviour.LEAVES_LATE,
        lambda run: run.told(0, QUEUED, found("m", 0, 50)).leaves(0).told(0, error("not_in_queue")),
    ),
    "unknown mode": (Behaviour.UNKNOWN_MODE, lambda run: run.told(0, error("invalid_game_mode"))),
    "missing fields": (
        Behaviour.MISSING_FIELDS,
        lambda run: run.told(0, error("invalid_message_format")),
    ),
    "bad metadata": (Behaviour.BAD_METADATA, lambda run: run.told(0, error("invalid_metadata"))),
    "oversized": (Behaviour.OVERSIZED, lambda run: run.leaves(0).told(0, error("not_in_queue"))),
    "oversized, and told so": (
        Behaviour.OVERSIZED,
        lambda run: run.told(0, error("message_too_large")),
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_the_right_end_of_each_behaviour(name: str) -> None:
    behaviour, history = GOOD[name]
    run = history(Run(behaviour)).finish()
    assert (run.tally.right, run.wrong(), run.broken) == (1, {}, set())
    assert run.ledger.live == {}
    assert run.tally.accounts[Whereabouts.REMAINS] == 0
    assert run.ledger.waiting == 0


BAD: dict[str, tuple[Behaviour, Callable[[Run], Run], str]] = {
    "expired": (Behaviour.NORMAL, lambda run: run.told(0, QUEUED, EXPIRED), Reason.EXPIRED),
    "taken out": (Behaviour.NORMAL, lambda run: run.told(0, QUEUED, DEQUEUED), Reason.TAKEN_OUT),
    "refused": (
        Behaviour.NORMAL,
        lambda run: run.told(0, error("already_in_queue")),
        "error already_in_queue",
    ),
    "never answered": (Behaviour.NORMAL, lambda run: run.late(), Reason.NO_ANSWER),
    "never matched": (Behaviour.NORMAL, lambda run: run.told(0, QUEUED).late(), Reason.NOT_MATCHED),
    "quits, and is not answered": (
        Behaviour.QUITS,
        lambda run: run.told(0, QUEUED).leaves(0).late(),
        Reason.NO_ANSWER,
    ),
    "twice, and both are accepted": (
        Behaviour.TWICE,
        lambda run: run.told(0, QUEUED, QUEUED, found("m", 0, 50)),
        Reason.NOT_REFUSED,
    ),
    "twice, and the second is not answered": (
        Behaviour.TWICE,
        lambda run: run.told(0, QUEUED, found("m", 0, 50)).late(),
        Reason.NO_ANSWER,
    ),
    "leaves late, and is not answered": (
        Behaviour.LEAVES_LATE,
        lambda run: run.told(0, QUEUED, found("m", 0, 50)).leaves(0).late(),
        Reason.NO_ANSWER,
    ),
    "unknown mode, refused for another reason": (
        Behaviour.UNKNOWN_MODE,
        lambda run: run.told(0, error("internal_error")),
        "error internal_error",
    ),
    "missing fields, and accepted": (
        Behaviour.MISSING_FIELDS,
        lambda run: run.told(0, QUEUED),
        Reason.ACCEPTED,
    ),
    "oversized, and was in the queue": (
        Behaviour.OVERSIZED,
        lambda run: run.leaves(0).told(0, DEQUEUED),
        Reason.ACCEPTED,
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_end_has_its_reason(name: str) -> None:
    behaviour, history, reason = BAD[name]
    run = history(Run(behaviour)).finish()
    assert (run.tally.right, run.wrong(), run.broken) == (0, {str(reason): 1}, set())
    assert run.tally.errors == {str(reason): 1}


def test_what_could_not_be_sent_is_said() -> None:
    run = Run(Behaviour.NORMAL)
    run.ledger.not_sent(range(1), "timeout")
    assert run.late().wrong() == {"not sent: timeout": 1}


def test_who_is_told_not_in_queue_is_not_lost_if_the_reason_comes_a_moment_later() -> None:
    run = Run(Behaviour.QUITS).told(0, QUEUED).leaves(0).told(0, error("not_in_queue"), EXPIRED)
    run.looks().finish()
    assert run.broken == set()
    assert run.tally.accounts == {Whereabouts.EXPIRED: 1}


def test_late_news_is_waited_for_as_long_as_the_options_say() -> None:
    run = Run(Behaviour.QUITS).told(0, QUEUED).leaves(0).told(0, error("not_in_queue"))
    assert [each.after for each in run.wishes if each.doing is Doing.LOOK] == [LATE]


def test_after_a_gap_nobody_is_called_lost() -> None:
    run = Run(Behaviour.QUITS).told(0, QUEUED)
    run.ledger.gap()
    run.leaves(0).told(0, error("not_in_queue")).looks().finish()
    assert run.broken == set()
    assert run.tally.accounts == {Whereabouts.UNKNOWN: 1}
    half = Run().told(0, QUEUED).told(1, QUEUED).told(0, found())
    half.ledger.gap()
    assert half.much_later().broken == set()


def test_a_run_that_ends_at_once_blames_nobody_for_what_was_still_to_come() -> None:
    run = Run().told(0, QUEUED).told(1, QUEUED).told(0, found()).finish()
    assert run.broken == set()
    gone = Run(Behaviour.QUITS).told(0, QUEUED).leaves(0).told(0, error("not_in_queue")).finish()
    assert gone.broken == set()
    assert gone.tally.accounts == {Whereabouts.UNKNOWN: 1}


def test_who_gives_up_leaves_and_asks_again_until_it_is_answered() -> None:
    run = Run(Behaviour.NORMAL).told(0, QUEUED).late()
    assert [(each.number, each.doing) for each in run.wishes] == [(0, Doing.LEAVE)]
    leaving = run.ledger.leaves(0)
    assert leaving is not None
    assert leaving[1] == Wish(0, Doing.LEAVE, LATE / 5)
    run.told(0, DEQUEUED)
    assert run.ledger.leaves(0) is None
    assert run.finish().tally.accounts == {Whereabouts.WAITING: 1}


def test_who_is_never_answered_may_remain_and_is_not_asked_about_for_ever() -> None:
    run = Run(Behaviour.NORMAL).told(0, QUEUED).late()
    for _ in range(5):
        assert run.ledger.leaves(0) is not None
    assert run.ledger.leaves(0) is None
    assert run.ledger.finish() == 1
    assert run.tally.accounts == {Whereabouts.REMAINS: 1}
    assert run.ledger.waiting == 0


def test_a_dequeue_behind_a_pending_match_is_a_new_one() -> None:
    run = Run(Behaviour.NORMAL).told(0, QUEUED).late()
    turns = []
    for _ in range(8):  # more than it asks without an answer
        leaving = run.ledger.leaves(0)
        assert leaving is not None
        turns.append(leaving[0].leave_turn)
        run.told(0, error("match_pending"))
    assert len(set(turns)) == 8
    assert run.told(0, found("m", 0, 50)).finish().broken == set()


def test_left_over_players_are_known_as_soon_as_they_are_too_few() -> None:
    run = Run(*[Behaviour.NORMAL] * 3)
    assert not run.ledger.only_left_over()
    for number in range(3):
        run.told(number, QUEUED)
    assert not run.ledger.only_left_over()
    run.told(0, found()).told(1, found())
    assert run.ledger.only_left_over()
    (wish,) = run.ledger.close(Neutral.NO_PARTNER)
    assert wish == Wish(2, Doing.LEAVE)
    run.leaves(2).told(2, DEQUEUED).finish()
    assert (run.tally.right, run.tally.judged, run.broken) == (2, 2, set())
    assert run.tally.ends[Behaviour.NORMAL].neutral == {Neutral.NO_PARTNER: 1}


def test_the_size_of_a_match_is_learnt_from_matches() -> None:
    run = Run(*[Behaviour.NORMAL] * 3)
    for number in range(3):
        run.told(number, QUEUED, found("m", 0, 1, 2))
    assert run.ledger.sizes == {"normal": 3}


def test_a_ticket_that_was_set_aside_is_accounted_for() -> None:
    run = Run(Behaviour.NORMAL).told(0, QUEUED, error("invalid_metadata")).finish()
    assert run.tally.accounts == {Whereabouts.SET_ASIDE: 1}
    assert run.wrong() == {"error invalid_metadata": 1}


def test_after_an_error_that_may_have_been_done_the_player_leaves() -> None:
    run = Run(Behaviour.NORMAL).told(0, error("not_durable"))
    assert [each.doing for each in run.wishes] == [Doing.LEAVE]
    certain = Run(Behaviour.NORMAL).told(0, error("invalid_metadata"))
    assert certain.wishes == []


WORDS = st.sampled_from(
    [
        QUEUED,
        DEQUEUED,
        EXPIRED,
        "Other",
        found("a", 0, 9),
        found("b", 0, 9),
        {"MatchFound": 7},
        {"MatchFound": {"teams": "x", "claimed_by": 5}},
        {"Error": None},
        error("not_in_queue"),
        error("match_pending"),
        error("invalid_metadata"),
        error("internal_error"),
    ]
)


@given(
    behaviour=st.sampled_from(Behaviour),
    history=st.lists(st.one_of(WORDS, st.sampled_from(STEPS))),
)
def test_whatever_is_told_everybody_is_judged_once_and_forgotten(
    behaviour: Behaviour, history: list[Any]
) -> None:
    run = Run(behaviour)
    for step in history:
        if step in STEPS:
            run.goes_on(step, leaver=0)
        else:
            run.told(0, step)
    run.ledger.close(Neutral.STOPPED)
    run.finish()
    ends = run.tally.ends[behaviour]
    assert ends.judged + ends.neutral.total() == 1
    assert run.ledger.live == {}
    assert run.ledger.waiting == 0
    assert run.tally.accounts.total() <= 1
