"""`matchkeeper conformance`: plays a game server good and bad evenings, and says what it kept."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from matchkeeper.cli.common import JsonOption, in_loop, out, printable, show_json, table
from matchkeeper.errors import MatchkeeperError

if TYPE_CHECKING:
    from matchkeeper.conformance.run import Night

_INTERRUPTED = 130
_SIGNS = {True: ("✓", "green"), False: ("✗", "red"), None: ("–", "dim")}  # noqa: RUF001  # a dash

Command = Annotated[
    list[str],
    typer.Argument(
        help="The command that starts your game server, behind --.", metavar="-- COMMAND [ARG]…"
    ),
]
Only = Annotated[
    str | None,
    typer.Option("--only", help="These evenings alone: names, with commas between them."),
]
Patience = Annotated[
    float,
    typer.Option(
        "--patience", min=1, max=600, help="Seconds for each thing that the program is to do."
    ),
]


class NotKeptError(MatchkeeperError):
    """A point was not kept."""


def conformance(
    command: Command, only: Only = None, patience: Patience = 10.0, as_json: JsonOption = False
) -> None:
    """Try a game server, in whatever language: what does it keep, and what not?

    It brings a Valkey and a match server of its own, starts the program between them, and plays a
    script of good and bad evenings: races, late claims, lost answers, Redis gone, kill -9.
    What the program must do for it stands in docs/conformance.md.

    Exits with 0 when every point was kept, 1 when one was not.

    Example: matchkeeper conformance -- python examples/game_server.py

    Example: matchkeeper conformance --only killed,redis-gone --json -- ./my-server --port 7777
    """
    from matchkeeper.conformance.run import play  # noqa: PLC0415  # slow to import

    wanted = [name.strip() for name in only.split(",")] if only else []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="matchkeeper-conformance-") as folder:
        nights = in_loop(
            _stoppable(
                play(command, Path(folder), only=wanted, patience=patience, on_night=_progress)
            )
        )
    seconds = time.monotonic() - begun
    if as_json:
        show_json(_as_json(command, nights, seconds))
    else:
        _show(nights, seconds)
    broken = [each.point for night in nights for each in night.findings if each.kept is False]
    if broken:
        raise NotKeptError(
            f"Not kept: {', '.join(broken)}",
            hint="docs/conformance.md says what a good game server does.",
        )


async def _stoppable(playing: Coroutine[Any, Any, list[Night]]) -> list[Night]:
    """A signal ends everything that was started, in order. Raises Exit then."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(playing)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise typer.Exit(_INTERRUPTED) from None


def _progress(night: Night) -> None:
    signs = " ".join(f"{_SIGNS[each.kept][0]} {each.point}" for each in night.findings)
    typer.echo(f"{night.name}: {night.plan.does}: {signs}", err=True)


def _show(nights: list[Night], seconds: float) -> None:
    from rich.text import Text  # noqa: PLC0415  # slow to import

    rows = table("evening", "point", "the game server …", "", whole=("evening", "point"))
    for night in nights:
        for finding in night.findings:
            sign, style = _SIGNS[finding.kept]
            rows.add_row(night.name, finding.point, finding.point.sentence, Text(sign, style=style))
    out.print(rows)
    for night in nights:
        for finding in night.findings:
            if finding.kept is False:
                out.print(Text(f"\n✗ {finding.point} ({night.plan.does})", style="red"))
                out.print(f"  Seen: {printable(finding.why)}")
                out.print(f"  To do: {finding.point.advice}")
        for line in night.lines:
            out.print(f"    | {printable(line)}")
    every = [finding for night in nights for finding in night.findings]
    kept = sum(finding.kept is True for finding in every)
    open_ = sum(finding.kept is None for finding in every)
    rest = f", {open_} not tried" if open_ else ""
    out.print(f"{kept} of {len(every)} points kept{rest}, in {seconds:.0f} s")


def _as_json(command: list[str], nights: list[Night], seconds: float) -> dict[str, Any]:
    points = [
        {
            "point": finding.point.value,
            "evening": night.name,
            "sentence": finding.point.sentence,
            "kept": finding.kept,
            "why": finding.why,
        }
        for night in nights
        for finding in night.findings
    ]
    return {
        "command": command,
        "ok": all(each["kept"] for each in points),
        "seconds": round(seconds, 1),
        "points": points,
        "lines": {night.name: night.lines for night in nights if night.lines},
    }
