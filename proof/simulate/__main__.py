"""`python -m proof.simulate`: the deterministic simulation."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from crowd.history import Event
from proof.simulate.backend import Backend
from proof.simulate.explore import (
    first_faults,
    run_all,
    second_faults,
    seeds,
    single_faults,
    workers,
)
from proof.simulate.faults import Fault, Twist
from proof.simulate.jobs import WITHOUT_FAULTS_SEED, Job, Outcome, outcome_of, perform, play, shrink

console = Console()
_SHOWN = 5


@dataclass(slots=True, kw_only=True)
class Part:
    """One part of the exploration."""

    name: str
    runs: int = 0
    players: int = 0
    matches: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    broken: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """How the simulations are run."""

    processes: int
    every: int
    until_found: bool

    def over(self, parts: Sequence[Part]) -> bool:
        """Whether what was looked for is found."""
        return self.until_found and any(part.broken for part in parts)


def main(
    count: Annotated[int, typer.Option("--seeds", help="Random seeds.")] = 1000,
    first_seed: Annotated[int, typer.Option(help="The first of them.")] = 1,
    every: Annotated[
        int, typer.Option(help="Of the exhaustive part only every nth run. 0: none.")
    ] = 1,
    processes: Annotated[int, typer.Option(help="Simulations at once.")] = workers(),
    twist: Annotated[
        list[Twist] | None,
        typer.Option(help="All seeds have it, and no others. [some have some]"),
    ] = None,
    until_found: Annotated[bool, typer.Option(help="End with the first that is broken.")] = False,
    replay: Annotated[
        str, typer.Option(help="Run this one again, with its log; as a failure tells it.")
    ] = "",
) -> None:
    """Runs the server under a simulated clock and network, with a fault at every operation.

    Example: python -m proof.simulate --seeds 10000
    """
    if replay:
        sys.exit(_replay(replay))
    runs = Runs(processes=processes, every=every, until_found=until_found)
    makers: list[Callable[[Runs], Part]] = [_singles, _pairs] if every else []
    makers.append(lambda runs: _part("random seeds", seeds(first_seed, count, twist), runs))
    if until_found:
        makers.reverse()  # chance finds most things sooner
    parts: list[Part] = []
    for make in makers:
        if not runs.over(parts):
            parts.append(make(runs))
    _report(parts)
    sys.exit(any(part.broken for part in parts))


def _part(name: str, jobs: Iterable[Job], runs: Runs) -> Part:
    part, begun = Part(name=name), time.monotonic()
    jobs = list(jobs)
    outcomes = run_all(jobs, processes=runs.processes)
    for outcome in track(outcomes, name, total=len(jobs), console=console, transient=True):
        part.runs += 1
        part.players += outcome.players
        part.matches += outcome.matches
        part.injected += outcome.injected
        if outcome.broken:
            part.broken.append(outcome)
        if runs.over([part]):
            break
    part.seconds = time.monotonic() - begun
    return part


def _plain(scenario: str) -> Outcome:
    backend = Backend()
    try:
        return perform(backend, Job(scenario=scenario, seed=WITHOUT_FAULTS_SEED))
    finally:
        backend.close()


def _singles(runs: Runs) -> Part:
    plain = _plain("everything")
    name = f"each fault at each of {len(plain.operations)} operations"
    return _part(name, single_faults(plain, every=runs.every), runs)


def _pairs(runs: Runs) -> Part:
    firsts = list(run_all(first_faults(_plain("handoff")), processes=runs.processes))
    firsts.sort(key=lambda outcome: str(outcome.job))
    jobs = [job for first in firsts for job in second_faults(first, every=runs.every)]
    return _part("pairs of faults in the handoff", jobs, runs)


def _report(parts: list[Part]) -> None:
    table = Table(title="Simulation")
    for column in ("", "runs", "faults", "players", "matches", "broken", "seconds"):
        table.add_column(column, justify="left" if not column else "right")
    for part in parts:
        table.add_row(
            part.name,
            f"{part.runs:,}",
            f"{part.injected.total():,}",
            f"{part.players:,}",
            f"{part.matches:,}",
            f"{len(part.broken):,}",
            f"{part.seconds:.0f}",
        )
    console.print(table)
    _report_faults(sum((part.injected for part in parts), Counter()))
    broken = [outcome for part in parts for outcome in part.broken]
    _report_broken(broken)


def _report_faults(injected: Counter[str]) -> None:
    table = Table(title="Faults by kind")
    table.add_column("fault")
    table.add_column("times", justify="right")
    for fault in Fault:
        table.add_row(fault.value, f"{injected[fault.value]:,}")
    console.print(table)


def _report_broken(broken: list[Outcome]) -> None:
    if not broken:
        return
    backend = Backend()
    try:
        for outcome in broken[:_SHOWN]:
            smallest = shrink(backend, outcome)
            console.print(f"\n[red]Broken[/]: {smallest.job}", soft_wrap=True)
            for text in smallest.broken[:_SHOWN]:
                console.print(f"  {text}", markup=False, soft_wrap=True)
            again = f"  again: python -m proof.simulate --replay '{smallest.job}'"
            console.print(again, soft_wrap=True)
    finally:
        backend.close()


def _line(event: Event) -> str:
    facts = (event.who, event.what.value, event.word, event.code, event.player, event.match)
    who = ", ".join(player for player, _ in event.players)
    epoch = f"epoch {event.epoch}" if event.epoch else ""
    way = "by stream" if event.by_stream else ""
    return " ".join(filter(None, (f"{event.at:9.4f}", *facts, epoch, way, who)))


def _replay(text: str) -> int:
    try:
        job = Job.parse(text)
    except (ValueError, KeyError) as error:
        console.print(f"Error: {text!r} is no run: {error}", markup=False)
        console.print("Hint: it looks like random:17:dice, or everything:1:57=REPLY_LOST")
        return 2
    backend = Backend()
    try:
        result, faults = play(backend, job)
    finally:
        backend.close()
    for event in result.history:
        if event.state is None:
            console.print(_line(event), markup=False, highlight=False, soft_wrap=True)
    outcome = outcome_of(job, result, faults)
    for operation in result.operations:
        if operation.number in faults:
            fault = faults[operation.number].value
            where = f"{operation.number}, {operation.process} {operation.name}"
            console.print(f"fault at {where}: {fault}", markup=False)
    console.print(result.verdict.summary(), outcome.digest[:16], markup=False)
    for broken in outcome.broken:
        console.print(f"  {broken}", markup=False, soft_wrap=True)
    return 1 if outcome.broken else 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets of texts is a part of the history.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "proof.simulate", *sys.argv[1:]])  # noqa: S606
    typer.run(main)
