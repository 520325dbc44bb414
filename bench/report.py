"""The table, the JSON and the plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from bench.cases import Row


def table(console: Console, rows: Sequence[Row]) -> None:
    """One line for each figure; a red one misses its target."""
    found = Table(title="Medians of all runs; the spread is from the least to the greatest")
    for number, column in enumerate(
        ("case", "figure", "unit", "spread", "Redis alone", "ratio", "to reach")
    ):
        found.add_column(column, justify="right" if number in (1, 3, 4, 5) else "left")
    for row in rows:
        spread = f"{_short(min(row.values))} … {_short(max(row.values))}"
        ceiling = "" if row.ceiling is None else _short(row.ceiling)
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        style = "red" if row.met is False else None
        cells = (row.name, _short(row.middle), row.unit, spread, ceiling, ratio, row.target)
        found.add_row(*cells, style=style)
    console.print(found)


def write_json(path: Path, rows: Sequence[Row], raw: Mapping[str, Any]) -> None:
    """All figures and what they were made of."""
    found = {
        "rows": [{**msgspec.to_builtins(row), "median": row.middle} for row in rows],
        "raw": raw,
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")


def write_plots(folder: Path, raw: Mapping[str, Any]) -> list[Path]:
    """One SVG for each curve that was measured."""
    folder.mkdir(parents=True, exist_ok=True)
    curves = (_round_times, _latencies, _memory)
    return [path for path in (curve(folder, raw) for curve in curves) if path is not None]


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _drawn(path: Path, lines: Mapping[str, Any], *, log: str = "", **labels: str) -> Path:
    """`log`: the axes that are logarithmic; other values begin at 0. `labels`: title and so on."""
    # An optional dependency: only plots need it.
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, (x, y) in lines.items():
        axes.plot(x, y, marker="o", label=name)
    axes.set(**labels)
    if "x" in log:
        axes.set_xscale("log")
    if "y" in log:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(path)
    return path


def _round_times(folder: Path, raw: Mapping[str, Any]) -> Path | None:
    found = raw.get("round")
    if not found:
        return None
    lines = {}
    for matchable, name in ((False, "nobody matchable"), (True, "everybody matchable")):
        some = [each for each in found if each["matchable"] is matchable]
        lines[name] = (
            [each["tickets"] for each in some],
            [median(each["seconds"]) for each in some],
        )
    return _drawn(
        folder / "round-time.svg",
        lines,
        log="xy",
        title="A round of closest ratings",
        xlabel="tickets waiting",
        ylabel="seconds",
    )


def _latencies(folder: Path, raw: Mapping[str, Any]) -> Path | None:
    found = raw.get("latency")
    if not found:
        return None
    lines = {}
    for stream, way in ((True, "stream, claimed"), (False, "Pub/Sub, published")):
        some = [each for each in found if each["stream"] is stream]
        rates = sorted({round(each["rate"], -2) for each in some})
        for name in ("median", "p99"):
            values = [
                1000 * median(x[f"{name}_seconds"] for x in some if round(x["rate"], -2) == rate)
                for rate in rates
            ]
            lines[f"{way}: {name}"] = (rates, values)
    return _drawn(
        folder / "latency.svg",
        lines,
        log="xy",
        title="From a request to the battle request",
        xlabel="players a second",
        ylabel="milliseconds",
    )


def _memory(folder: Path, raw: Mapping[str, Any]) -> Path | None:
    found = raw.get("flow")
    if not found:
        return None
    flow = found[-1]
    lines = {"server": (flow["passed"], [size / 2**20 for size in flow["bytes"]])}
    return _drawn(
        folder / "memory.svg",
        lines,
        title="Memory of the server while players pass through",
        xlabel="players",
        ylabel="MiB",
    )
