"""One simulation by name, so that it can be told, sent to another process, and done again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from proof.simulate.backend import Backend
from proof.simulate.faults import AtRandom, Exactly, Fault, Twist
from proof.simulate.run import Result, simulate
from proof.simulate.scenarios import Scenario, everything, handoff, random_scenario
from proof.simulate.settings import settings

WITHOUT_FAULTS_SEED = 4
"""With it `everything` does most of what there is to do; chance decides who claims."""
_NAMED = {"everything": everything, "handoff": handoff}
_RATE = 0.04
_SHARES = (0.0, 0.2, 1.0)
"""Shares of that rate, used where a twist alone is harm enough."""
_LAST = 600
_SEEDS_OF_A_REALM = 2
"""Of three; the others are played without a realm."""
_TWISTED = 0.12
"""The share of random runs that have a certain twist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A scenario, a seed, and faults: those given or, with `dice`, those that the seed gives."""

    scenario: str
    seed: int
    faults: tuple[tuple[int, Fault], ...] = ()
    dice: bool = False
    twists: tuple[Twist, ...] = ()

    def __str__(self) -> str:
        faults = ",".join(f"{number}={fault.name}" for number, fault in self.faults)
        name = "+".join((self.scenario, *self.twists))
        return f"{name}:{self.seed}:{'dice' if self.dice else faults}"

    @classmethod
    def parse(cls, text: str) -> Job:
        """The inverse of `str`. Raises ValueError."""
        name, seed, faults = text.split(":")
        scenario, *names = name.split("+")
        if scenario not in (*_NAMED, "random"):
            raise ValueError(f"there is no scenario {scenario!r}")
        job = cls(scenario=scenario, seed=int(seed), twists=tuple(map(Twist, names)))
        if faults == "dice":
            return replace(job, dice=True)
        pairs = (each.split("=") for each in faults.split(",") if each)
        return replace(job, faults=tuple((int(number), Fault[name]) for number, name in pairs))

    def made(self) -> Scenario:
        """The scenario itself."""
        return _NAMED.get(self.scenario) or random_scenario(self.seed, self.twists)


def random_job(seed: int, twists: Sequence[Twist] | None = None) -> Job:
    """A random scenario with random faults, and the twists that the seed gives, unless given."""
    if twists is None:
        dice = random.Random(f"twists {seed}")
        twists = [each for each in Twist if dice.random() < _TWISTED]
    return Job(scenario="random", seed=seed, dice=True, twists=tuple(twists))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a job, small enough to be sent."""

    job: Job
    broken: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    """Names, by number."""
    injected: Counter[str] = field(default_factory=Counter)
    made: tuple[tuple[int, Fault], ...] = ()
    """The faults that were met, whoever decided on them."""
    players: int = 0
    matches: int = 0
    digest: str = ""


def play(backend: Backend, job: Job) -> tuple[Result, Mapping[int, Fault]]:
    """Runs a job. Returns the faults that were met, too, whoever decided on them."""
    plan: AtRandom | Exactly
    if job.dice:
        rng = random.Random(f"faults {job.seed}")
        rate = _RATE * rng.choice(_SHARES) if job.twists else _RATE
        plan = AtRandom(rng, rate=rate, last=_LAST, twists=job.twists)
    else:
        plan = Exactly(faults=dict(job.faults))
    given = settings(
        several=Twist.SEVERAL in job.twists,
        at_once=1 if Twist.UNEQUAL in job.twists else 200,
        realm="eu" if job.seed % 3 == _SEEDS_OF_A_REALM else "",
        parties=Twist.PARTIES in job.twists,
    )
    result = simulate(backend, job.made(), plan, seed=job.seed, given=given)
    return result, plan.made if isinstance(plan, AtRandom) else plan.faults


def perform(backend: Backend, job: Job) -> Outcome:
    """What came of a job. A crash of the simulation is a finding, too."""
    try:
        result, met = play(backend, job)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is told with its job
        return Outcome(job=job, broken=(f"the simulation itself failed: {error!r}",))
    return outcome_of(job, result, met)


def outcome_of(job: Job, result: Result, met: Mapping[int, Fault]) -> Outcome:
    """The part of a result that is sent."""
    return Outcome(
        job=job,
        broken=(
            *(f"{each.fault.value}: {each.text}" for each in result.verdict.findings),
            *(f"defect: {each}" for each in result.defects),
        ),
        operations=tuple(operation.name for operation in result.operations),
        injected=Counter({fault.value: times for fault, times in result.injected.items()}),
        made=tuple(met.items()),
        players=result.verdict.attempted,
        matches=result.verdict.started,
        digest=result.digest,
    )


def shrink(backend: Backend, outcome: Outcome) -> Outcome:
    """The same failure with as few faults as leave it a failure."""
    smallest = outcome
    job = replace(outcome.job, dice=False, faults=outcome.made)
    again = perform(backend, job)
    if not again.broken:
        return outcome
    smallest = again
    tried = 0
    while tried < len(smallest.job.faults):
        faults = smallest.job.faults[:tried] + smallest.job.faults[tried + 1 :]
        without = perform(backend, replace(smallest.job, faults=faults))
        if without.broken:
            smallest = without
        else:
            tried += 1
    return smallest
