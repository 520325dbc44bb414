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

from crowd.history import History, State, What
from crowd.judge import Verdict, judge
from crowd.wire import note, note_again
from matchkeeper.config import Settings
from matchkeeper.store import scripts
from proof.simulate.actors import World
from proof.simulate.backend import Backend
from proof.simulate.defects import logged_defects
from proof.simulate.faults import Fault, Operation, Plan
from proof.simulate.loop import SimLoop, SimTask
from proof.simulate.network import Network
from proof.simulate.scenarios import Scenario
from proof.simulate.settings import LIFETIMES, REQUIRED, TIMEOUT_SECONDS

_WRITERS = (
    "enqueue", "dequeue", "commit", "handoff", "redeliver", "give_back",
    "set_aside", "expire", "enter", "sweep",
)  # fmt: skip
_THAWED_SECONDS = 200.0
"""Longer than a process is frozen: else its rest would end in the next run, as a defect there."""


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


def simulate(
    backend: Backend,
    scenario: Scenario,
    plan: Plan,
    *,
    seed: int,
    given: Settings,
) -> Result:
    """Runs the scenario under the plan."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL + 1)
    backend.reset()
    SimTask.numbers = count()  # each run counts anew
    loop = SimLoop(backend.pass_time)
    history = History()
    rng = random.Random(seed)  # the point of it
    tags = tuple(mode.queue.mode for mode in given.modes())
    realm = given.matchmaking.realm
    look = _looker(backend, history, loop, realm, tags)
    network = Network(
        loop,
        backend,
        plan,
        rng,
        timeout_seconds=TIMEOUT_SECONDS,
        realm=realm,
        on_process=lambda what, who: history.add(what, loop.time(), who=who),
        on_push=lambda who, channel, data: note(history, loop.time(), who, channel, data),
        on_again=lambda _, channel, data: note_again(history, loop.time(), channel, data),
        on_run=lambda name: look() if name in _WRITERS else None,
    )
    network.name_scripts({each.sha: each.name for each in scripts.every()})
    world = World(
        loop=loop,
        network=network,
        history=history,
        rng=rng,
        settings=given,
        timeout=timedelta(seconds=TIMEOUT_SECONDS),
        at_rest=lambda: _at_rest(backend, realm, tags),
    )
    with logged_defects() as logged:
        try:
            loop.run_until_complete(scenario(world))
            history.add(
                What.LOOKED, loop.time(), who="operator", state=backend.look(realm, tags).state
            )
        finally:
            history.close()
            _end(loop)
    return Result(
        verdict=_judged(history, given),
        history=history,
        operations=tuple(network.operations),
        injected=dict(network.injected),
        defects=(*logged, *world.defects),
        simulated_seconds=loop.time(),
    )


def _judged(history: History, given: Settings) -> Verdict:
    return judge(
        history,
        required=REQUIRED,
        lifetimes=LIFETIMES,
        several=given.matchmaking.allow_multiple_queues,
        sizes={mode.queue.mode: mode.required_players for mode in given.modes()},
        teams={mode.queue.mode: mode.team_size for mode in given.modes()},
    )


def _at_rest(backend: Backend, realm: str, tags: tuple[str, ...]) -> bool:
    seen = backend.look(realm, tags)
    return (
        not any(seen.state.pending.values())
        and all(len(seen.state.queues.get(tag, ())) < players for tag, players in REQUIRED.items())
        and not seen.requests
    )


def _looker(
    backend: Backend, history: History, loop: SimLoop, realm: str, tags: tuple[str, ...]
) -> Callable[[], None]:
    last: list[State] = []

    def look() -> None:
        state = backend.look(realm, tags).state
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
        loop.run_until_complete(asyncio.wait(tasks, timeout=_THAWED_SECONDS))
    loop.close()
    gc.collect(0)
