"""The judge on what a pod that stands still must have heard."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crowd.history import What
from crowd.judge import Fault
from tests.support.stories import Story, story


def listening(before: Story | None = None) -> Story:
    """Two players wait at a pod that listens."""
    told = (before or story()).add(What.LISTENS, who="p-0")
    for player in ("a", "b"):
        told.add(What.ASKED, who="p-0", player=player, mode="squad", word="enqueue")
        told.add(What.TOLD, who="p-0", player=player, word="EnQueued")
    return told


def untold(told: Story) -> Story:
    """They are matched, and their pod says nothing of it."""
    told.offered("m", "a", "b").claimed("m")
    return told.add(What.CONFIRMING, who="pod", match="m", epoch=1).started("m")


def later(told: Story) -> Story:
    """Long enough that a connection which is gone has been noticed."""
    for _ in range(6):
        told.looked()
    return told


GOOD: dict[str, Callable[[], Story]] = {
    "stood still, and its connection was gone before it went on": lambda: (
        later(untold(listening().add(What.FROZE, who="p")))
        .add(What.DEAF, who="p-0")
        .add(What.THAWED, who="p")
        .looked()
    ),
    "stood still, and was killed": lambda: (
        later(untold(listening().add(What.FROZE, who="p"))).add(What.DIED, who="p").looked()
    ),
    "its connection was gone, and it stood still before it could say so": lambda: (
        later(untold(listening().add(What.DEAF, who="p-0").add(What.FROZE, who="p")))
        .add(What.THAWED, who="p")
        .add(What.DEAF, who="p-0")
        .looked()
    ),
}
BAD: dict[str, Callable[[], Story]] = {
    "stood still, and its connection lasted": lambda: (
        later(untold(listening().add(What.FROZE, who="p"))).add(What.THAWED, who="p").looked()
    ),
    "its connection was gone long after it went on": lambda: (
        later(untold(listening().add(What.FROZE, who="p")).add(What.THAWED, who="p"))
        .add(What.DEAF, who="p-0")
        .looked()
    ),
    "long before it stood still": lambda: (
        later(untold(listening()))
        .add(What.FROZE, who="p")
        .add(What.DEAF, who="p-0")
        .add(What.THAWED, who="p")
        .looked()
    ),
    "another process stood still": lambda: (
        later(untold(listening().add(What.FROZE, who="q"))).add(What.DEAF, who="p-0").looked()
    ),
    "it stood still in an earlier life": lambda: (
        later(untold(listening(story().add(What.FROZE, who="p").add(What.DIED, who="p"))))
        .add(What.DEAF, who="p-0")
        .looked()
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_a_pod_cannot_have_heard_is_excused(name: str) -> None:
    assert GOOD[name]().verdict().findings == ()


@pytest.mark.parametrize("name", BAD)
def test_what_it_must_have_heard_is_not(name: str) -> None:
    assert {finding.fault for finding in BAD[name]().verdict().findings} == {Fault.UNTOLD}
