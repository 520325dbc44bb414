"""One simulation by name, so that it can be told, sent to another process, and done again."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace

from proof.simulate.backend import Backend
from proof.simulate.faults import AtRandom, Exactly, Fault, Plan
from proof.simulate.run import Result, simulate
from proof.simulate.scenarios import Scenario, everything, handoff, random_scenario

WITHOUT_FAULTS_SEED = 4
"""With it `everything` does all that there is to do: chance decides which game server claims."""
_NAMED = {"everything": everything, "handoff": handoff}
_RATE = 0.04
_LAST = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A scenario, a seed, and faults: those given, or where `dice` those that the seed gives."""

    scenario: str
    seed: int
    faults: tuple[tuple[int, Fault], ...] = ()
    dice: bool = False

    def __str__(self) -> str:
        faults = ",".join(f"{number}={fault.name}" for number, fault in self.faults)
        return f"{self.scenario}:{self.seed}:{'dice' if self.dice else faults}"

    @classmethod
    def parse(cls, text: str) -> Job:
        """The inverse of `str`. Raises ValueError."""
        scenario, seed, faults = text.split(":")
        if scenario not in (*_NAMED, "random"):
            raise ValueError(f"there is no scenario {scenario!r}")
        if faults == "dice":
            return cls(scenario=scenario, seed=int(seed), dice=True)
        pairs = (each.split("=") for each in faults.split(",") if each)
        return cls(
            scenario=scenario,
            seed=int(seed),
            faults=tuple((int(number), Fault[name]) for number, name in pairs),
        )

    def made(self) -> Scenario:
        """The scenario itself."""
        return _NAMED.get(self.scenario) or random_scenario(self.seed)


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


def perform(backend: Backend, job: Job) -> Outcome:
    """Runs a job. A crash of the simulation is a finding, too."""
    plan: Plan
    if job.dice:
        plan = AtRandom(random.Random(f"faults {job.seed}"), rate=_RATE, last=_LAST)
    else:
        plan = Exactly(faults=dict(job.faults))
    try:
        result = simulate(backend, job.made(), plan, seed=job.seed)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is told with its job
        return Outcome(job=job, broken=(f"the simulation itself failed: {error!r}",))
    met = plan.made if isinstance(plan, AtRandom) else dict(job.faults)
    return _outcome(job, result, tuple(met.items()))


def _outcome(job: Job, result: Result, made: tuple[tuple[int, Fault], ...]) -> Outcome:
    return Outcome(
        job=job,
        broken=(
            *(f"{each.fault.value}: {each.text}" for each in result.verdict.findings),
            *(f"defect: {each}" for each in result.defects),
        ),
        operations=tuple(operation.name for operation in result.operations),
        injected=Counter({fault.value: times for fault, times in result.injected.items()}),
        made=made,
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
