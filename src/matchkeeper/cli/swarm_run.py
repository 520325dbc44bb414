"""A run of the swarm as a person sees it: a bar, a table, files, and the exit code."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from matchkeeper.cli.common import out, printable, table
from matchkeeper.config import masked_redis_url
from matchkeeper.errors import MatchkeeperError
from matchkeeper.swarm.plots import seconds, together
from matchkeeper.swarm.report import html
from matchkeeper.swarm.summary import Summary, as_json, summary
from matchkeeper.swarm.tally import Thresholds
from matchkeeper.swarm.world import Swarm, SwarmOptions, Target, new_run

_INTERRUPTED = 130
_REFRESH_SECONDS = 0.2
_PLAIN_LINE_SECONDS = 5.0


class MissedError(MatchkeeperError):
    """A threshold was missed, or an invariant broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the command line says."""

    target: Target
    options: SwarmOptions
    thresholds: Thresholds
    report: Path | None
    json_file: Path | None


async def play(job: Job) -> None:
    """Runs it to the end, shows and writes what was found.

    Raises MissedError where that is not good enough, StoreError without a Redis, and Exit(130) for
    a run that was stopped.
    """
    run = new_run()
    swarm = Swarm(job.target, job.options, run=run)
    stop, at_once = asyncio.Event(), asyncio.Event()
    begun = datetime.now(UTC)
    started = time.monotonic()
    with _signals(stop, at_once):
        view = asyncio.ensure_future(_view(swarm, job.options.players))
        try:
            await swarm.run(stop, at_once)
        finally:
            view.cancel()
            await asyncio.gather(view, return_exceptions=True)
    found = summary(
        swarm.tally,
        job.options,
        job.thresholds,
        run=run,
        redis=masked_redis_url(job.target.url),
        begun=begun.strftime("%Y-%m-%d %H:%M:%S UTC"),
        seconds=time.monotonic() - started,
        interrupted=stop.is_set(),
        asked=swarm.ledger.asked_count,
        remaining=swarm.remaining,
        behind_seconds=swarm.behind_seconds,
    )
    _write(job, found)
    show(found)
    _end(found)


def _end(found: Summary) -> None:
    if not found.good:
        missed = [f"{each.name} {each.found}" for each in found.checks if not each.met]
        broken = [each.name for each in found.invariants if each.broken]
        raise MissedError(
            "Not good enough: " + ", ".join([*missed, *broken]),
            hint="The table above says where; --report FILE shows it over time.",
        )
    if found.interrupted:
        raise typer.Exit(_INTERRUPTED)


def _write(job: Job, found: Summary) -> None:
    if job.json_file is not None:
        job.json_file.write_text(as_json(found), "ascii")
    if job.report is not None:
        job.report.write_text(html(found), "utf-8")


@contextmanager
def _signals(stop: asyncio.Event, at_once: asyncio.Event) -> Generator[None]:
    """The first signal ends the run with its report, the second does not wait for the players."""

    def heard() -> None:
        (at_once if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, heard)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _view(swarm: Swarm, players: int) -> None:
    """A bar in a terminal, a line now and then elsewhere; on stderr, until cancelled."""
    if not sys.stderr.isatty():
        while True:
            await asyncio.sleep(_PLAIN_LINE_SECONDS)
            typer.echo(_line(swarm, players), err=True)
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=16),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=players)
        while True:
            done = swarm.ledger.asked_count - len(swarm.ledger.live)
            progress.update(task, completed=done, description=_line(swarm, players))
            await asyncio.sleep(_REFRESH_SECONDS)


def _line(swarm: Swarm, players: int) -> str:
    ledger, tally = swarm.ledger, swarm.tally
    wrong = tally.judged - tally.right
    parts = [
        f"{ledger.asked_count}/{players}",
        f"{ledger.waiting} waiting",
        f"{tally.waits.count} matched",
        f"{wrong} wrong",
    ]
    if tally.broken:
        parts.append(f"{tally.broken.total()} broken")
    if swarm.closing:
        parts.append("leaving")
    return " · ".join(parts)


def show(found: Summary) -> None:
    """The outcome as tables."""
    _show_behaviours(found)
    waits = found.waits
    out.print(
        f"waits: half within {seconds(waits.p50)}, 95 % {seconds(waits.p95)}, "
        f"99 % {seconds(waits.p99)}, longest {seconds(waits.longest)}; "
        f"answers: 95 % within {seconds(found.answers.p95)}"
    )
    if found.parties:
        _show_parties(found)
    if found.accounts:
        out.print(f"who was queued: {_counts(found.accounts)}")
    if found.errors:
        out.print(f"errors: {_counts(found.errors)}")
    _show_invariants(found)
    for check in found.checks:
        _sign(good=check.met, text=f"{check.name}: {check.found} ({check.limit} wanted)")
    for note in found.notes:
        out.print(f"- {note}")


def _show_behaviours(found: Summary) -> None:
    rows = table("behaviour", "players", "right", "wrong", "not judged")
    for row in found.behaviours:
        rows.add_row(
            row.behaviour,
            str(row.players),
            str(row.right),
            Text(_counts(row.wrong) or "-", style="red" if row.wrong else ""),
            _counts(row.not_judged) or "-",
        )
    out.print(rows)


def _show_parties(found: Summary) -> None:
    rows = table("players who came", "asked", "matched", "half within", "95 %", "longest")
    for row in found.parties:
        waits = row.waits
        times = map(seconds, (waits.p50, waits.p95, waits.longest))
        rows.add_row(together(row.together), str(row.players), str(waits.count), *times)
    out.print(rows)


def _show_invariants(found: Summary) -> None:
    for each in found.invariants:
        if each.broken:
            _sign(good=False, text=f"broken {each.broken} times: {each.sentence}")
            for example in each.examples:
                out.print(f"    {printable(example)}")
    if not any(each.broken for each in found.invariants):
        idle = [each.name for each in found.invariants if not each.checked]
        rest = f"; nothing to check for {', '.join(idle)}" if idle else ""
        _sign(good=True, text=f"{len(found.invariants) - len(idle)} invariants held{rest}")


def _sign(*, good: bool, text: str) -> None:
    out.print(Text.assemble(("✓", "green") if good else ("✗", "red"), f" {text}"))


def _counts(counts: dict[str, int]) -> str:
    return printable(", ".join(f"{count} {reason}" for reason, count in counts.items()))
