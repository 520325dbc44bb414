"""One simulation: from a plan and a seed to a verdict."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

from matchkeeper.config import Settings, load
from matchkeeper.store import scripts
from proof.judge import History, State, Verdict, What, judge
from proof.simulate.actors import World
from proof.simulate.backend import Backend
from proof.simulate.defects import logged_defects
from proof.simulate.faults import Fault, Operation, Plan
from proof.simulate.loop import SimLoop, SimTask
from proof.simulate.network import Network
from proof.simulate.scenarios import Scenario
from proof.wire import note, note_again

TIMEOUT_SECONDS = 1.0
REQUIRED = {"normal": 2, "squad": 2}
"""Players of a match in the modes where anybody may play anybody."""
LIFETIMES = {"normal": 25.0, "brief": 4.0}
"""Seconds after which a player who waits in a mode is taken out."""
_WRITERS = (
    "enqueue", "dequeue", "commit", "claim", "confirm", "decline", "redeliver", "give_back",
    "set_aside", "expire",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one simulation."""

    verdict: Verdict
    history: History
    operations: tuple[Operation, ...]
    injected: dict[Fault, int]
    defects: tuple[str, ...]
    """Errors that nobody expected."""
    simulated_seconds: float

    @property
    def digest(self) -> str:
        """The same for the same history."""
        return hashlib.sha256(self.history.text()).hexdigest()


def settings() -> Settings:
    """Short times, so that little simulated time holds much."""
    modes = [
        {"game_mode": "Normal", "max_wait_seconds": LIFETIMES["normal"]},
        {"game_mode": "Brief", "max_wait_seconds": LIFETIMES["brief"]},
        {"game_mode": "Squad", "handoff": "claim"},
        {"game_mode": "Trio", "required_players": 3, "handoff": "claim", "use_mmr_matching": True},
    ]
    return load(
        None,
        environ={},
        overrides={
            "matchmaking.game_modes": modes,
            "matchmaking.redis_operation_timeout_seconds": TIMEOUT_SECONDS,
            "matchmaking.try_match_tick_interval_seconds": 1.0,
            "matchmaking.offer_timeout_seconds": 2.0,
            "matchmaking.max_offers": 2,
            "matchmaking.match_memory_seconds": 120,
            "matchmaking.unclaimed_hold_seconds": 1,
            "matchmaking.unclaimed_hold_max_seconds": 2,
            "redis.breaker_cooldown_seconds": 2,
            "redis.breaker_cooldown_max_seconds": 3,
            "server.shutdown_deadline_seconds": 3,
        },
    )


def simulate(
    backend: Backend,
    scenario: Scenario,
    plan: Plan,
    *,
    seed: int,
    given: Settings | None = None,
) -> Result:
    """Runs the scenario under the plan."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL + 1)
    backend.reset()
    SimTask._numbers = count()  # noqa: SLF001  # each run counts anew
    loop = SimLoop(backend.pass_time)
    history = History()
    rng = random.Random(seed)  # the point of it
    tags = tuple(mode.tag for mode in (given or settings()).modes())
    look = _looker(backend, history, loop, tags)
    network = Network(
        loop,
        backend,
        plan,
        rng,
        timeout_seconds=TIMEOUT_SECONDS,
        on_push=lambda who, channel, data: note(history, loop.time(), who, channel, data),
        on_again=lambda _, channel, data: note_again(history, loop.time(), channel, data),
        on_run=lambda name: look() if name in _WRITERS else None,
    )
    network.name_scripts({scripts.sha(each): each.value for each in scripts.Script})
    world = World(
        loop=loop,
        network=network,
        history=history,
        rng=rng,
        settings=given or settings(),
        timeout=timedelta(seconds=TIMEOUT_SECONDS),
        at_rest=lambda: _at_rest(backend, tags),
    )
    with logged_defects() as logged:
        try:
            loop.run_until_complete(scenario(world))
            history.add(What.LOOKED, loop.time(), who="operator", state=backend.look(tags).state)
        finally:
            history.close()
            _end(loop)
    return Result(
        verdict=judge(history, required=REQUIRED, lifetimes=LIFETIMES),
        history=history,
        operations=tuple(network.operations),
        injected=dict(network.injected),
        defects=(*logged, *world.defects),
        simulated_seconds=loop.time(),
    )


def _at_rest(backend: Backend, tags: tuple[str, ...]) -> bool:
    seen = backend.look(tags)
    return (
        not any(seen.state.pending.values())
        and all(len(seen.state.queues[tag]) < players for tag, players in REQUIRED.items())
        and not seen.requests
    )


def _looker(
    backend: Backend, history: History, loop: SimLoop, tags: tuple[str, ...]
) -> Callable[[], None]:
    last: list[State] = []

    def look() -> None:
        state = backend.look(tags).state
        if last[-1:] != [state]:
            last[:] = [state]
            history.add(What.LOOKED, loop.time(), who="operator", state=state)

    return look


def _end(loop: SimLoop) -> None:
    """Throws away what still runs; nobody looks any more."""
    loop.on_time = lambda _now: None
    for _ in range(20):
        tasks = sorted(asyncio.all_tasks(loop), key=hash)
        if not tasks:
            break
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.wait(tasks, timeout=5))
    loop.close()
    gc.collect(0)
