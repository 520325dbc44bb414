"""Parties in the book of the swarm: what is right of them, and what each broken promise is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowd import wire
from crowd.behaviours import Behaviour
from crowd.history import Event
from matchkeeper.swarm.left_over import make_a_match
from matchkeeper.swarm.player import Doing, Wish
from matchkeeper.swarm.tally import Invariant, Neutral, Reason, Whereabouts
from matchkeeper.wire.answers import decode_battle_request
from tests.support.swarm_runs import DEQUEUED, QUEUED, STEPS, Run, error

PARTY = "r-0-to-2"
WITH = ("r-0", "r-1", "r-2")


def found(*teams: tuple[str, ...], match: str = "m1", **parties: tuple[str, ...]) -> dict[str, Any]:
    """`MatchFound` of three against three."""
    return {
        "MatchFound": {
            "match_id": match,
            "game_mode": "Normal",
            "teams": [list(team) for team in teams or (WITH, ("x-1", "x-2", "x-3"))],
            "parties": {PARTY: list(parties.get("ours", WITH))},
            "claimed_by": None,
        }
    }


def three(behaviour: Behaviour = Behaviour.NORMAL, *, variant: int = 0) -> Run:
    return Run(behaviour, size=6, together=3, variant=variant)


def each(run: Run, *words: str | dict[str, Any]) -> Run:
    for word in words:
        for number in range(3):
            run.told(number, word)
    return run


GOOD: dict[str, tuple[Behaviour, int, Callable[[Run], Run]]] = {
    "matched": (Behaviour.NORMAL, 0, lambda run: each(run, QUEUED, found())),
    "one leaves": (
        Behaviour.QUITS,
        0,
        lambda run: (
            each(run, QUEUED)
            .leaves(2)
            .told(2, DEQUEUED)
            .told(0, DEQUEUED, left_by="r-2")
            .told(1, DEQUEUED, left_by="r-2")
        ),
    ),
    "one leaves while a match is pending, which falls through": (
        Behaviour.QUITS,
        0,
        lambda run: (
            each(run, QUEUED)
            .leaves(2)
            .told(2, error("match_pending"), DEQUEUED)
            .told(0, DEQUEUED, left_by="r-2")
            .told(1, DEQUEUED, left_by="r-2")
        ),
    ),
    "all leave as one": (
        Behaviour.QUITS,
        1,
        lambda run: each(each(run, QUEUED).leaves(2), DEQUEUED),
    ),
    "the match was faster than all who leave as one": (
        Behaviour.QUITS,
        1,
        lambda run: each(
            each(run, QUEUED).leaves(2).all_told(range(3), error("not_in_queue")), found()
        ),
    ),
    "twice": (
        Behaviour.TWICE,
        0,
        lambda run: each(run, QUEUED, error("already_in_queue"), found()),
    ),
    "bad metadata of one": (
        Behaviour.BAD_METADATA,
        0,
        lambda run: (
            run.told(0, error("party_refused"))
            .told(1, error("party_refused"))
            .told(2, error("invalid_metadata"))
        ),
    ),
    "told as a party, whose players nobody knows": (
        Behaviour.MISSING_FIELDS,
        0,
        lambda run: run.all_told(range(3), error("invalid_message_format")),
    ),
    "too many": (Behaviour.TOO_LARGE, 0, lambda run: each(run, error("party_does_not_fit"))),
    "leaves late": (
        Behaviour.LEAVES_LATE,
        1,
        lambda run: each(
            each(run, QUEUED, found()).leaves(0).leaves(1).leaves(2), error("not_in_queue")
        ),
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_the_right_end_of_a_party(name: str) -> None:
    behaviour, variant, history = GOOD[name]
    run = history(three(behaviour, variant=variant)).finish()
    assert (run.tally.right, run.wrong(), run.broken) == (3, {}, set())
    assert run.ledger.live == {}
    assert run.ledger.waiting == 0
    assert run.tally.checked[Invariant.PARTY_WHOLE] == 1
    assert run.tally.asked_by_size == {3: 3}


BAD: dict[str, tuple[Invariant, Callable[[Run], Run]]] = {
    "one is refused": (
        Invariant.PARTY_WHOLE,
        lambda run: run.told(0, QUEUED).told(1, QUEUED).told(2, error("already_in_queue")),
    ),
    "on two teams": (
        Invariant.PARTY_WHOLE,
        lambda run: each(run, QUEUED).told(0, found(("r-0", "r-1", "x-1"), ("r-2", "x-2", "x-3"))),
    ),
    "in a match without one of them": (
        Invariant.PARTY_WHOLE,
        lambda run: each(run, QUEUED).told(
            0, found(("r-0", "r-1", "x-1"), ("x-4", "x-2", "x-3"), ours=("r-0", "r-1"))
        ),
    ),
    "in a match as if alone": (
        Invariant.PARTY_WHOLE,
        lambda run: each(run, QUEUED).told(
            0, found(("r-0", "y-1", "x-1"), ("x-4", "x-2", "x-3"), ours=())
        ),
    ),
    "nobody says who left": (
        Invariant.LEFT_BY,
        lambda run: each(run, QUEUED).leaves(2).told(2, DEQUEUED).told(0, DEQUEUED),
    ),
    "somebody left who did not": (
        Invariant.LEFT_BY,
        lambda run: each(run, QUEUED).leaves(2).told(0, DEQUEUED, left_by="r-1"),
    ),
    "told on another pod": (
        Invariant.OWN_POD,
        lambda run: run.told(0, QUEUED, pod="r-pod-0").told(1, QUEUED, pod="r-pod-1"),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_broken_promise_to_a_party_is_found(name: str) -> None:
    invariant, history = BAD[name]
    run = history(three(Behaviour.QUITS))
    assert run.broken == {invariant}
    assert run.tally.examples[invariant]


def test_a_split_is_seen_in_an_offer() -> None:
    def offer(*teams: str) -> bytes:
        sides = ",".join(f"[{team}]" for team in teams)
        return f'{{"match_id":"m","game_mode":"Normal","teams":[{sides}]}}'.encode()

    def seat(name: str, *, party: bool = True) -> str:
        mark = f',"party_id":"{PARTY}"' if party else ""
        return f'{{"player_id":"{name}","score":1,"pod_id":"p","metadata":{{}}{mark}}}'

    others = ",".join(seat(name, party=False) for name in ("x-1", "x-2", "x-3"))
    run = three()
    run.ledger.offered(1.0, decode_battle_request(offer(",".join(map(seat, WITH)), others)))
    assert run.broken == set()
    ours = f"{seat('r-0')},{seat('r-1')},{seat('x-1', party=False)}"
    run.ledger.offered(1.0, decode_battle_request(offer(ours, f"{seat('r-2')},{others}")))
    assert run.broken == {Invariant.PARTY_WHOLE}


def test_one_of_a_party_leaves_for_all_and_others_only_at_the_end() -> None:
    run = each(three(Behaviour.QUITS), QUEUED)
    assert run.wishes == [Wish(2, Doing.LEAVE, 0.5)]
    waits = each(three(), QUEUED).late()
    assert waits.wishes == [Wish(number, Doing.LEAVE) for number in range(3)]
    waits.leaves(0).leaves(1).leaves(2)
    waits.told(0, DEQUEUED).told(1, DEQUEUED, left_by="r-0").told(2, DEQUEUED, left_by="r-0")
    assert waits.finish().tally.accounts == {Whereabouts.WAITING: 3}
    assert waits.wrong() == {str(Reason.NOT_MATCHED): 3}
    assert waits.broken == set()


def test_news_of_a_party_that_is_not_about_is_nobodys() -> None:
    run = three()
    assert run.ledger.told(range(1, 3), news_of(run)) == []
    assert run.ledger.told(range(10**15), news_of(run)) == []
    assert len(run.ledger.live) == 3


def news_of(run: Run) -> Event:
    return wire.told(run.now, "", "r-1", error("not_in_queue"))


@pytest.mark.parametrize(
    ("count", "size", "left_over"),
    [
        (1, 6, True),
        (2, 6, False),
        (3, 10, True),  # nine for ten places
        (4, 10, True),  # twelve, and no three of them make a team of five
        (1, 3, False),  # fills the match by itself
    ],
)
def test_parties_that_make_no_match_are_left_over(count: int, size: int, left_over: bool) -> None:
    run = Run(*[Behaviour.NORMAL] * count, size=size, together=3)
    for number in range(3 * count):
        run.told(number, QUEUED)
    assert run.ledger.only_left_over() is left_over


def all_ways(sizes: list[int], room: list[int]) -> bool:
    """Every ticket on every team, or on none."""
    if not any(room):
        return True
    return bool(sizes) and (
        all_ways(sizes[1:], room)
        or any(
            all_ways(sizes[1:], [*room[:n], left - sizes[0], *room[n + 1 :]])
            for n, left in enumerate(room)
            if sizes[0] <= left
        )
    )


@given(
    st.lists(st.integers(1, 4), max_size=7),
    st.sampled_from([(2, 1), (4, 2), (6, 2), (8, 2), (6, 3), (4, 1)]),
)
def test_who_makes_a_match_is_what_trying_everything_finds(
    sizes: list[int], mode: tuple[int, int]
) -> None:
    players, teams = mode
    found = make_a_match(Counter(sizes), players=players, teams=teams)
    tried = all_ways(sizes, [players // teams] * teams) or players in sizes
    assert found == tried


def test_a_question_that_is_too_long_is_not_answered_for_ever() -> None:
    many = dict.fromkeys((7, 11, 13, 17, 19, 23), 100)
    assert make_a_match(many, players=400, teams=4)


def test_waits_are_counted_by_how_many_came_together() -> None:
    run = each(three(), QUEUED, found())
    assert {size: waits.count for size, waits in run.tally.waits_by_size.items()} == {3: 3}


WORDS = st.sampled_from(
    [
        QUEUED,
        DEQUEUED,
        "Expired",
        found(),
        found(match="m2"),
        error("not_in_queue"),
        error("match_pending"),
        error("party_refused"),
        error("internal_error"),
    ]
)
WHO = st.sampled_from([range(1), range(1, 2), range(2, 3), range(3)])


@given(
    behaviour=st.sampled_from(Behaviour),
    variant=st.integers(0, 1),
    history=st.lists(st.one_of(st.tuples(WHO, WORDS), st.sampled_from(STEPS))),
)
def test_whatever_a_party_is_told_each_is_judged_once_and_forgotten(
    behaviour: Behaviour, variant: int, history: list[Any]
) -> None:
    run = three(behaviour, variant=variant)
    for step in history:
        if isinstance(step, str):
            run.goes_on(step, leaver=2)
        elif len(step[0]) == 1:
            run.told(step[0][0], step[1])
        else:
            run.all_told(*step)
    run.ledger.close(Neutral.STOPPED)
    run.finish()
    ends = run.tally.ends[behaviour]
    assert ends.judged + ends.neutral.total() == 3
    assert run.ledger.live == {}
    assert run.ledger.waiting == 0
    assert run.tally.accounts.total() <= 3
