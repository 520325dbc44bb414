"""The judge: good histories pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crowd.history import State, What
from crowd.judge.stays import TIMES_SENT
from tests.support.stories import Story, moved, story


def _wishes_after_an_outage() -> Story:
    """All are done at once, and each answer comes as often as was asked for it."""
    told = story()
    for word in ("enqueue", "dequeue") * 2:
        told.asked("a", word)
    told.asked("a")
    for second in (100.5, 101.5):
        told.looked({"a": second})
        for word in ("EnQueued", "DeQueued"):
            for _ in range(TIMES_SENT):
                told.told("a", word)
    return told.told("a").queued("b").played("m", "a", "b").looked()


GOOD: dict[str, Callable[[], Story]] = {
    "wishes after an outage": _wishes_after_an_outage,
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


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_passes(name: str) -> None:
    assert GOOD[name]().verdict().findings == ()
