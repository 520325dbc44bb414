"""`python -m proof.mutants`: bugs put into copies of the project, and which run finds each."""

from __future__ import annotations

import shutil
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from proof.mutants.catalogue import CONTROL, MUTANTS
from proof.mutants.mutant import Mutant, scratch_copy
from proof.mutants.runs import Result, Run, look_for, runs_for

console = Console(width=None if sys.stdout.isatty() else 120)
_BY_NAME = {mutant.name: mutant for mutant in (CONTROL, *MUTANTS)}
Found = dict[Mutant, dict[Run, Result]]


def main(
    only: Annotated[
        list[str] | None, typer.Option(help="Only this bug; may come several times.")
    ] = None,
    run: Annotated[
        list[Run] | None, typer.Option(help="Only this run; may come several times.")
    ] = None,
    first: Annotated[
        bool, typer.Option("--first", help="Go on to the next bug as soon as one run has it.")
    ] = False,
    show: Annotated[bool, typer.Option("--list", help="Only list the bugs.")] = False,
) -> None:
    """Puts one deliberate bug after the other into a copy of the project, and looks for it.

    A bug is caught when at least one run finds it. The copy without a bug comes first: there
    nothing may be found. Exits with 1 when a bug is not caught.

    Example: python -m proof.mutants --only claim_not_atomic --run simulation
    """
    if show:
        for mutant in MUTANTS:
            console.print(f"{mutant.name}: {mutant.what}", markup=False, soft_wrap=True)
        return
    unknown = sorted(set(only or ()) - set(_BY_NAME))
    if unknown:
        console.print(f"Error: there is no bug called {', '.join(unknown)}", markup=False)
        console.print("Hint: --list shows them all")
        sys.exit(2)
    wanted = run or [each for each in Run if each is not Run.MODEL or shutil.which("spin")]
    found: Found = {}
    for mutant in [_BY_NAME[name] for name in only] if only else _BY_NAME.values():
        found[mutant] = _look(mutant, wanted, first=first)
    _report(found, wanted)
    sys.exit(not all(_good(mutant, results) for mutant, results in found.items()))


def _look(mutant: Mutant, wanted: list[Run], *, first: bool) -> dict[Run, Result]:
    results: dict[Run, Result] = {}
    with scratch_copy(mutant) as root:
        for run in runs_for(mutant, wanted):
            result = look_for(mutant, run, root)
            results[run] = result
            verdict = "caught" if result.caught else "nothing found"
            line = f"{mutant.name}: {run}: {verdict} in {result.seconds:.0f} s  {result.reason}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
            if result.caught and first:
                break
    return results


def _good(mutant: Mutant, results: dict[Run, Result]) -> bool:
    caught = any(result.caught for result in results.values())
    broken = any(not result.caught and result.reason for result in results.values())
    return not broken and caught is not (mutant is CONTROL)


def _report(found: Found, wanted: list[Run]) -> None:
    table = Table(title="Deliberate bugs, and which run finds each")
    table.add_column("bug")
    for run in wanted:
        table.add_column(run.value)
    for mutant, results in found.items():
        cells = [_cell(results.get(run)) for run in wanted]
        style = None if _good(mutant, results) else "red"
        table.add_row(mutant.name, *cells, style=style)
    console.print(table)
    bugs = [mutant for mutant in found if mutant is not CONTROL]
    caught = sum(_good(mutant, found[mutant]) for mutant in bugs)
    console.print(f"caught {caught} of {len(bugs)}")


def _cell(result: Result | None) -> str:
    if result is None:
        return ""
    return "caught" if result.caught else result.reason or "-"


if __name__ == "__main__":
    typer.run(main)
