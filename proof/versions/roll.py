"""One evening: all servers of one version, then one after the other of another, and back again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from crowd.judge import Verdict
from proof.chaos.notes import read
from proof.chaos.phase import judged
from proof.chaos.site import Site
from proof.versions.release import Release

_LOOK_EVERY_SECONDS = 1.0
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it."""

    name: str
    verdict: Verdict
    ended: tuple[str, ...]
    """Processes that ended by themselves."""
    defects: tuple[str, ...]
    """Errors that nobody expected."""
    served: tuple[str, ...]
    """The versions that servers had, in the order of their starts."""
    seconds: float

    @property
    def good(self) -> bool:
        """Whether nothing was found."""
        busy = self.verdict.acknowledged and self.verdict.started
        return self.verdict.ok and bool(busy) and not self.ended and not self.defects

    def __str__(self) -> str:
        verdict = self.verdict
        figures = (
            f"{self.name}: {len(self.served)} servers one after the other, {self.seconds:.0f} s: "
            f"{verdict.attempted:,} players asked, {verdict.acknowledged:,} told EnQueued, "
            f"{verdict.started:,} matches started, {len(verdict.findings)} findings"
        )
        lines = [figures]
        lines += [f"  {each.fault.value}: {each.text}" for each in verdict.findings]
        lines += [f"  ended {n} times: {each}" for each, n in Counter(self.ended).items()]
        return "\n".join(lines + [f"  defect: {each}" for each in self.defects])


async def roll(
    folder: Path,
    first: Release,
    then: Release,
    *,
    step_seconds: float,
    players_per_second: float,
    realm: str = "",
    show: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Two servers and three processes of pods, one of them of each version throughout. Servers of
    both versions are killed while they run side by side.
    """
    begun = time.monotonic()
    site = Site(folder, realm=realm, replicas=0, players_per_second=players_per_second, seed=1)
    evening = _Evening(site, step_seconds, show)
    try:
        await site.open({"server-0": first, "server-1": first, "pod0": first, "pod1": then})
        try:
            await evening.run(first, then)
        except TimeoutError:
            site.ended += evening.who_does_not_serve()
        site.end()
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while await site.look() is None:
                    await asyncio.sleep(0.1)
    finally:
        site.close()
        await site.proxy.close()
    return Outcome(
        name=f"{first.name}, then {then.name}, and back",
        verdict=judged(read(site.histories()), edition=0),
        ended=tuple(site.ended),
        defects=tuple(site.defects()),
        served=tuple(evening.served),
        seconds=time.monotonic() - begun,
    )


class _Evening:
    """What happens to the servers, while players come."""

    def __init__(self, site: Site, step_seconds: float, show: Callable[[str], None]) -> None:
        self._site = site
        self._step_seconds = step_seconds
        self._show = show
        self.served: list[str] = []

    async def run(self, first: Release, then: Release) -> None:
        """From the first player to the last."""
        await self._site.all_serve()
        self.served += [each.release.name for each in self._site.servers]
        watching = asyncio.ensure_future(self._watch())
        try:
            await self._there_and_back(first, then)
            self._show("coming to rest")
            await self._site.settle()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    def who_does_not_serve(self) -> list[str]:
        """The servers that have not started to work, with the last that they said."""
        idle = [each for each in self._site.servers if not each.said('"started"')]
        said = {each: each.log.read_text("utf-8", "replace").splitlines()[-2:] for each in idle}
        return [f"{each.name} of {each.release.name}: {' '.join(said[each])}" for each in idle]

    async def _there_and_back(self, first: Release, then: Release) -> None:
        one, other = self._site.servers
        for server, release in ((one, then), (other, then), (one, first), (other, first)):
            await asyncio.sleep(self._step_seconds)
            self._show(f"{server.name} becomes {release.name}")
            await self._site.replace(server, release=release)
            self.served.append(release.name)
            for each in self._site.servers:
                await asyncio.sleep(self._step_seconds / 2)
                self._site.restart(each)
                self.served.append(each.release.name)
                await self._site.all_serve()
        await asyncio.sleep(self._step_seconds)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            await self._site.look()
            self._site.tend()
