"""`python -m proof.durability`: players missing after a crash of Redis, by durability."""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from proof.durability import power
from proof.durability.crash import SETTINGS, Crash, Loss, Setting, crash_once

console = Console(width=None if sys.stdout.isatty() else 120)
_PROMISED = ("fsync", "replicas:1")
"""With these nobody who was told EnQueued may be missing."""
Losses = dict[Setting, list[Loss]]


def main(
    crashes: Annotated[int, typer.Option(help="Of each kind.")] = 5,
    setting: Annotated[
        list[str] | None,
        typer.Option(help="Only this redis.durability: none, fsync, replicas:1. May be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the moments at which Redis crashes.")] = 1,
) -> None:
    """Crashes Valkey while players come, and counts those who were told EnQueued and are gone.

    `kill -9` ends the process; what it had written to its file is kept by the system. A loss of
    power takes that, too: the file is cut back to what was synced (needs cc). Requests by stream
    that were not done, or whose effect was lost, are done again if they are still in the stream.
    Exits with 1 when fsync or replicas:1 lost anybody.

    Example: python -m proof.durability --setting fsync --crashes 20
    """
    wanted = [each for each in SETTINGS if not setting or each.durability in setting]
    if not wanted:
        console.print(f"Error: there is no durability {', '.join(setting or ())}", markup=False)
        console.print("Hint: none, fsync or replicas:1")
        sys.exit(2)
    # asyncio logs each failed write to a Valkey that has just crashed.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="matchkeeper-durability-") as name:
        losses = asyncio.run(_run(wanted, Path(name), crashes, random.Random(seed)))
    _report(losses)
    broken = {each: lost for each, lost in _totals(losses).items() if each.durability in _PROMISED}
    for each, lost in broken.items():
        if lost:
            console.print(f"lost: {lost} with {each}", style="red", markup=False, soft_wrap=True)
    idle = [str(each) for each, found in losses.items() if not all(loss.accepted for loss in found)]
    for name in idle:
        console.print(f"nobody was told EnQueued: {name}", style="red", markup=False)
    sys.exit(any(broken.values()) or bool(idle))


async def _run(wanted: list[Setting], folder: Path, crashes: int, rng: random.Random) -> Losses:
    try:
        shared = power.compiled(folder)
    except power.NoCompilerError as error:
        console.print(f"No loss of power: {error}", markup=False)
        shared = None
        wanted = [each for each in wanted if each.crash is not Crash.POWER]
    losses: Losses = {}
    with console.status("starting") as status:
        for number, setting in enumerate(wanted):
            for crash in range(crashes):
                status.update(f"{setting}: {crash + 1} of {crashes}")
                place = folder / f"{number}-{crash}"
                loss = await crash_once(setting, place, rng, shared=shared)
                losses.setdefault(setting, []).append(loss)
    return losses


def _totals(losses: Losses) -> dict[Setting, int]:
    return {setting: sum(loss.lost for loss in each) for setting, each in losses.items()}


def _report(losses: Losses) -> None:
    table = Table(title="Told EnQueued, and missing after a crash of Valkey")
    columns = (
        "redis.durability", "Valkey", "crash", "crashes", "told", "missing, by stream",
        "missing, by Pub/Sub", "window: median s", "longest s",
    )  # fmt: skip
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number > 2 else "left")
    for setting, each in losses.items():
        windows = [loss.window_seconds for loss in each]
        table.add_row(
            setting.durability,
            f"AOF {setting.fsync}" if setting.fsync else "no AOF",
            setting.crash.value,
            f"{len(each)}",
            f"{sum(loss.accepted for loss in each):,}",
            f"{sum(loss.by_stream for loss in each):,}",
            f"{sum(loss.by_pubsub for loss in each):,}",
            f"{median(windows):.2f}",
            f"{max(windows):.2f}",
        )
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
