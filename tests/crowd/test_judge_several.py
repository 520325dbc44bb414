"""The judge, where a player may wait in several queues."""

from __future__ import annotations

from crowd.history import State
from crowd.judge import Fault
from tests.support.stories import Story, story


def test_whoever_asked_to_leave_one_queue_may_wait_in_another() -> None:
    left = story().queued("a", "b").offered("m", "a", "b").asked("a", "dequeue")
    left.told("a", "Error", "match_pending").asked("b", "dequeue").told("b", "DeQueued")
    elsewhere = State(queues={"brief": {"a": 100.5}}, metadata={"brief": ("a",)})
    verdict = left.looked(more=elsewhere).verdict()
    assert Fault.PUT_BACK not in {finding.fault for finding in verdict.findings}


def _waits_in_trio(told: Story, *players: str) -> Story:
    queue = dict.fromkeys(players, 200.5)
    return told.looked(more=State(queues={"trio": queue}, metadata={"trio": tuple(queue)}))


def test_what_was_asked_of_another_queue_before_the_match_may_be_done_after_it() -> None:
    asked = story().queued("a", "b").asked("a", mode="trio").played("m", "a", "b").told("a")
    assert _waits_in_trio(asked, "a").verdict(several=True).findings == ()


def _in_two_queues(told: Story) -> set[Fault]:
    told.played("m", "a", "b").queued("a")
    both = {"squad": {"a": 200.5}, "trio": {"a": 201.5}}
    told.looked(more=State(queues=both, metadata={"squad": ("a",), "trio": ("a",)}))
    return {finding.fault for finding in told.verdict(several=True).findings}


def test_it_is_done_although_the_player_has_asked_for_a_queue_since() -> None:
    assert not _in_two_queues(story().queued("a", "b").asked("a", mode="trio"))
    assert _in_two_queues(story().queued("a", "b")) == {Fault.OUT_OF_PLACE}


def _doubled(told: Story) -> bool:
    verdict = told.verdict(several=True)
    return {finding.fault for finding in verdict.findings} == {Fault.DOUBLED}


def test_a_request_for_another_queue_that_was_done_before_the_match_is_not_done_again() -> None:
    both = _waits_in_trio(story().queued("a", "b").asked("a", mode="trio").told("a"), "a")
    assert _doubled(_waits_in_trio(both.played("m", "a", "b"), "a"))


def test_nor_one_that_was_refused_and_each_only_once() -> None:
    refused = story().queued("a", "b").asked("a", mode="trio").offered("m", "a", "b")
    refused = refused.looked({"a": 100.5, "b": 100.6})
    refused.told("a", "Error", "match_pending").claimed("m").started("m")
    assert _doubled(_waits_in_trio(refused, "a"))
    asked = story().queued("a", "b", "c", "d").asked("a", mode="trio").played("m", "a", "b")
    assert _doubled(asked.played("n", "a", "c").played("o", "a", "d").looked())
