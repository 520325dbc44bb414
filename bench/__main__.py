"""`python -m bench`: how fast it is, beside what Redis alone lets through."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import report
from bench.cases import FULL, QUICK, Amount, Bench, Row

console = Console(width=None if sys.stdout.isatty() else 150)
_CASES = ("throughput", "latency", "rounds", "parties", "upkeep")


def main(
    case: Annotated[
        list[str] | None, typer.Option(help=f"Only this: {', '.join(_CASES)}. May be repeated.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Less of everything, once.")] = False,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="As long as the targets say: a minute each, ten million players."
        ),
    ] = False,
    runs: Annotated[int | None, typer.Option(help="Of each case; the medians count.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Of each latency at each rate.")] = None,
    passed: Annotated[int | None, typer.Option(help="Players who pass through for memory.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file, too.")] = None,
    plots: Annotated[
        Path | None, typer.Option(help="Draw the curves into this folder; needs matplotlib.")
    ] = None,
) -> None:
    """Runs a real server on a real Valkey and prints one table of figures.

    Each throughput stands beside what the same commands reach when a client without any logic
    sends them, in the same run: machines differ, so the ratio is what counts. Exits with 1 where a
    figure misses what it has to reach.

    Example: python -m bench --case latency --runs 5 --json bench.json
    """
    unknown = sorted(set(case or ()) - set(_CASES))
    if unknown:
        console.print(f"Error: there is no case {', '.join(unknown)}", markup=False)
        console.print(f"Hint: {', '.join(_CASES)}")
        sys.exit(2)
    if quick and full:
        console.print("Error: --quick and --full exclude each other")
        sys.exit(2)
    amount = QUICK if quick else FULL if full else Amount()
    if runs:
        amount = replace(amount, runs=runs)
    if seconds:
        amount = replace(amount, seconds=seconds)
    if passed:
        amount = replace(amount, passed=passed)
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory(prefix="matchkeeper-bench-") as folder,
        console.status("starting") as status,
    ):
        bench = Bench(Path(folder), amount, status.update)
        for name in case or _CASES:
            rows += getattr(bench, name)()
    report.table(console, rows)
    if json:
        report.write_json(json, rows, bench.raw)
    for path in report.write_plots(plots, bench.raw) if plots else ():
        console.print(f"drawn: {path}", markup=False)
    sys.exit(any(row.met is False for row in rows))


if __name__ == "__main__":
    typer.run(main)
