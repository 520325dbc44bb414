"""What happens while the faults come: everything a match server does, in a simulated minute."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from typing import Any

from crowd.behaviours import PodBehaviour
from proof.simulate.actors import Pod, Server, World
from proof.simulate.faults import Twist
from proof.simulate.parties import parties
from proof.simulate.players import Player
from proof.simulate.settings import newer

Scenario = Callable[[World], Coroutine[Any, Any, None]]
Step = tuple[float, Callable[[], Awaitable[Any]]]
"""At which second what is done."""

_WITH_BOTH = frozenset({Twist.UNEQUAL, Twist.PUBSUB, Twist.FREEZES})
_SLOW_FROM_SECONDS, _SLOW_UNTIL_SECONDS = 0.6, 30.0
_AGAIN_AFTER_SECONDS = (None, 0.01, 0.5, 3.0)
_KNOWN_SECONDS = 3.0
"""Servers hear of each other every second."""
_CALM_SECONDS = 5.0
"""For this time nothing may change; it is longer than a breaker's cooldown and every pause."""
_PATIENCE_SECONDS = 180.0
"""Longer than all leases, offers, holds and breakers that one pod can cause one after the other."""

_RUDE_SEEDS, _TARDY_SEEDS = 0, 2
"""Of every seven seeds, one has an additional rude pod, and in one all pods are tardy at first."""
_CHANCE = [
    PodBehaviour.CLAIMS, PodBehaviour.NEVER_CLAIMS, PodBehaviour.DECLINES, PodBehaviour.FORGETS,
    PodBehaviour.STARTS_LATE, PodBehaviour.DIES,
]  # fmt: skip
"""In this order: a seed means them by their number."""


def _servers(world: World, twists: Collection[Twist] = ()) -> None:
    """Two servers. The second comes when it is called, or at once where a twist says so."""
    for name in ("server-a", "server-b"):
        world.servers[name] = Server(world, name)
    world.network.on_second_server = world.servers["server-b"].start
    world.servers["server-a"].start()
    if not _WITH_BOTH.isdisjoint(twists) and Twist.DIFFERENT not in twists:
        world.servers["server-b"].start()
    if Twist.UNEQUAL in twists:
        slow = world.rng.choice(list(world.servers.values()))
        step_seconds = world.rng.choice((0.01, 0.015, 0.02))
        world.loop.call_later(_SLOW_FROM_SECONDS, slow.slow_down, step_seconds)
        world.loop.call_later(_SLOW_UNTIL_SECONDS, slow.slow_down, 0.0)
    if Twist.DIFFERENT in twists:
        world.settings_of["server-b"] = newer(world.settings)
        world.network.on_second_server = lambda: None


async def _roll_out(world: World) -> None:
    """The settings that are seen later are the newer ones; from then on they count."""
    await _seen(world, settings=1)
    world.servers["server-b"].start()
    await _seen(world, settings=2)
    await asyncio.sleep(_KNOWN_SECONDS)


async def _seen(world: World, *, settings: int) -> None:
    """Waits until Redis knows as many settings as `settings` says."""
    while world.settings_seen() < settings:
        await asyncio.sleep(0.1)


def _pods(world: World, **behaviours: list[PodBehaviour]) -> None:
    for name, each in behaviours.items():
        world.pods[name] = Pod(world, name, each)
        world.pods[name].start()


async def _do(*steps: Step) -> None:
    """Each step at its second, none waiting for another."""

    async def later(seconds: float, step: Callable[[], Awaitable[Any]]) -> None:
        await asyncio.sleep(seconds)
        await step()

    async with asyncio.TaskGroup() as group:
        for seconds, step in steps:
            group.create_task(later(seconds, step))


async def _calm(world: World) -> None:
    """Until everything has come to rest, or should have long ago."""
    calm = waited = 0.0
    while calm < _CALM_SECONDS and waited < _PATIENCE_SECONDS:
        await asyncio.sleep(0.5)
        waited += 0.0 if world.frozen else 0.5
        calm = calm + 0.5 if world.at_rest() and not world.frozen else 0.0


async def everything(world: World) -> None:
    """Requests by both ways, matches of all kinds, leaving at every moment, a shutdown."""
    _servers(world)
    _pods(
        world,
        pa=[PodBehaviour.CLAIMS, PodBehaviour.FORGETS, PodBehaviour.FORGETS, PodBehaviour.FORGETS],
        pb=[PodBehaviour.NEVER_CLAIMS, PodBehaviour.DECLINES, PodBehaviour.FORGETS],
    )
    stream = {
        name: Player(world, name, mode=mode, pod=pod, by_stream=True)
        for name, mode, pod in (
            ("s1", "Squad", "pa"), ("s2", "Squad", "pb"), ("s3", "Squad", "pa"),
            ("s4", "Squad", "pb"), ("s5", "Squad", "pa"), ("t1", "Trio", "pa"),
            ("t2", "Trio", "pb"), ("t3", "Trio", "pa"), ("n3", "Normal", "pa"),
            ("n4", "Normal", "pb"), ("odd", "Normal", "pa"),
            ("brief", "Brief", "pb"),
        )
    }  # fmt: skip
    heard = {
        name: Player(world, name, mode="Normal", pod=pod, by_stream=False)
        for name, pod in (("n1", "pa"), ("n2", "pb"))
    }

    async def poison() -> None:
        world.put_by_hand("bad", mode="normal", metadata=b"{")

    async def shutdown() -> None:
        world.servers["server-b"].start()
        await asyncio.sleep(0.3)
        world.servers["server-a"].stop()

    await _do(
        *((0.5 + 0.01 * i, each.enqueue) for i, each in enumerate(heard.values())),
        (0.6, stream["s1"].enqueue),
        (0.6, stream["s2"].enqueue),
        (0.9, stream["n3"].enqueue),
        (0.9, stream["t1"].enqueue),
        (1.0, stream["t2"].enqueue),
        (1.0, stream["t2"].dequeue),
        (1.2, stream["s3"].enqueue),
        (1.2, stream["s4"].enqueue),
        (1.21, stream["s4"].dequeue),
        (1.5, stream["n4"].enqueue),
        (1.6, stream["s5"].enqueue),
        (2.0, stream["t2"].enqueue),
        (2.0, stream["t3"].enqueue),
        (2.2, stream["odd"].enqueue),
        (2.2, stream["brief"].enqueue),
        (2.3, poison),
        (3.0, shutdown),
        (3.2, heard["n1"].enqueue),
    )
    await _calm(world)


async def handoff(world: World) -> None:
    """One match of claim handoff from its players to its start: small, for pairs of faults."""
    _servers(world)
    _pods(world, pa=[PodBehaviour.CLAIMS])
    players = [Player(world, name, mode="Squad", pod="pa", by_stream=True) for name in ("s1", "s2")]
    await _do(*((0.5, each.enqueue) for each in players))
    await _calm(world)


def random_scenario(seed: int, twists: Collection[Twist] = ()) -> Scenario:
    """A scenario of its own for each seed."""
    dice = random.Random(f"scenario {seed}")  # the point of it

    async def scenario(world: World) -> None:
        _servers(world, twists)
        kinds = [PodBehaviour.CLAIMS] * 4 + _CHANCE
        pods = {f"p{i}": dice.choices(kinds, k=4) for i in range(dice.randint(1, 3))}
        if seed % 7 == _RUDE_SEEDS:
            pods["rude"] = [PodBehaviour.STARTS_UNCLAIMED] * 20
        elif seed % 7 == _TARDY_SEEDS:
            pods = {name: [PodBehaviour.CLAIMS_LATE] * 2 + each for name, each in pods.items()}
        homes = list(pods)
        if Twist.BLACK_HOLE in twists:
            pods["hole"] = [PodBehaviour.GRABS] * 1000
            world.late_seconds = 0.02
        _pods(world, **pods)
        if Twist.DIFFERENT in twists:
            await _roll_out(world)
        steps = _requests(world, dice, homes, twists) + _disturbances(world, dice)
        if Twist.PARTIES in twists:
            steps += parties(world, seed, homes)
        if Twist.STATUS in twists:
            world.pods_seek = True
            steps += _questions(world, seed)
        await _do(*steps)
        await _calm(world)

    return scenario


def _requests(
    world: World, dice: random.Random, pods: Sequence[str], twists: Collection[Twist]
) -> list[Step]:
    """What the players ask for, and when."""
    steps: list[Step] = []
    by_pubsub, several = Twist.PUBSUB in twists, Twist.SEVERAL in twists
    # A request by stream whose first reply was lost cannot say what it repeats: a limit, where no
    # server runs for longer than requests are remembered.
    world.network.freezes_all = by_pubsub and Twist.FREEZES in twists
    # A step forward ends what Redis remembers: a copy sent after it is a new request.
    sends_again = by_pubsub and Twist.CLOCKS not in twists
    by_stream = 0.0 if world.network.freezes_all else 0.1 if by_pubsub else 0.7
    for i in range(dice.randint(4, 12) + (20 if by_pubsub else 0)):
        player = Player(
            world,
            f"player{i}",
            mode=dice.choice(("Normal", "Squad", "Squad", "Trio", "Brief")),
            pod=dice.choice(pods),
            by_stream=dice.random() < by_stream,
            again_after=_AGAIN_AFTER_SECONDS[i % 4] if sends_again else None,
        )
        at = dice.uniform(0.3, 4)
        steps.append((at, player.enqueue))
        if several:
            player.mode = "Squad"
            steps.append((at + dice.choice((0.0, 0.01, 0.5)), player.in_mode("Trio").enqueue))
        elif dice.random() < 0.25:
            steps.append((at + dice.choice((0.0, 0.005, 0.02, 0.5, 2.5)), player.dequeue))
    return steps


def _questions(world: World, seed: int) -> list[Step]:
    """When pods ask where players are; some are asked for again after their match."""
    dice = random.Random(f"status {seed}")  # the point of it

    async def ask() -> None:
        pod = dice.choice(list(world.pods.values()))
        if pod.players:
            await pod.do(pod.seek(dice.choice(list(pod.players))))

    steps: list[Step] = [(dice.uniform(0.4, 12), ask) for _ in range(dice.randint(10, 40))]
    for i in range(dice.randint(1, 4)):
        name, pod = f"again{i}", dice.choice(list(world.pods))
        player = Player(world, name, mode=dice.choice(("Normal", "Squad")), pod=pod, by_stream=True)
        at = dice.uniform(0.3, 3)
        steps += [(at, player.enqueue), (at + dice.uniform(1, 8), player.enqueue)]
        steps.append((at + dice.uniform(1, 10), player.dequeue))
    return steps


def _disturbances(world: World, dice: random.Random) -> list[Step]:
    async def second() -> None:
        world.servers["server-b"].start()

    async def stop() -> None:
        while world.network.backend.has_just_stepped(world.network.loop.time()):
            await asyncio.sleep(0.5)  # the next server could not tell a step from time that passed
        world.servers["server-b"].start()
        world.servers["server-a"].stop()

    async def kill_pod() -> None:
        dice.choice(list(world.pods.values())).kill()

    return [
        (dice.uniform(0.2, 5), each) for each in (second, stop, kill_pod) if dice.random() < 0.4
    ]
