"""Decisions about overdue matches, and about whose tickets are left alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.match import MatchState
from matchkeeper.domain.ticket import Member, Ticket
from matchkeeper.handoff.decide import Cause, Step, next_step
from matchkeeper.handoff.pods import Hold, PodRecords
from matchkeeper.store.pending import PendingMatch
from tests.support.tickets import lone


def pending(
    state: MatchState = MatchState.OFFERED, *, offers: int = 1, declined_by: str | None = None
) -> PendingMatch:
    return PendingMatch(
        match_id="m", state=state, epoch=1, offers=offers, created_at=0.0, teams=(), metadata={},
        claimed_by=None, confirm=None, declined_by=declined_by,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (pending(offers=1), (Step.REDELIVER, Cause.UNCLAIMED)),
        (pending(offers=2), (Step.REDELIVER, Cause.UNCLAIMED)),
        (pending(offers=3), (Step.GIVE_BACK, Cause.UNCLAIMED)),
        (pending(offers=3, declined_by="x"), (Step.GIVE_BACK, Cause.DECLINED)),
        (pending(offers=1, declined_by="x"), (Step.REDELIVER, Cause.DECLINED)),
        (pending(MatchState.CLAIMED), (Step.GIVE_BACK, Cause.LEASE_EXPIRED)),
        (pending(MatchState.CONFIRMED), (Step.SETTLE, Cause.LEASE_EXPIRED)),
    ],
)
def test_the_next_step_of_an_overdue_match(
    match: PendingMatch, expected: tuple[Step, Cause]
) -> None:
    assert next_step(match, max_offers=3) == expected


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def of_pod(*pod_ids: str) -> Ticket:
    """Of a player for each."""
    members = tuple(Member(f"p{nth}", pod_id) for nth, pod_id in enumerate(pod_ids))
    return replace(lone("p"), members=members)


SETTINGS = MatchmakingSettings(
    unclaimed_threshold=2, unclaimed_hold_seconds=5, unclaimed_hold_max_seconds=12
)


def test_tickets_of_a_silent_pod_are_held_until_it_is_back() -> None:
    records = PodRecords(SETTINGS, clock=Clock())
    assert records.heard({"a": 14.0, "b": 16.0}) == (frozenset({"b"}), frozenset())
    assert records.hold(of_pod("a")) is None
    assert records.hold(of_pod("b")) is Hold.POD_SILENT
    assert records.hold(of_pod("a", "b")) is Hold.POD_SILENT
    assert records.hold(of_pod("never sent heartbeats")) is None
    assert records.heard({"a": 1.0, "b": 1.0}) == (frozenset(), frozenset({"b"}))
    assert records.hold(of_pod("b")) is None


def test_tickets_of_a_pod_that_is_never_claimed_are_held_longer_each_time() -> None:
    clock = Clock()
    records = PodRecords(SETTINGS, clock=clock)
    assert records.unclaimed(["a", "a"]) == {}
    assert records.hold(of_pod("a")) is None
    for seconds in (5, 10, 12, 12):
        assert list(records.unclaimed(["a"])) == ["a"]
        clock.now += seconds - 0.1
        assert records.hold(of_pod("a")) is Hold.POD_UNCLAIMED
        clock.now += 0.2
        assert records.hold(of_pod("a")) is None
    assert records.unclaimed_in_a_row() == {"a": 5}
    records.claimed(["a"])
    assert records.unclaimed_in_a_row() == {}
    assert records.unclaimed(["a"]) == {}


def test_records_are_bounded() -> None:
    records = PodRecords(SETTINGS, clock=Clock())
    for number in range(10_050):
        records.unclaimed([f"pod-{number}"])
    assert len(records.unclaimed_in_a_row()) == 10_000
