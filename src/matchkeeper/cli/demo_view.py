"""The demo's view: a living table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from matchkeeper.cli.demo_world import Fate, Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One queue as it is now."""

    name: str
    rules: str
    waiting: int
    oldest_wait_seconds: float
    pending: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything the view shows."""

    seconds: float
    redis: str
    http: str
    breaker: str
    subscribers: int
    queues: tuple[QueueRow, ...]
    lost: int


def render(snapshot: Snapshot, ledger: Ledger) -> RenderableType:
    """The living view."""
    return Group(
        _headline(snapshot),
        _queues(snapshot.queues),
        _figures(snapshot, ledger),
        Panel(
            Text("\n".join(ledger.events) or "…", overflow="ellipsis", no_wrap=True),
            title="what happens",
            title_align="left",
            border_style="dim",
        ),
        Text("Ctrl-C ends the demo. Try meanwhile, in another terminal:", style="dim"),
        Text(
            f"  redis-cli -u {snapshot.redis} monitor     curl {snapshot.http}/metrics", style="dim"
        ),
    )


def save_picture(path: Path, snapshot: Snapshot, ledger: Ledger) -> None:
    """The view as an SVG file."""
    console = Console(record=True, width=110, file=StringIO())
    console.print(render(snapshot, ledger))
    console.save_svg(str(path), title="make demo")


def line(snapshot: Snapshot, ledger: Ledger) -> str:
    """The same in one line, for where there is no terminal."""
    queues = " ".join(f"{row.name}={row.waiting}" for row in snapshot.queues)
    return (
        f"{snapshot.seconds:6.1f}s  waiting: {queues}  enqueued {ledger.counts['enqueued']}  "
        f"matched {ledger.counts[Fate.MATCHED]}  left {ledger.counts[Fate.LEFT]}  "
        f"refused {ledger.counts['refused']}  lost {snapshot.lost}  doubled {ledger.doubled}"
    )


def _headline(snapshot: Snapshot) -> Text:
    good = snapshot.breaker == "closed"
    return Text.assemble(
        ("Matchkeeper ", "bold"),
        f"{snapshot.seconds:.0f} s   Redis ",
        (snapshot.redis, "cyan"),
        "   circuit ",
        (snapshot.breaker, "green" if good else "bold red"),
        "   HTTP ",
        (snapshot.http, "cyan"),
        f"   game servers listening: {snapshot.subscribers}",
    )


def _queues(rows: Sequence[QueueRow]) -> Table:
    table = Table(expand=True)
    for heading in ("queue", "rules"):
        table.add_column(heading)
    for heading in ("waiting", "oldest wait", "pending matches"):
        table.add_column(heading, justify="right")
    for row in rows:
        wait = f"{row.oldest_wait_seconds:.1f} s" if row.waiting else "-"
        table.add_row(row.name, row.rules, str(row.waiting), wait, str(row.pending))
    return table


def _figures(snapshot: Snapshot, ledger: Ledger) -> Table:
    table = Table(expand=True, show_header=True)
    counts = ledger.counts
    median = f"{1000 * statistics.median(ledger.waits):.0f} ms" if ledger.waits else "-"
    figures: list[tuple[str, str, str]] = [
        ("asked", str(counts["asked"]), ""),
        ("enqueued", str(counts["enqueued"]), ""),
        ("matched", str(counts[Fate.MATCHED]), "green"),
        ("left", str(counts[Fate.LEFT]), ""),
        ("refused", str(counts["refused"]), "yellow"),
        ("median wait", median, ""),
        ("lost", str(snapshot.lost), "green" if snapshot.lost == 0 else "bold red"),
        ("doubled", str(ledger.doubled), "green" if ledger.doubled == 0 else "bold red"),
    ]
    for heading, _, _ in figures:
        table.add_column(heading, justify="right")
    table.add_row(*(Text(value, style=style) for _, value, style in figures))
    return table
