"""The judge on what settings promise: sizes of matches, announced ones, pods that start nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crowd.history import What
from crowd.judge import Fault
from tests.support.stories import Story, story


def newer(*sizes: int) -> Story:
    """Players who have asked; the settings have changed since."""
    return story().queued("a", "b", "c").add(What.SIZED, who="operator", sizes={"squad": sizes})


def announced(who: str) -> Story:
    """A match that `who` starts, although its players are at `pod`."""
    offered = story().queued("a", "b").offered("m", "a", "b", word="publish")
    return offered.started("m", who=who)


def swallowed(count: int, *, confirms: bool = False, held: tuple[str, ...] = ()) -> Story:
    """`pod` claims matches and starts none; whose are not `held` are seen to be back at once."""
    told = story()
    for number in range(count):
        told.add(What.CLAIMED, who="pod", match=f"m{number}", epoch=1, word="grabs")
        if confirms:
            told.add(What.CONFIRMING, who="pod", match=f"m{number}", epoch=1)
        pending: dict[str, tuple[str, ...]] = dict.fromkeys(held, ())
        told.looked(matches=pending)
    return told


GOOD: dict[str, Callable[[], Story]] = {
    "by the newer settings": lambda: newer(3).played("m", "a", "b", "c").looked(),
    "by the older ones, while both are there": lambda: (
        newer(2, 3).played("m", "a", "b").looked({"c": 100.5})
    ),
    "made before, heard of when it is offered again": lambda: (
        newer(3)
        .offered("m", "a", "b", epoch=2)
        .claimed("m", epoch=2)
        .started("m", epoch=2)
        .looked({"c": 100.5})
    ),
    "announced, started by the pod of the first player": lambda: announced("pod").looked(),
    "claims nobody can have counted yet": lambda: swallowed(3).looked(),
    "claims of matches that are still held": lambda: swallowed(
        9, held=tuple(f"m{number}" for number in range(9))
    ).looked(),
    "claims it tries to start": lambda: swallowed(20, confirms=True).looked(),
}
BAD: dict[str, tuple[Fault, Callable[[], Story]]] = {
    "by the older settings": (
        Fault.UNEXPECTED,
        lambda: newer(3).played("m", "a", "b").looked({"c": 100.5}),
    ),
    "announced, started by another pod": (
        Fault.WRONG_POD,
        lambda: announced("other").looked(),
    ),
    "announced, started twice": (
        Fault.DOUBLED,
        lambda: announced("pod").started("m", epoch=2).looked(),
    ),
    "claims match after match and starts none": (
        Fault.NOT_REFUSED,
        lambda: swallowed(20).looked(),
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_the_settings_allow_passes(name: str) -> None:
    assert GOOD[name]().verdict().findings == ()


@pytest.mark.parametrize("name", BAD)
def test_what_they_do_not_allow_is_found(name: str) -> None:
    fault, make = BAD[name]
    assert {finding.fault for finding in make().verdict().findings} == {fault}
