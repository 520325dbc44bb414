"""What must never happen, in histories made by hand: each is caught, for its own reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crowd.behaviours import Behaviour
from crowd.history import Event, What
from matchkeeper.swarm.tally import Invariant
from tests.support.swarm_runs import DEQUEUED, EXPIRED, QUEUED, Run, both_matched, error, found

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
        event = Event(at=run.now, what=What(what), who=pod, match="m", epoch=epoch)
        run.ledger.matches.see(event)
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
