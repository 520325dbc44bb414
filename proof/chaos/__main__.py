"""`python -m proof.chaos`: real processes under real crashes."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from proof.chaos import phase
from proof.chaos.phase import Outcome
from proof.chaos.report import report
from proof.chaos.settings import Options

console = Console()


def main(
    minutes: Annotated[float, typer.Option(help="How long faults are made; 60 for a release.")] = 5,
    crashes: Annotated[
        int,
        typer.Option(help="Go on until there were so many crash cycles, however long it takes."),
    ] = 0,
    seed: Annotated[int, typer.Option(help="Of the driver's dice.")] = 1,
    rate: Annotated[float, typer.Option(help="Players a second.")] = 40,
    keep: Annotated[
        Path | None,
        typer.Option(help="Keep the history and the logs in this folder. [kept on failure only]"),
    ] = None,
) -> None:
    """Two match servers, pods and Valkey as real processes; kills, freezes, cuts, full disks.

    Everything that players and pods are told is written down and judged at the end: nobody may be
    lost, nobody matched twice, nobody lose a place. Exits with 1 if anything was found.

    First servers and Valkey are killed and come back from the AOF; then Valkey is killed and its
    replica promoted. A proxy between all of them breaks single commands: before they are sent,
    after they ran, in the middle of the reply.

    Example: python -m proof.chaos --minutes 60 --crashes 10000
    """
    folder = Path(tempfile.mkdtemp(prefix="matchkeeper-chaos-"))
    options = Options(
        minutes=minutes, crashes=crashes, seed=seed, players_per_second=rate, folder=folder
    )
    outcomes = asyncio.run(_run(options))
    report(console, outcomes)
    good = all(outcome.good for outcome in outcomes)
    _tidy(folder, keep, outcomes, good=good)
    sys.exit(not good)


async def _run(options: Options) -> list[Outcome]:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  # this is one
    # A signal that ends this process must end the servers and pods, too.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with console.status("starting") as status:
        return [await phase.run(plan, options, status.update) for plan in phase.plans(options)]


def _tidy(folder: Path, keep: Path | None, outcomes: Sequence[Outcome], *, good: bool) -> None:
    if good and keep is None:
        shutil.rmtree(folder, ignore_errors=True)
        return
    place = keep or folder
    place.mkdir(parents=True, exist_ok=True)
    if place != folder:
        shutil.copytree(folder, place, dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
    for outcome in outcomes:
        text = b"\n".join(map(msgspec.json.encode, outcome.events)) + b"\n"
        (place / f"{outcome.plan.name}-history.jsonl").write_bytes(text)
        blows = b"\n".join(map(msgspec.json.encode, outcome.blows)) + b"\n"
        (place / f"{outcome.plan.name}-faults.jsonl").write_bytes(blows)
    console.print(f"History and logs: {place}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
