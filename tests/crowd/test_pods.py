"""What a game server makes of an offer, by its behaviour."""

from __future__ import annotations

import pytest

from crowd.behaviours import PodBehaviour
from crowd.history import What
from crowd.pods import treat

STARTS = ["claim", "start"]
ALL = [What.CLAIMED, What.CONFIRMING, What.STARTED]


class Offer:
    """Grants what it is told to, and remembers what it was asked."""

    def __init__(self, *granted: str) -> None:
        self._granted = granted
        self.asked: list[str] = []
        self.noted: list[What] = []

    async def play(self, behaviour: PodBehaviour) -> What | None:
        async def ask(what: str) -> bool:
            self.asked.append(what)
            return what in self._granted

        return await treat(
            behaviour,
            claim=lambda: ask("claim"),
            decline=lambda: ask("decline"),
            start=lambda: ask("start"),
            note=self.noted.append,
        )


@pytest.mark.parametrize(
    ("behaviour", "asked", "noted"),
    [
        (PodBehaviour.CLAIMS, STARTS, ALL),
        (PodBehaviour.CLAIMS_LATE, STARTS, ALL),
        (PodBehaviour.STARTS_LATE, STARTS, ALL),
        (PodBehaviour.NEVER_CLAIMS, [], []),
        (PodBehaviour.DECLINES, ["claim", "decline"], [What.CLAIMED]),
        (PodBehaviour.FORGETS, ["claim"], [What.CLAIMED]),
        (PodBehaviour.DIES, ["claim"], [What.CLAIMED]),
        (PodBehaviour.GRABS, ["claim"], [What.CLAIMED]),
        (PodBehaviour.STARTS_UNCLAIMED, ["start"], [What.CONFIRMING, What.STARTED]),
    ],
)
async def test_each_behaviour_asks_for_what_it_is_named_after(
    behaviour: PodBehaviour, asked: list[str], noted: list[What]
) -> None:
    offer = Offer("claim", "decline", "start")
    came_to = await offer.play(behaviour)
    assert offer.asked == asked
    assert offer.noted == noted
    assert came_to == (noted[-1] if noted else None)


@pytest.mark.parametrize("behaviour", PodBehaviour)
async def test_nobody_goes_on_without_the_claim_but_the_one_who_starts_unclaimed(
    behaviour: PodBehaviour,
) -> None:
    offer = Offer()
    came_to = await offer.play(behaviour)
    if behaviour is PodBehaviour.STARTS_UNCLAIMED:
        assert (offer.asked, came_to) == (["start"], What.CONFIRMING)
    else:
        assert came_to is None
        assert offer.asked in ([], ["claim"])


async def test_a_start_that_is_refused_is_none() -> None:
    offer = Offer("claim")
    assert await offer.play(PodBehaviour.CLAIMS) is What.CONFIRMING
    assert offer.noted == [What.CLAIMED, What.CONFIRMING]
