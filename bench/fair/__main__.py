"""`python -m bench.fair`: how fair matches are for the wait, beside other policies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.fair import plots, runs
from bench.fair.page import page

_DOCS = Path(__file__).parents[2] / "docs"


def main(
    full: Annotated[
        bool, typer.Option("--full", help="Eight times as many players, and longer queues.")
    ] = False,
    players: Annotated[
        int | None, typer.Option(min=100, help="Players of each trace, to look at a change.")
    ] = None,
    folder: Annotated[
        Path, typer.Option(help="Where fairness.md and its plots are written.")
    ] = _DOCS,
) -> None:
    """Plays seeded evenings in virtual time with every policy, and writes fairness.md.

    Example: python -m bench.fair --players 500 --folder /tmp
    """
    amount = runs.FULL if full else runs.Amount()
    if players:
        amount = runs.Amount(
            players=players, fives=players, foreseen=min(players, amount.foreseen),
            backlogs=(100, 1_000), lengths=(10_000,),
        )  # fmt: skip
    console = Console()
    with console.status("starting") as status:
        found = list(runs.pairs(amount, status.update))
        text = page(
            amount=f"Here: {amount.players:,} players on each trace"
            + (", with `--full`." if full else "; `make fair ARGS=--full` takes more."),
            foreseen=amount.foreseen,
            found=found,
            fives=list(runs.fives(amount, status.update)),
            backlogs=list(runs.backlogs(amount, status.update)),
            costs=list(runs.costs(amount, status.update)),
        )
    for each in found:
        drawn = plots.pareto(each.trace.title, each.curves)
        (folder / f"fairness-{each.trace.name}.svg").write_text(drawn, "utf-8")
    (folder / "fairness.md").write_text(text, "utf-8")
    console.print(f"written: {folder / 'fairness.md'}", markup=False)


if __name__ == "__main__":
    typer.run(main)
