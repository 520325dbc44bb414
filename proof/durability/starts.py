"""`python -m proof.durability.starts`: players started twice after a failover, by durability."""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from proof.durability.failover import FAILOVERS, Failover, Undone, fail_over_once

console = Console(width=None if sys.stdout.isatty() else 120)


def main(
    failovers: Annotated[int, typer.Option(help="Of each kind.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the moments at which the primary dies.")] = 1,
) -> None:
    """Promotes a replica that is behind while matches are played with the client that ships.

    Players count as started by what `started()` returned to their game server. Exits with 1 when
    anybody was started twice or is missing although as many replicas were waited for as there are.
    """
    # asyncio logs each failed write to a Valkey that has just died.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="matchkeeper-starts-") as name:
        found = asyncio.run(_run(Path(name), failovers, random.Random(seed)))
    _report(found)
    broken = [
        each for each, ends in found.items()
        if each.is_promised and any(end.twice or end.missing or not end.started for end in ends)
    ]  # fmt: skip
    sys.exit(bool(broken))


async def _run(folder: Path, times: int, rng: random.Random) -> dict[Failover, list[Undone]]:
    found: dict[Failover, list[Undone]] = {each: [] for each in FAILOVERS}
    with console.status("starting") as status:
        for number, (failover, ends) in enumerate(found.items()):
            for time in range(times):
                status.update(f"{failover}: {time + 1} of {times}")
                ends.append(await fail_over_once(failover, folder / f"{number}-{time}", rng))
    return found


def _report(found: dict[Failover, list[Undone]]) -> None:
    table = Table(title="A replica that is 0.3 to 1 s behind takes over: players")
    for number, column in enumerate(
        ("redis.durability", "replicas", "failovers", "told EnQueued", "started", "started twice",
         "missing")
    ):  # fmt: skip
        table.add_column(column, justify="right" if number else "left")
    for failover, ends in found.items():
        table.add_row(
            failover.durability,
            f"{failover.replicas}",
            f"{len(ends)}",
            f"{sum(end.told for end in ends):,}",
            f"{sum(end.started for end in ends):,}",
            f"{sum(end.twice for end in ends):,}",
            f"{sum(end.missing for end in ends):,}",
        )
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
