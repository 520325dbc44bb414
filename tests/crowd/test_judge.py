"""The judge: good histories pass, and each bad one is rejected for its own reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crowd.history import State, What
from crowd.judge import Fault
from tests.crowd import test_judge_settings as of_settings
from tests.crowd import test_told as of_told
from tests.support.stories import Story, story


def moved(*, asked: int, waits: int) -> Story:
    """A player asks so often, and has another place so many looks after the first."""
    told = story()
    for _ in range(asked):
        told.asked("a", mode="brief")
    told.told("a")
    for second in (100.5, *[100.5] * (waits - 1), 170.5):
        told.looked(more=State(queues={"brief": {"a": second}}, metadata={"brief": ("a",)}))
    return told


GOOD: dict[str, Callable[[], Story]] = {
    "nothing happens": lambda: story().looked(),
    "told through a pod that had just come, or has gone soon": lambda: (
        story()
        .queued("a", "b")
        .add(What.CONFIRMING, who="pod", match="m", epoch=1)
        .add(What.LISTENS, who="pod")
        .played("m", "a", "b")
        .queued("c", "d")
        .add(What.CONFIRMING, who="pod", match="n", epoch=1)
        .played("n", "c", "d")
        .add(What.DIED, who="pod")
        .looked()
    ),
    "two are matched": lambda: story().queued("a", "b").played("m", "a", "b").looked(),
    "one waits": lambda: story().queued("a").looked({"a": 100.5}),
    "one leaves": lambda: story().queued("a").asked("a", "dequeue").told("a", "DeQueued").looked(),
    "one comes again": lambda: (
        story().queued("a", "b").played("m", "a", "b").queued("a").looked({"a": 200.5})
    ),
    "offered again, then started": lambda: (
        story()
        .queued("a", "b")
        .offered("m", "a", "b")
        .looked(matches={"m": ("a", "b")})
        .offered("m", "a", "b", epoch=2)
        .claimed("m", epoch=2)
        .started("m", epoch=2)
        .looked()
    ),
    "offered before it was durable, lost with the primary, and asked again": lambda: (
        story()
        .asked("a")
        .asked("b")
        .offered("m", "a", "b", second=100)
        .told("a")
        .told("b")
        .offered("n", "a", "b", second=103)
        .claimed("n")
        .started("n")
        .looked()
    ),
    "matched while its pod heard nothing, and never answered": lambda: (
        story()
        .asked("a")
        .queued("b")
        .played("m", "a", "b")
        .add(What.GAVE_UP, player="a", word="enqueue")
        .looked()
    ),
    "given back with the place, and matched": lambda: (
        story()
        .queued("a", "b")
        .offered("m", "a", "b", second=100)
        .looked({"a": 100.5, "b": 100.7})
        .played("n", "a", "b")
        .looked()
    ),
    "started, and nobody heard of it": lambda: (
        story()
        .queued("a", "b")
        .offered("m", "a", "b")
        .claimed("m")
        .looked(more=State(started={"m": ("a", "b")}))
    ),
    "published to somebody": lambda: (
        story().queued("a", "b").offered("m", "a", "b", word="publish").looked()
    ),
    "asked to leave, and nobody heard the answer": lambda: (
        story().queued("a").asked("a", "dequeue").looked()
    ),
    "asked to leave and to come in one moment, and nobody heard that it left": lambda: (
        story().asked("a", "dequeue").asked("a").told("a").looked()
    ),
    "left and came twice by requests of long ago, and nobody heard of the second time": lambda: (
        story()
        .asked("a")
        .asked("a", "dequeue")
        .asked("a")
        .asked("a", "dequeue")
        .asked("a")
        .told("a")
        .told("a", "DeQueued")
        .looked({"a": 105.5})
        .looked()
        .looked({"a": 106.5})
    ),
    "among the dead letters": lambda: story().queued("a").looked(more=State(dead=("a",))),
    "too late to leave, and the match starts": lambda: (
        story()
        .queued("a", "b")
        .offered("m", "a", "b")
        .asked("a", "dequeue")
        .told("a", "Error", "match_pending")
        .claimed("m")
        .started("m")
        .looked()
    ),
    "asked anew when nobody answered, and both count, one after the other": lambda: (
        story()
        .queued("b")
        .asked("a")
        .asked("a")
        .asked("a")
        .told("a")
        .told("a", "Error", "already_in_queue")
        .told("a", "Error", "already_in_queue")
        .told("a", "Error", "already_in_queue")
        .offered("m", "a", "b", word="publish")
        .told("a")
        .looked({"a": 200.5})
    ),
    "told once more that it has left, before it is told that it is back": lambda: (
        story()
        .queued("a", "b")
        .asked("a", "dequeue")
        .told("a", "DeQueued")
        .asked("a")
        .told("a", "DeQueued")
        .told("a")
        .played("m", "a", "b")
        .looked()
    ),
    "old enough to be taken out unheard": lambda: (
        story().asked("a", mode="brief").told("a").queued("b", "c").played("m", "b", "c").looked()
    ),
    "old enough to be taken out unheard, and back by a request of before": lambda: moved(
        asked=2, waits=2
    ),
}

BAD: dict[str, tuple[Fault, Callable[[], Story]]] = {
    "told EnQueued, and nowhere": (Fault.LOST, lambda: story().queued("a").looked()),
    "lost by a match that was given back": (
        Fault.LOST,
        lambda: story().queued("a", "b").offered("m", "a", "b").looked({"a": 100.5}),
    ),
    "in the index of pending matches, and in none": (
        Fault.UNEXPECTED,
        lambda: story().queued("a").looked(more=State(matched={"squad": {"a": "m"}}, dead=("a",))),
    ),
    "a match that is in no list of deadlines": (
        Fault.LOST,
        lambda: (
            story()
            .queued("a", "b")
            .looked(
                more=State(
                    matches={"m": ("offered", ("a", "b"))},
                    matched={"squad": {"a": "m", "b": "m"}},
                )
            )
        ),
    ),
    "in two matches": (
        Fault.DOUBLED,
        lambda: story().queued("a", "b", "c").played("m", "a", "b").played("n", "a", "c").looked(),
    ),
    "started twice": (
        Fault.DOUBLED,
        lambda: (
            story()
            .queued("a", "b")
            .played("m", "a", "b")
            .claimed("m", who="other")
            .started("m", who="other")
            .looked()
        ),
    ),
    "claimed by two": (
        Fault.DOUBLED,
        lambda: (
            story()
            .queued("a", "b")
            .offered("m", "a", "b")
            .claimed("m")
            .claimed("m", who="other")
            .started("m")
            .looked()
        ),
    ),
    "matched and still waiting": (
        Fault.DOUBLED,
        lambda: story().queued("a", "b").played("m", "a", "b").looked({"a": 100.5}),
    ),
    "in the queue and in a pending match for a moment": (
        Fault.DOUBLED,
        lambda: (
            story()
            .queued("a", "b")
            .looked({"a": 100.5}, matches={"m": ("a", "b")})
            .played("m", "a", "b")
            .looked()
        ),
    ),
    "published twice under two ids": (
        Fault.DOUBLED,
        lambda: (
            story()
            .queued("a", "b")
            .offered("m", "a", "b", word="publish")
            .offered("n", "a", "b", word="publish")
            .looked()
        ),
    ),
    "another place after coming back": (
        Fault.OUT_OF_PLACE,
        lambda: story().queued("a").looked({"a": 100.5}).looked({"a": 170.5}),
    ),
    "another place in the offer": (
        Fault.OUT_OF_PLACE,
        lambda: (
            story()
            .queued("a", "b")
            .offered("m", "a", "b", second=100)
            .offered("n", "a", "b", second=130)
            .claimed("n")
            .started("n")
            .looked()
        ),
    ),
    "came later, stands before": (
        Fault.OUT_OF_PLACE,
        lambda: (
            story().queued("a", "b").looked({"a": 100.5, "b": 100.2}).played("m", "a", "b").looked()
        ),
    ),
    "told DeQueued, and matched": (
        Fault.LEFT_BUT_MATCHED,
        lambda: (
            story()
            .queued("a", "b")
            .asked("a", "dequeue")
            .told("a", "DeQueued")
            .played("m", "a", "b")
            .looked()
        ),
    ),
    "told Expired, and matched": (
        Fault.LEFT_BUT_MATCHED,
        lambda: story().queued("a", "b").told("a", "Expired").played("m", "a", "b").looked(),
    ),
    "told DeQueued, and still waiting": (
        Fault.DOUBLED,
        lambda: (
            story().queued("a").asked("a", "dequeue").told("a", "DeQueued").looked({"a": 100.5})
        ),
    ),
    "asked to leave a match that fell through, and waits": (
        Fault.PUT_BACK,
        lambda: (
            story()
            .queued("a", "b")
            .offered("m", "a", "b")
            .asked("a", "dequeue")
            .told("a", "Error", "match_pending")
            .asked("b", "dequeue")
            .told("b", "DeQueued")
            .looked({"a": 100.5})
        ),
    ),
    "players are told of different players": (
        Fault.TOLD_OTHERWISE,
        lambda: (
            story()
            .queued("a", "b")
            .played("m", "a", "b")
            .found("a", "m", "a", "b")
            .found("b", "m", "b", "c")
            .queued("c")
            .looked({"c": 100.5})
        ),
    ),
    "players are told of another pod than starts": (
        Fault.DOUBLED,
        lambda: (
            story()
            .queued("a", "b")
            .played("m", "a", "b")
            .found("a", "m", "a", "b", by="other")
            .looked()
        ),
    ),
    "started without a claim": (
        Fault.UNCLAIMED_START,
        lambda: story().queued("a", "b").offered("m", "a", "b").started("m").looked(),
    ),
    "the start of an earlier hand-out": (
        Fault.OLD_EPOCH,
        lambda: (
            story()
            .queued("a", "b")
            .offered("m", "a", "b")
            .claimed("m")
            .offered("m", "a", "b", epoch=2)
            .started("m")
            .looked()
        ),
    ),
    "matched without having asked": (
        Fault.UNEXPECTED,
        lambda: story().queued("a").played("m", "a", "b").looked(),
    ),
    "a ticket without metadata": (
        Fault.UNEXPECTED,
        lambda: story().queued("a").looked({"a": 100.5}, without_metadata=("a",)),
    ),
    "metadata without a ticket": (
        Fault.UNEXPECTED,
        lambda: story().queued("a").looked({"a": 100.5}, more_metadata=("b",)),
    ),
    "never answered": (
        Fault.UNANSWERED,
        lambda: (
            story().asked("a").add(What.GAVE_UP, who="pod", player="a", word="enqueue").looked()
        ),
    ),
    "told Expired a second time, and matched": (
        Fault.LEFT_BUT_MATCHED,
        lambda: (
            story()
            .queued("b")
            .asked("a")
            .told("a", "Expired")
            .asked("a")
            .told("a", "Expired")
            .played("m", "a", "b")
            .looked()
        ),
    ),
    "queued again when all that was asked is answered": (
        Fault.DOUBLED,
        lambda: (
            story()
            .queued("a", "b")
            .asked("a")
            .told("a", "Error", "already_in_queue")
            .told("a", "Error", "already_in_queue")
            .told("a", "Error", "already_in_queue")
            .told("a", "Error", "already_in_queue")
            .offered("m", "a", "b", word="publish")
            .looked({"a": 100.5})
        ),
    ),
    "in a started match, and the own pod was not told": (
        Fault.UNTOLD,
        lambda: (
            story()
            .add(What.LISTENS, who="pod")
            .queued("a", "b")
            .offered("m", "a", "b")
            .claimed("m")
            .add(What.CONFIRMING, who="pod", match="m", epoch=1)
            .told("a", "MatchFound", match="m")
            .started("m")
            .looked()
        ),
    ),
    "told through a pod that is another's": (
        Fault.WRONG_POD,
        lambda: (
            story().queued("a").add(What.TOLD, who="other", player="a", word="Expired").looked()
        ),
    ),
    "written to the stream, and refused because of an outage": (
        Fault.NO_REASON,
        lambda: (
            story()
            .add(What.ASKED, who="pod", player="a", mode="squad", word="enqueue", by_stream=True)
            .told("a", "Error", "internal_error")
            .looked()
        ),
    ),
    "another place by a request of long ago, and nobody asked to leave": (
        Fault.OUT_OF_PLACE,
        lambda: (
            story()
            .queued("a", "b")
            .asked("a")
            .asked("a")
            .played("m", "a", "b")
            .looked({"a": 105.5})
            .looked({"a": 106.5})
        ),
    ),
    "old enough to be taken out, and another place without a request": (
        Fault.OUT_OF_PLACE,
        lambda: moved(asked=1, waits=4),
    ),
    "another place by a request of before, and not old enough to be taken out": (
        Fault.OUT_OF_PLACE,
        lambda: moved(asked=2, waits=1).looked().looked(),
    ),
    "a match of too many": (
        Fault.UNEXPECTED,
        lambda: story().queued("a", "b", "c").played("m", "a", "b", "c").looked(),
    ),
    "two wait who could play": (
        Fault.STUCK,
        lambda: story().queued("a", "b").looked({"a": 100.5, "b": 100.7}),
    ),
    "a match stays pending": (
        Fault.STUCK,
        lambda: story().queued("a", "b").looked(matches={"m": ("a", "b")}),
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_passes(name: str) -> None:
    assert GOOD[name]().verdict().findings == ()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_rejected_for_its_reason(name: str) -> None:
    fault, make = BAD[name]
    verdict = make().verdict()
    assert {finding.fault for finding in verdict.findings} == {fault}
    assert not verdict.ok


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


def test_every_fault_has_a_history_that_shows_it() -> None:
    shown = (*BAD.values(), *of_settings.BAD.values())
    as_it_comes = {fault for _, fault in of_told.CASES.values() if fault}
    assert {fault for fault, _ in shown} | as_it_comes == set(Fault)


def test_what_may_still_happen_is_no_finding_before_all_is_at_rest() -> None:
    waiting = story().queued("a", "b").looked({"a": 100.5, "b": 100.7})
    assert waiting.verdict(settled=False).ok


def test_the_figures_are_those_of_the_history() -> None:
    verdict = (
        story()
        .queued("a", "b")
        .played("m", "a", "b")
        .asked("c")
        .asked("d")
        .told("d", "Expired")
        .queued("a")
        .looked({"a": 300.5})
        .verdict()
    )
    assert (verdict.attempted, verdict.acknowledged, verdict.started) == (5, 3, 1)
    assert verdict.recovered == 1
    assert verdict.summary() == ("attempted 5, acknowledged 3, recovered 1, matches 1: all kept")


def test_a_history_without_a_last_look_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="ends with a look"):
        story().queued("a").verdict()
