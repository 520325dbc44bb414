"""The demo's view: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from matchkeeper.cli.demo.controls import Board, ControlView
from matchkeeper.cli.demo.devices import Device
from matchkeeper.cli.demo.ledger import Fate, Ledger
from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.operate.operator import QueueState

_PICTURE_WIDTH, _PICTURE_LINES = 112, 45
_FIXED_LINES = 25
"""Everything but the queues, the controls and the news."""
_FEWEST_NEWS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything the view shows, beside the ledger."""

    seconds: float
    hour: float
    share_of_peak: float
    redis: str
    http: str
    port: str
    """What `matchkeeper break` needs to find the demo: empty, or an option."""
    quick: str
    """The settings that differ from a production server's, in words."""
    queues: tuple[QueueState, ...]
    devices: tuple[Device, ...]
    board: Board


def render(snapshot: Snapshot, ledger: Ledger, *, lines: int) -> RenderableType:
    """The live view, for a terminal of `lines` lines: the news gets what the rest leaves."""
    rest = _FIXED_LINES + len(snapshot.queues) + len(snapshot.board.controls)
    news = ledger.news(max(_FEWEST_NEWS, lines - rest))
    return Group(
        _headline(snapshot),
        _queues(snapshot.queues),
        _figures(snapshot.board, ledger),
        *_unknown(snapshot.board),
        _controls(snapshot),
        _devices(snapshot.devices),
        Panel(
            Text("\n".join(news) or "…", overflow="ellipsis", no_wrap=True),
            title="what happens",
            title_align="left",
            border_style="dim",
        ),
        Text(f"{snapshot.quick} Ctrl-C ends the demo.", style="dim"),
    )


def save_picture(path: Path, snapshot: Snapshot, ledger: Ledger) -> None:
    """The view as an SVG file."""
    console = Console(record=True, width=_PICTURE_WIDTH, file=StringIO())
    console.print(render(snapshot, ledger, lines=_PICTURE_LINES))
    console.save_svg(str(path), title="make demo")


def line(snapshot: Snapshot, ledger: Ledger) -> str:
    """The same in one line, for where there is no terminal."""
    queues = " ".join(f"{row.mode.name}={row.length}" for row in snapshot.queues)
    broken = ", ".join(each.name for each in _broken(snapshot.board)) or "nothing"
    breaker = next((each.now for each in snapshot.devices if each.name == "circuit breaker"), "")
    return (
        f"{snapshot.seconds:6.1f}s  {clock(snapshot.hour)}  broken: {broken}  circuit {breaker}  "
        f"waiting: {queues}  enqueued {ledger.counts['enqueued']}  "
        f"matched {ledger.counts[Fate.MATCHED]}  left {ledger.counts[Fate.LEFT]}  "
        f"refused {ledger.counts['refused']}  {verdict(snapshot.board)}"
    )


def verdict(board: Board) -> str:
    """Lost and doubled, in words that claim no more than is known."""
    figures = board.figures
    lost = str(figures.lost) if figures.known else f"unknown (last known: {figures.lost})"
    return f"lost {lost}  doubled {figures.doubled}"


def clock(hour: float) -> str:
    """17.5 as 17:30."""
    return f"{int(hour):02}:{int(hour * 60) % 60:02}"


def _broken(board: Board) -> list[ControlView]:
    return [each for each in board.controls if each.on]


def _headline(snapshot: Snapshot) -> RenderableType:
    return Group(
        Text.assemble(
            ("Matchkeeper", "bold"),
            "   the live page: ",
            (snapshot.http, "bold cyan underline"),
            "   Redis ",
            (snapshot.redis, "cyan"),
        ),
        Text(
            f"{snapshot.seconds:.0f} s   it is {clock(snapshot.hour)} of a day in which "
            f"{snapshot.share_of_peak:.0%} of the evening's peak play now"
        ),
    )


def _queues(rows: Sequence[QueueState]) -> Table:
    table = _table()
    for heading in ("queue", "rules"):
        table.add_column(heading)
    for heading in ("waiting", "oldest wait", "pending matches"):
        table.add_column(heading, justify="right")
    for row in rows:
        oldest, pending = row.oldest_wait_seconds, str(row.pending_matches)
        wait = "-" if oldest is None else f"{oldest:.1f} s"
        table.add_row(row.mode.name, _rules(row.mode), str(row.length), wait, pending)
    return table


def _rules(mode: GameMode) -> str:
    order = "closest ratings" if mode.rating else "first come, first served"
    taken = "claimed" if mode.handoff is Handoff.CLAIM else "announced"
    teams = f" in teams of {mode.team_size}" if mode.team_size > 1 else ""
    return f"{mode.required_players} players{teams}, {order}, {taken}"


def _figures(board: Board, ledger: Ledger) -> Table:
    table = _table()
    counts, figures = ledger.counts, board.figures
    median = f"{1000 * statistics.median(ledger.waits):.0f} ms" if ledger.waits else "-"
    shown: list[tuple[str, str, str]] = [
        ("asked", str(counts["asked"]), ""),
        ("enqueued", str(counts["enqueued"]), ""),
        ("matched", str(counts[Fate.MATCHED]), "green"),
        ("left", str(counts[Fate.LEFT]), ""),
        ("set aside", str(counts[Fate.SET_ASIDE]), "yellow"),
        ("refused", str(counts["refused"]), "yellow"),
        ("unanswered", str(counts["unanswered"]), "yellow" if counts["unanswered"] else ""),
        ("median wait", median, ""),
        ("lost", *_lost(board)),
        ("doubled", str(figures.doubled), "green" if figures.doubled == 0 else "bold red"),
    ]
    for heading, _, _ in shown:
        table.add_column(heading, justify="right")
    table.add_row(*(Text(value, style=style) for _, value, style in shown))
    return table


def _table() -> Table:
    return Table(expand=True, box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold dim")


def _lost(board: Board) -> tuple[str, str]:
    if not board.figures.known:
        return "unknown", "yellow"
    return str(board.figures.lost), "green" if board.figures.lost == 0 else "bold red"


def _unknown(board: Board) -> list[Text]:
    if board.figures.known:
        return []
    text = f"Who is lost is unknown while Redis is away; last known: {board.figures.lost}."
    return [Text(text, style="yellow")]


def _controls(snapshot: Snapshot) -> Table:
    table = _table()
    table.add_column("break things on the page, or in another terminal", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("what it does")
    for each in snapshot.board.controls:
        state = Text("ON", style="bold red") if each.on else Text("-", style="dim")
        command = f"matchkeeper break {each.name}{snapshot.port}"
        table.add_row(Text(command, style="cyan"), state, each.what)
    return table


def _devices(rows: Sequence[Device]) -> Table:
    table = _table()
    for heading in ("device", "now", "so far"):
        table.add_column(heading)
    for row in rows:
        style = "bold yellow" if row.at_work else ""
        table.add_row(Text(row.name, style=style), Text(row.now, style=style), row.so_far)
    return table
