"""Small SVG plots in the colours of the page; why our own: docs/decisions/0009-own-plots.md."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

WIDE, NARROW = 960, 470
_HEIGHT = 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 12, 38
_TICKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve; where it is None, it goes straight on. `colour` is a class of the page's style."""

    name: str
    colour: str
    points: Sequence[tuple[float, float | None]]
    filled: bool = False


class _Plot:
    """An empty plot with its grid and its labels."""

    def __init__(self, name: str, width: int, y_top: float, y_label: str) -> None:
        self._right = width - _RIGHT
        self._y_top = y_top
        self.svg = Element(
            "svg", {"viewBox": f"0 0 {width} {_HEIGHT}", "role": "img", "aria-label": name}
        )
        SubElement(self.svg, "title").text = name
        for n in range(_TICKS + 1):
            y = f"{self.y(y_top * n / _TICKS):.1f}"
            ends = {"x1": str(_LEFT), "x2": str(self._right), "y1": y, "y2": y}
            SubElement(self.svg, "line", {"class": "grid", **ends})
            self.label(_LEFT - 6, float(y) + 4, f"{y_top * n / _TICKS:g}", "end")
        middle = (_HEIGHT - _BOTTOM + _TOP) / 2
        label = self.label(12, middle, y_label)
        label.set("transform", f"rotate(-90 12 {middle:.1f})")

    def x(self, share: float) -> float:
        """Where that share of the width is."""
        return _LEFT + (self._right - _LEFT) * share

    def y(self, value: float) -> float:
        """Where a value is."""
        return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * value / self._y_top

    def below(self, share: float, text: str) -> None:
        """A label of the lower axis."""
        self.label(self.x(share), _HEIGHT - _BOTTOM + 16, text)

    def x_label(self, text: str) -> None:
        """What the lower axis says."""
        self.label(self.x(0.5), _HEIGHT - 4, text)

    def label(self, x: float, y: float, text: str, anchor: str = "middle") -> Element:
        """Text."""
        where = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}
        label = SubElement(self.svg, "text", where)
        label.text = text
        return label

    def poly(self, kind: str, points: Sequence[tuple[float, float]], style: str) -> None:
        """A line or an area."""
        text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        SubElement(self.svg, kind, {"class": style, "points": text})


def lines(
    name: str, curves: Sequence[Line], *, x_label: str, y_label: str, width: int = WIDE
) -> Element:
    """Curves over time, from 0."""
    known = [(x, y) for curve in curves for x, y in curve.points if y is not None]
    x_top = max((x for curve in curves for x, _ in curve.points), default=0.0) or 1.0
    plot = _Plot(name, width, _nice_top(max((y for _, y in known), default=0.0)), y_label)
    for tick in _steps(x_top, at_most=width // 80):
        plot.below(tick / x_top, f"{tick:g}")
    plot.x_label(x_label)
    for curve in curves:
        points = [(plot.x(x / x_top), plot.y(y)) for x, y in curve.points if y is not None]
        if not points:
            continue
        if curve.filled:
            ends = ((points[0][0], plot.y(0)), (points[-1][0], plot.y(0)))
            plot.poly("polygon", [ends[0], *points, ends[1]], f"area {curve.colour}")
        if len(points) == 1:
            points.append((points[0][0] + 2, points[0][1]))
        plot.poly("polyline", points, f"line {curve.colour}")
    return plot.svg


def bars(
    name: str, found: Sequence[tuple[float, float, int]], *, x_label: str, y_label: str
) -> Element:
    """(from, to, how many): bars side by side, each as wide as the others."""
    plot = _Plot(name, WIDE, _nice_top(max((count for _, _, count in found), default=0)), y_label)
    plot.x_label(x_label)
    share = 1 / max(1, len(found))
    every = math.ceil(len(found) / 10)
    for n, (start, end, count) in enumerate(found):
        x, y = plot.x(n * share), plot.y(count)
        place = {
            "x": f"{x + 0.5:.1f}",
            "y": f"{y:.1f}",
            "width": f"{max(0.5, plot.x(share) - plot.x(0) - 1):.1f}",
            "height": f"{plot.y(0) - y:.1f}",
        }
        bar = SubElement(plot.svg, "rect", {"class": "bar c1", **place})
        SubElement(bar, "title").text = f"{seconds(start)} to {seconds(end)}: {count}"
        if n % every == every // 2:
            plot.below((n + 0.5) * share, seconds(end))
    return plot.svg


def seconds(value: float | None) -> str:
    """A duration for people."""
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 0.9995 else f"{value:.3g} s"


def together(players: int) -> str:
    """How they came, for people."""
    return "alone" if players == 1 else f"in parties of {players}"


def _nice_top(value: float) -> float:
    """A round number, not below `value`, whose fifths are round as well."""
    if value <= 0:
        return 1.0
    scale: float = 10.0 ** math.floor(math.log10(value))
    return next(
        each * scale for each in (1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10) if each * scale >= value
    )


def _steps(top: float, *, at_most: int) -> list[float]:
    """Round numbers from 0, not above `top`."""
    scale: float = 10.0 ** math.floor(math.log10(top))
    step = next(
        each * scale for each in (0.1, 0.2, 0.5, 1, 2, 5, 10) if top / (each * scale) <= at_most
    )
    return [n * step for n in range(int(top / step + 1e-9) + 1)]
