"""Faults that last, while crashes and the others go on beside them: one at a time, each in turn."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from proof.chaos.faults import Kind
from proof.chaos.processes import Child
from proof.chaos.settings import MEMORY_SECONDS
from proof.chaos.site import Site

_LOOK_SECONDS = 0.2
_CALM_SECONDS = 4.0
_AWAKE_SECONDS = 2.0
_HEARD_SECONDS = 5.0
"""By then servers know of each other's settings, and what they matched before has been heard."""
_SLOW_AND_QUIET, _FROZEN_AND_QUIET, _ROLLED_OUT_AND_QUIET = 0.2, 0.15, 0.2
"""The shares in which nothing else happens: connections hold, and bring what is late."""


class Lasting:
    """Makes them on a site. Each ends early once it is `over`."""

    def __init__(self, site: Site, rng: random.Random, over: Callable[[], bool]) -> None:
        self._site = site
        self._rng = rng
        self._over = over
        self._makers: dict[Kind, Callable[[], Awaitable[None]]] = {
            Kind.SERVER_SLOWED: self._slow,
            Kind.SERVER_FORGOTTEN: self._freeze,
            Kind.ROLLED_OUT: self._roll_out,
            Kind.PODS_SWALLOW: self._swallow,
        }

    async def run(self, make: Callable[[Kind, Awaitable[None]], Awaitable[None]]) -> None:
        """Until it is over. `make` waits for one of them, and notes it."""
        while not self._over():
            for kind in self._rng.sample(list(self._makers), len(self._makers)):
                await self._pause(self._rng.uniform(1, 4))
                if self._over():
                    return
                await make(kind, self._makers[kind]())

    async def _pause(self, seconds: float) -> None:
        until = asyncio.get_running_loop().time() + seconds
        while not self._over() and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(_LOOK_SECONDS)

    async def _server(self) -> Child:
        """Prefers the server that hears Pub/Sub: another one has to take its part."""
        hearing = await self._site.hearing()
        return self._rng.choice((hearing or self._site.servers) + self._site.servers)

    async def _perhaps_quiet(self, share: float) -> None:
        """Returns, where nothing else is to happen, once all servers hear again."""
        self._site.quiet = self._rng.random() < share
        if self._site.quiet:
            await self._pause(_CALM_SECONDS)

    async def _slow(self) -> None:
        await self._perhaps_quiet(_SLOW_AND_QUIET)
        server = await self._server()
        server.slow()
        try:
            await self._pause(self._rng.uniform(4, 15))
        finally:
            server.leave_alone()
            self._site.quiet = False
        await self._site.replace(server)

    async def _freeze(self) -> None:
        await self._perhaps_quiet(_FROZEN_AND_QUIET)
        server = await self._server()
        self._site.freeze(server)
        try:
            await self._pause(MEMORY_SECONDS + self._rng.uniform(1, 5))
        finally:
            self._site.thaw(server)
        await self._pause(_AWAKE_SECONDS)
        self._site.quiet = False

    async def _roll_out(self) -> None:
        site, new = self._site, self._site.newest + 1
        first, *others = self._rng.sample(site.servers, len(site.servers))
        site.allow_matches_of(new - 1, new)
        site.rolls_out = True
        await site.replace(first, newer=True)
        await self._perhaps_quiet(_ROLLED_OUT_AND_QUIET)
        if site.quiet:
            await self._pause(_HEARD_SECONDS)
            site.allow_matches_of(new)
            await self._pause(_HEARD_SECONDS)
            # A server that cannot reach Redis hears of no other.
            site.allow_matches_of(new - 1, new)
            site.quiet = False
        for server in others:
            await site.replace(server, newer=True)
        await site.all_gone()
        site.allow_matches_of(new)
        site.rolls_out = False

    async def _swallow(self) -> None:
        pods = self._rng.choice(self._site.pods)
        self._site.swallow(pods, on=True)
        try:
            await self._pause(self._rng.uniform(12, 20))
        finally:
            self._site.swallow(pods, on=False)
