"""The judge of the swarm: good histories pass, and each bad one is caught for its own reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchkeeper.protocol.answers import Answer
from matchkeeper.swarm.behaviours import Behaviour
from matchkeeper.swarm.crowd import Person
from matchkeeper.swarm.ledger import Doing, Ledger, Wish
from matchkeeper.swarm.messages import Names
from matchkeeper.swarm.tally import Invariant, Neutral, Reason, Tally, Whereabouts

QUEUED, DEQUEUED, EXPIRED = "EnQueued", "DeQueued", "Expired"
TIMEOUT = 10.0


def found(match: str = "m1", *players: int, by: str | None = None) -> dict[str, Any]:
    """Players from 9 on are not of this run."""
    ids = [f"r-{number}" if number < 9 else f"x-{number}" for number in players or (0, 1)]
    return {
        "MatchFound": {
            "match_id": match,
            "game_mode": "Normal",
            "player_ids": ids,
            "opponent_id": ids[-1],
            "claimed_by": by,
        }
    }


def error(code: str) -> dict[str, Any]:
    return {"Error": {"code": code, "message": "no"}}


class Run:
    """A ledger and a clock that tests move."""

    def __init__(self, *behaviours: Behaviour, size: int = 2) -> None:
        self.ledger = Ledger(
            names=Names(run="r"),
            players=100,
            timeout_seconds=TIMEOUT,
            sizes={"Normal": size},
            tally=Tally(),
        )
        self.now = 0.0
        self.wishes: list[Wish] = []
        for number, behaviour in enumerate(behaviours or (Behaviour.NORMAL, Behaviour.NORMAL)):
            person = Person(
                number=number,
                at=0.0,
                behaviour=behaviour,
                mode="Normal",
                home=0,
                rating=1500,
                patience_seconds=0.5,
                variant=0,
            )
            requests = 2 if behaviour is Behaviour.TWICE else 1
            self.wishes += self.ledger.asked(person, 0.0, requests=requests)

    @property
    def tally(self) -> Tally:
        return self.ledger.tally

    def told(self, number: int, *words: str | dict[str, Any]) -> Run:
        for word in words:
            self.now += 0.1
            self.wishes += self.ledger.told(number, Answer(f"r-{number}", word), self.now)
        return self

    def leaves(self, number: int) -> Run:
        assert self.ledger.leaves(number) is not None
        return self

    def late(self) -> Run:
        """All patience is over."""
        self.now += TIMEOUT
        self.wishes += self.ledger.due(self.now)
        return self

    def much_later(self) -> Run:
        """Old enough for every match to be judged."""
        self.ledger.matches.sweep(self.now + 100)
        return self

    def looks(self) -> Run:
        for wish in [each for each in self.wishes if each.doing is Doing.LOOK]:
            self.ledger.looks(wish.number, self.now + wish.after)
        return self

    def finish(self) -> Run:
        self.ledger.finish()
        return self

    @property
    def broken(self) -> set[Invariant]:
        return set(+self.tally.broken)

    def wrong(self) -> dict[str, int]:
        return {
            reason: count
            for ends in self.tally.ends.values()
            for reason, count in ends.wrong.items()
        }


def both_matched() -> Run:
    return Run().told(0, QUEUED).told(1, QUEUED).told(0, found()).told(1, found())


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
    run.ledger.not_sent(0, "timeout")
    assert run.late().wrong() == {"not sent: timeout": 1}


BROKEN: dict[str, tuple[Callable[[], Run], Invariant]] = {
    "matched twice": (
        lambda: both_matched().told(0, found("m2", 0, 50)).finish(),
        Invariant.ONE_MATCH,
    ),
    "matched twice while still about": (
        lambda: Run(Behaviour.LEAVES_LATE).told(0, QUEUED, found("a", 0, 9), found("b", 0, 9)),
        Invariant.ONE_MATCH,
    ),
    "asked twice, refused once, matched twice": (
        lambda: Run(Behaviour.TWICE).told(
            0, QUEUED, found("a", 0, 9), error("already_in_queue"), found("b", 0, 9)
        ),
        Invariant.ONE_MATCH,
    ),
    "matched after DeQueued": (
        lambda: Run(Behaviour.QUITS).told(0, QUEUED).leaves(0).told(0, DEQUEUED, found("m", 0, 9)),
        Invariant.NOT_AFTER_LEAVING,
    ),
    "matched after Expired": (
        lambda: Run(Behaviour.NORMAL).told(0, QUEUED, EXPIRED, found("m", 0, 9)),
        Invariant.NOT_AFTER_LEAVING,
    ),
    "matched after giving up": (
        lambda: (
            Run(Behaviour.NORMAL)
            .told(0, QUEUED)
            .late()
            .leaves(0)
            .told(0, DEQUEUED, found("m", 0, 9))
        ),
        Invariant.NOT_AFTER_LEAVING,
    ),
    "matched although refused": (
        lambda: Run(Behaviour.UNKNOWN_MODE).told(0, error("invalid_game_mode"), found("m", 0, 9)),
        Invariant.NOT_REFUSED_AND_MATCHED,
    ),
    "lost": (
        lambda: (
            Run(Behaviour.QUITS).told(0, QUEUED).leaves(0).told(0, error("not_in_queue")).looks()
        ),
        Invariant.NOBODY_LOST,
    ),
    "lost, seen when giving up": (
        lambda: (
            Run(Behaviour.NORMAL)
            .told(0, QUEUED)
            .late()
            .leaves(0)
            .told(0, error("not_in_queue"))
            .looks()
        ),
        Invariant.NOBODY_LOST,
    ),
    "in the queue although matched": (
        lambda: (
            Run(Behaviour.LEAVES_LATE).told(0, QUEUED, found("m", 0, 9)).leaves(0).told(0, DEQUEUED)
        ),
        Invariant.NOT_IN_TWO_PLACES,
    ),
    "one of two never heard": (
        lambda: Run().told(0, QUEUED).told(1, QUEUED).told(0, found()).much_later(),
        Invariant.ALL_TOLD,
    ),
    "two heard of different players": (
        lambda: both_of(found("m", 0, 1), found("m", 1, 0)),
        Invariant.ALL_TOLD,
    ),
    "started by two game servers": (
        lambda: claims(("started", 1, "a"), ("started", 1, "b")),
        Invariant.ONE_STARTER,
    ),
    "started by another than the players are told": (
        lambda: claims(("started", 1, "a"), told_by="b"),
        Invariant.ONE_STARTER,
    ),
    "one offer claimed twice": (
        lambda: claims(("claimed", 1, "a"), ("claimed", 1, "b")),
        Invariant.ONE_STARTER,
    ),
}


def both_of(first: dict[str, Any], second: dict[str, Any]) -> Run:
    return Run().told(0, QUEUED, first).told(1, QUEUED, second).finish()


def claims(*events: tuple[str, int, str], told_by: str | None = None) -> Run:
    run = Run()
    for what, epoch, pod in events:
        if what == "claimed":
            run.ledger.matches.claimed("m", epoch, pod, run.now)
        else:
            run.ledger.matches.started("m", pod, run.now)
    if told_by:
        news = found("m", by=told_by)
        run.told(0, QUEUED, news).told(1, QUEUED, news)
    return run.finish()


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_invariant_is_caught_with_an_example(name: str) -> None:
    history, invariant = BROKEN[name]
    run = history()
    assert run.broken == {invariant}
    (example, *_) = run.tally.examples[invariant]
    assert "r-" in example or "match m" in example


def test_another_offer_may_be_claimed_by_another_server() -> None:
    run = claims(("claimed", 1, "a"), ("claimed", 2, "b"), ("started", 2, "b"), told_by="b")
    assert run.broken == set()
    assert run.tally.checked[Invariant.ONE_STARTER] == 1


def test_who_is_told_not_in_queue_is_not_lost_if_the_reason_comes_a_moment_later() -> None:
    run = Run(Behaviour.QUITS).told(0, QUEUED).leaves(0).told(0, error("not_in_queue"), EXPIRED)
    run.looks().finish()
    assert run.broken == set()
    assert run.tally.accounts == {Whereabouts.EXPIRED: 1}


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
    assert leaving[1] == Wish(0, Doing.LEAVE, 2.0)
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
        {"MatchFound": {"player_ids": "x", "claimed_by": 5}},
        {"Error": None},
        error("not_in_queue"),
        error("match_pending"),
        error("invalid_metadata"),
        error("internal_error"),
    ]
)


@settings(deadline=None)  # machines are shared
@given(
    behaviour=st.sampled_from(Behaviour),
    history=st.lists(st.one_of(WORDS, st.sampled_from(["leave", "late", "look", "gap"]))),
)
def test_whatever_is_told_everybody_is_judged_once_and_forgotten(
    behaviour: Behaviour, history: list[Any]
) -> None:
    run = Run(behaviour)
    for step in history:
        if step == "leave":
            run.ledger.leaves(0)
        elif step == "late":
            run.late()
        elif step == "look":
            run.looks()
        elif step == "gap":
            run.ledger.gap()
        else:
            run.told(0, step)
    run.ledger.close(Neutral.STOPPED)
    run.finish()
    ends = run.tally.ends[behaviour]
    assert ends.judged + ends.neutral.total() == 1
    assert run.ledger.live == {}
    assert run.ledger.waiting == 0
    assert run.tally.accounts.total() <= 1
