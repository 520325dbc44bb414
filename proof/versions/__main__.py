"""`python -m proof.versions`: the version before this one beside this one."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from proof.versions.release import HERE, NoReleaseError, Release, built, previous
from proof.versions.roll import Outcome, roll

console = Console()


def main(
    version: Annotated[
        str, typer.Option("--previous", help="Git ref to build. [the newest tag behind this one]")
    ] = "",
    step: Annotated[float, typer.Option(help="Seconds between two replacements.")] = 10,
    rate: Annotated[float, typer.Option(help="Players a second.")] = 40,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the history and the logs.")] = False,
) -> None:
    """Servers and pods of two versions on one Valkey, rolled forward and back, in both orders.

    Everything that players and pods are told is judged at the end. Exits with 1 if anything was
    found, with 2 where there is no version before this one.

    Example: python -m proof.versions --previous v0.1.0
    """
    folder = Path(tempfile.mkdtemp(prefix="matchkeeper-versions-"))
    try:
        with console.status("building"):
            before = built(version or previous(), folder / "before")
        outcomes = asyncio.run(_run(folder, before, step, rate))
    except NoReleaseError as error:
        console.print(f"{error}", markup=False, soft_wrap=True)
        shutil.rmtree(folder, ignore_errors=True)
        sys.exit(2)
    for outcome in outcomes:
        console.print(str(outcome), markup=False, soft_wrap=True)
    good = all(outcome.good for outcome in outcomes)
    if good and not keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        console.print(f"History and logs: {folder}", markup=False, soft_wrap=True)
    sys.exit(not good)


async def _run(folder: Path, before: Release, step: float, rate: float) -> list[Outcome]:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  # this is one
    # A signal that ends this process must end the servers and pods, too.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with console.status("starting") as status:
        return [
            await roll(
                folder / name,
                first,
                then,
                step_seconds=step,
                players_per_second=rate,
                show=status.update,
            )
            for name, first, then in (("forward", before, HERE), ("back", HERE, before))
        ]


if __name__ == "__main__":
    typer.run(main)
