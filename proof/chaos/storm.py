"""The driver: volleys of crashes, other faults between them, and calm in which to recover."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from proof.chaos.faults import CRASHES, Blow, CommandFault, Kind
from proof.chaos.lasting import Lasting
from proof.chaos.processes import Child
from proof.chaos.site import Site
from proof.chaos.valkey import until_done

_AIMS = (
    "enqueue",
    "dequeue",
    "commit",
    "handoff",
    "settle",
    "redeliver",
    "give_back",
)
_LONGEST_AIM_SECONDS = 0.15
_LONGEST_RECOVERY_SECONDS = 30.0
_QUIET_SECONDS = 0.2
_LOOKED_SECONDS = 3.0
"""After this time a server that started without Valkey has looked at it."""
_OFTEN, _SELDOM = 0.08, 0.004
"""The share of commands that meet a fault in a storm, and in a volley."""
_VOLLEY, _SHORT_VOLLEY = (10, 50), (1, 20)
"""How many crashes in a row: fewest and most."""
_CRASHES: dict[Kind, int] = {
    Kind.VALKEY_KILLED: 79,
    Kind.VALKEY_TORN: 10,
    Kind.VALKEY_REWRITING: 3,
    Kind.VALKEY_DISK_FULL: 3,
    Kind.SERVER_KILLED: 2,
    Kind.POD_KILLED: 3,
}
_CRASHES_OF_REPLICAS: dict[Kind, int] = {
    Kind.VALKEY_PROMOTED: 70,
    Kind.REPLICA_KILLED: 12,
    Kind.SERVER_KILLED: 8,
    Kind.POD_KILLED: 10,
}
_ALONE = (Kind.VALKEY_FROZEN, Kind.VALKEY_FORBIDS, Kind.VALKEY_REFUSES)
"""While these last, Valkey must not be killed."""
_BESIDE = (
    Kind.SERVER_FROZEN,
    Kind.SERVER_STOPPED,
    Kind.POD_FROZEN,
    Kind.CUT,
    Kind.RESET,
    Kind.LISTENERS_CUT,
    Kind.LISTENER_CUT,
    Kind.DELAYED,
    Kind.BLACK_HOLE,
    Kind.BLACK_HOLE_RESET,
    Kind.REFUSED,
)


class Storm:
    """Makes faults on a site, and notes them."""

    def __init__(self, site: Site, rng: random.Random) -> None:
        self.blows: list[Blow] = []
        self._site = site
        self._rng = rng
        self._crashes = _CRASHES_OF_REPLICAS if site.replicas else _CRASHES
        self._alone = _ALONE[:2] if site.replicas else _ALONE
        self._makers: dict[Kind, Callable[[], Awaitable[None]]] = {
            Kind.VALKEY_KILLED: self._kill_valkey,
            Kind.VALKEY_TORN: self._tear_valkey,
            Kind.VALKEY_REWRITING: self._kill_rewriting,
            Kind.VALKEY_DISK_FULL: self._fill_disk,
            Kind.VALKEY_PROMOTED: self._promote,
            Kind.REPLICA_KILLED: self._kill_replica,
            Kind.SERVER_KILLED: self._kill_server,
            Kind.POD_KILLED: self._kill_pod,
            Kind.SERVER_STOPPED: self._stop_server,
            Kind.VALKEY_FROZEN: self._freeze_valkey,
            Kind.VALKEY_FORBIDS: self._forbid,
            Kind.SERVER_FROZEN: self._freeze_server,
            Kind.POD_FROZEN: lambda: self._freeze(rng.choice(site.pods), longest=8),
            Kind.VALKEY_REFUSES: self._refuse_writes,
            Kind.CUT: self._cut,
            Kind.RESET: self._reset,
            Kind.LISTENERS_CUT: self._cut_listeners,
            Kind.LISTENER_CUT: self._cut_listener,
            Kind.DELAYED: self._delay,
            Kind.BLACK_HOLE: self._black_hole,
            Kind.BLACK_HOLE_RESET: self._black_hole_reset,
            Kind.REFUSED: self._refuse,
        }

    @property
    def crashes(self) -> int:
        """Crash cycles so far."""
        return sum(blow.kind in CRASHES for blow in self.blows)

    async def run(self, over: Callable[[], bool]) -> None:
        """Until it is over; then everything is well again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(Lasting(self._site, self._rng, over).run(self._note))
            await self._strike(over)

    async def _strike(self, over: Callable[[], bool]) -> None:
        await self._recover()
        while not over():
            if self._site.quiet:
                await asyncio.sleep(_QUIET_SECONDS)
                continue
            await self._volley(_VOLLEY, over)
            await self._recover()
            if over() or self._site.quiet:
                continue
            await self._disturb(over)
            await self._recover()
        self._site.proxy.plan = lambda _name: None

    async def _volley(self, counts: tuple[int, int], over: Callable[[], bool]) -> None:
        """Crashes in quick succession, each in the middle of something."""
        with_faults = self._rng.random() < 0.3
        self._site.proxy.plan = self._dice(_SELDOM if with_faults else 0)
        for _ in range(self._rng.randint(*counts)):
            if over() or self._site.quiet:
                break
            (kind,) = self._rng.choices(list(self._crashes), list(self._crashes.values()))
            await self._in_the_middle()
            await self._make(kind)
        self._site.proxy.plan = self._dice(0)

    async def _disturb(self, over: Callable[[], bool]) -> None:
        dice = self._rng.random()
        if dice < 0.2:
            self._site.proxy.plan = self._dice(_OFTEN)
            await asyncio.sleep(self._rng.uniform(1, 3))
            self._site.proxy.plan = self._dice(0)
        elif dice < 0.4:
            await self._make(self._rng.choice(self._alone))
        elif dice < 0.7:
            await self._make(self._rng.choice(_BESIDE))
        else:
            await asyncio.gather(
                self._make(self._rng.choice(_BESIDE)), self._volley(_SHORT_VOLLEY, over)
            )

    async def _make(self, kind: Kind) -> None:
        await self._note(kind, self._makers[kind]())

    async def _note(self, kind: Kind, fault: Awaitable[None]) -> None:
        at, in_flight = time.monotonic(), self._site.proxy.in_flight
        await fault
        self.blows.append(Blow(kind=kind, at=at, back_at=time.monotonic(), in_flight=in_flight))

    async def _in_the_middle(self) -> None:
        """Waits for a moment at which there is something to lose."""
        aim = self._site.proxy.aim(*self._rng.sample(_AIMS, 3))
        try:
            async with asyncio.timeout(_LONGEST_AIM_SECONDS):
                await aim
        except TimeoutError:
            aim.cancel()
        await asyncio.sleep(self._rng.choice((0, 0, 0.0002, 0.0005, 0.001, 0.003)))

    async def _recover(self) -> None:
        """Until a match was made and one was started, or should have been long ago."""
        proxy, begun = self._site.proxy, time.monotonic()
        if self.blows:
            self.blows[-1] = replace(self.blows[-1], then_calm=True)
        while time.monotonic() - begun < _LONGEST_RECOVERY_SECONDS:
            if proxy.committed_at > begun and proxy.started_at > proxy.committed_at - 1:
                break
            await asyncio.sleep(0.02)
        await asyncio.sleep(self._rng.uniform(0.1, 0.5))
        self._site.tend()

    def _dice(self, share: float) -> Callable[[str], CommandFault | None]:
        kinds = list(CommandFault)

        def plan(_name: str) -> CommandFault | None:
            return self._rng.choice(kinds) if self._rng.random() < share else None

        return plan

    async def _kill_valkey(self) -> None:
        self._site.primary.kill()
        await self._site.primary.start()

    async def _tear_valkey(self) -> None:
        self._site.primary.kill()
        self._site.primary.tear(self._rng)
        await self._site.primary.start()

    async def _kill_rewriting(self) -> None:
        await self._site.primary.rewrite()
        await asyncio.sleep(self._rng.choice((0, 0.001, 0.003, 0.01)))
        await self._kill_valkey()

    async def _fill_disk(self) -> None:
        await self._site.primary.fill_disk(self._rng)
        await self._kill_valkey()

    async def _refuse_writes(self) -> None:
        # It is not durable for a moment, and a server that looks meanwhile would rightly refuse.
        async with self._site.settled:
            await self._site.all_serve()
            await asyncio.sleep(_LOOKED_SECONDS)
            await self._site.primary.refuse_writes(self._rng.uniform(0.1, 1))

    async def _promote(self) -> None:
        self._site.primary.kill()
        await self._site.replica.promote()
        self._site.fail_over()
        await self._fresh_replica()

    async def _kill_replica(self) -> None:
        self._site.replica.kill()
        await self._fresh_replica()

    async def _fresh_replica(self) -> None:
        """An empty one, which has to be given everything."""
        self._site.replica.wipe()
        await self._site.replica.start(replica_of=self._site.primary.port)
        await self._site.in_step()

    async def _kill_server(self) -> None:
        self._site.restart(self._rng.choice(self._site.servers))

    async def _kill_pod(self) -> None:
        self._site.restart(self._rng.choice(self._site.pods))

    async def _stop_server(self) -> None:
        child = self._rng.choice(self._site.servers)
        child.stop()
        child.start()

    async def _forbid(self) -> None:
        port = self._site.primary.port
        for right in ("-evalsha", "+evalsha"):
            await until_done(port, "ACL", "SETUSER", "default", right)
            await asyncio.sleep(self._rng.uniform(0.2, 3) if right[0] == "-" else 0)

    async def _freeze_server(self) -> None:
        # A server that knows no newer settings may match by old ones: this is nobody's fault.
        longest = 1 if self._site.rolls_out else 8
        await self._freeze(self._rng.choice(self._site.servers), longest=longest)

    async def _freeze_valkey(self) -> None:
        valkey = self._site.primary
        valkey.freeze()
        await asyncio.sleep(self._rng.choice((0.05, 0.3, 1, 2.5)))
        valkey.thaw()

    async def _freeze(self, child: Child, *, longest: float) -> None:
        """`longest`: where others go on, longer than leases and all that anybody waits for."""
        self._site.freeze(child)
        await asyncio.sleep(self._rng.choice((0.05, 0.3, 1, longest)))
        self._site.thaw(child)

    async def _cut(self) -> None:
        self._site.proxy.cut_all()

    async def _reset(self) -> None:
        self._site.proxy.cut_all(reset=True)

    async def _cut_listeners(self) -> None:
        for link in self._site.proxy.listeners:
            link.cut(reset=True)

    async def _cut_listener(self) -> None:
        listeners = self._site.proxy.listeners
        for link in self._rng.sample(listeners, min(1, len(listeners))):
            link.cut(reset=True)

    async def _delay(self) -> None:
        self._site.proxy.weather.delay_seconds = self._rng.choice((0.01, 0.1, 0.4))
        await asyncio.sleep(self._rng.uniform(0.5, 3))
        self._site.proxy.weather.delay_seconds = 0.0

    async def _black_hole(self) -> None:
        self._site.proxy.weather.passes.clear()
        await asyncio.sleep(self._rng.uniform(0.2, 3))
        self._site.proxy.weather.passes.set()

    async def _black_hole_reset(self) -> None:
        self._site.proxy.weather.passes.clear()
        await asyncio.sleep(self._rng.uniform(0.2, 3))
        self._site.proxy.cut_all(reset=True)
        self._site.proxy.weather.passes.set()

    async def _refuse(self) -> None:
        self._site.proxy.weather.refuses = True
        self._site.proxy.cut_all(reset=True)
        await asyncio.sleep(self._rng.uniform(0.2, 2))
        self._site.proxy.weather.refuses = False
