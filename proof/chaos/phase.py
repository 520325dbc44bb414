"""One phase: everything is started, shaken, left to come to rest, and judged."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from crowd.history import Event
from crowd.judge import Verdict, judge
from proof.chaos.faults import CRASHES, Blow
from proof.chaos.notes import read
from proof.chaos.recovery import Recoveries, recoveries
from proof.chaos.settings import LIFETIMES, REFUSALS, TEAMS, TIMES_SENT, Options, sizes
from proof.chaos.site import Site
from proof.chaos.storm import Storm

_LOOK_EVERY_SECONDS = 1.0
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a phase is to do."""

    name: str
    realm: str
    durability: str
    replicas: int = 0
    seconds: float
    crashes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a phase."""

    plan: Plan
    verdict: Verdict
    faults: Counter[str]
    blows: tuple[Blow, ...]
    recoveries: Recoveries
    settled_after: float
    seconds: float
    commands: int
    ended: tuple[str, ...]
    """Processes that ended by themselves."""
    defects: tuple[str, ...]
    """Errors that nobody expected."""
    events: tuple[Event, ...]

    @property
    def crashes(self) -> int:
        """Crash cycles."""
        return sum(blow.kind in CRASHES for blow in self.blows)

    @property
    def good(self) -> bool:
        """Whether nothing was found."""
        verdict = self.verdict
        busy = verdict.acknowledged and verdict.started
        return verdict.ok and bool(busy) and not self.ended and not self.defects


def plans(options: Options) -> list[Plan]:
    """Most of the time goes to crashes that come back from the AOF, also where servers tell in the
    step that does it; the rest to failovers, in a realm.
    """

    def part(share: float, crashes: float) -> dict[str, Any]:
        return {
            "seconds": 60 * share * options.minutes,
            "crashes": int(crashes * options.crashes),
        }

    return [
        Plan(name="AOF", realm="", durability="fsync", **part(0.5, 0.6)),
        Plan(name="at-once", realm="", durability="none", **part(0.3, 0.35)),
        Plan(name="replica", realm="eu", durability="replicas:1", replicas=1, **part(0.2, 0.05)),
    ]


def judged(events: Iterable[Event], *, edition: int, failovers: bool = False) -> Verdict:
    """The verdict on a history that ends with servers of that edition of the settings."""
    return judge(
        events,
        required=sizes(edition),
        lifetimes=LIFETIMES,
        refusals=REFUSALS,
        teams=TEAMS,
        failovers=failovers,
        times_sent=TIMES_SENT,
    )


async def run(plan: Plan, options: Options, show: Callable[[str], None]) -> Outcome:
    """The whole phase."""
    begun = time.monotonic()
    site = Site(
        options.folder / plan.name,
        realm=plan.realm,
        replicas=plan.replicas,
        durability=plan.durability,
        players_per_second=options.players_per_second,
        seed=options.seed,
    )
    storm = Storm(site, random.Random(f"{plan.name} {options.seed}"))
    try:
        await site.open()
        settled_after = await _shake(site, storm, plan, show)
    finally:
        site.close()
        await site.proxy.close()
    events = read(site.histories())
    return Outcome(
        plan=plan,
        verdict=judged(events, edition=site.newest, failovers=plan.replicas > 0),
        faults=_faults(site, storm),
        blows=tuple(storm.blows),
        recoveries=recoveries(events, storm.blows),
        settled_after=settled_after,
        seconds=time.monotonic() - begun,
        commands=site.proxy.commands,
        ended=tuple(site.ended),
        defects=tuple(site.defects()),
        events=tuple(events),
    )


async def _shake(site: Site, storm: Storm, plan: Plan, show: Callable[[str], None]) -> float:
    begun = time.monotonic()
    watching = asyncio.ensure_future(_watch(site, storm, plan, show))
    try:
        await storm.run(
            lambda: time.monotonic() - begun > plan.seconds and storm.crashes >= plan.crashes
        )
        show(f"{plan.name}: {storm.crashes:,} crash cycles; coming to rest")
        settled_after = await site.settle()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    site.end()
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while await site.look() is None:
                await asyncio.sleep(0.1)
    return settled_after


async def _watch(site: Site, storm: Storm, plan: Plan, show: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
        await site.look()
        show(f"{plan.name}: {storm.crashes:,} crash cycles, {len(storm.blows):,} faults")


def _faults(site: Site, storm: Storm) -> Counter[str]:
    found = Counter(blow.kind.value for blow in storm.blows)
    found.update({fault.value: count for fault, count in site.proxy.injected.items()})
    return found
