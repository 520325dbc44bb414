"""The judge: each bad history is rejected for its own reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crowd.history import State, What
from crowd.judge import Fault
from tests.crowd import test_judge_handing as of_handing
from tests.crowd import test_judge_parties as of_parties
from tests.crowd import test_judge_settings as of_settings
from tests.crowd import test_judge_statuses as of_statuses
from tests.crowd import test_told as of_told
from tests.support.stories import Story, moved, story

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
    "told DeQueued twice, asked anew and left anew, and matched": (
        Fault.LEFT_BUT_MATCHED,
        lambda: (
            story()
            .queued("a", "b")
            .asked("a", "dequeue")
            .told("a", "DeQueued")
            .told("a", "DeQueued")
            .queued("a")
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
            .queued("a")
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


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_rejected_for_its_reason(name: str) -> None:
    fault, make = BAD[name]
    verdict = make().verdict()
    assert {finding.fault for finding in verdict.findings} == {fault}
    assert not verdict.ok


def test_every_fault_has_a_history_that_shows_it() -> None:
    shown = (
        *BAD.values(),
        *of_settings.BAD.values(),
        *of_parties.BAD.values(),
        *of_handing.BAD.values(),
    )
    as_it_comes = {fault for _, fault in of_told.CASES.values() if fault}
    of_status = {of_statuses.FAULT for _ in of_statuses.BAD}
    assert {fault for fault, _ in shown} | as_it_comes | of_status == set(Fault)


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
