"""Small SVG plots, drawn with the colours of the page; see docs/decisions/0009-own-plots.md."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

_WIDTH, _HEIGHT = 720, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 12, 36
_TICKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve; None is a gap. `colour` is a class of the page's style."""

    name: str
    colour: str
    points: Sequence[tuple[float, float | None]]
    filled: bool = False


def lines(name: str, curves: Sequence[Line], *, x_label: str, y_label: str) -> Element:
    """Curves over time, from 0."""
    known = [(x, y) for curve in curves for x, y in curve.points if y is not None]
    x_top = max((x for x, _ in known), default=0.0) or 1.0
    y_top = _nice_top(max((y for _, y in known), default=0.0))
    svg = _frame(name, y_top, y_label)
    for tick in _steps(x_top):
        _label(svg, _x(tick, x_top), _HEIGHT - _BOTTOM + 16, f"{tick:g}", "middle")
    _label(svg, (_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 4, x_label, "middle")
    for curve in curves:
        for stretch in _stretches(curve.points):
            points = [(_x(x, x_top), _y(y, y_top)) for x, y in stretch]
            if curve.filled:
                ends = [(points[0][0], _y(0, y_top)), *points, (points[-1][0], _y(0, y_top))]
                _poly(svg, "polygon", ends, f"area {curve.colour}")
            if len(points) == 1:
                points = [points[0], (points[0][0] + 1.5, points[0][1])]
            _poly(svg, "polyline", points, f"line {curve.colour}")
    return svg


def bars(name: str, found: Sequence[tuple[float, float, int]], *, y_label: str) -> Element:
    """How many took how long: bars side by side, whose widths grow with the time they stand for."""
    y_top = _nice_top(max((count for _, _, count in found), default=0))
    svg = _frame(name, y_top, y_label)
    width = (_WIDTH - _LEFT - _RIGHT) / max(1, len(found))
    every = math.ceil(len(found) / 8) if found else 1
    for n, (start, end, count) in enumerate(found):
        x, y = _LEFT + n * width, _y(count, y_top)
        bar = SubElement(
            svg,
            "rect",
            {
                "class": "bar c1",
                "x": f"{x + 0.5:.1f}",
                "y": f"{y:.1f}",
                "width": f"{max(0.5, width - 1):.1f}",
                "height": f"{_y(0, y_top) - y:.1f}",
            },
        )
        title = SubElement(bar, "title")
        title.text = f"{seconds(start)} to {seconds(end)}: {count}"
        if n % every == 0:
            _label(svg, x + width / 2, _HEIGHT - _BOTTOM + 16, seconds(end), "middle")
    _label(svg, (_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 4, "up to", "middle")
    return svg


def seconds(value: float | None) -> str:
    """A duration for people."""
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.3g} s"


def _frame(name: str, y_top: float, y_label: str) -> Element:
    svg = Element(
        "svg",
        {"viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "role": "img", "aria-label": name},
    )
    title = SubElement(svg, "title")
    title.text = name
    for n in range(_TICKS + 1):
        value = y_top * n / _TICKS
        y = _y(value, y_top)
        ends = {"x1": str(_LEFT), "x2": str(_WIDTH - _RIGHT), "y1": f"{y:.1f}", "y2": f"{y:.1f}"}
        SubElement(svg, "line", {"class": "grid", **ends})
        _label(svg, _LEFT - 6, y + 4, f"{value:g}", "end")
    middle = (_HEIGHT - _BOTTOM + _TOP) / 2
    label = _label(svg, 12, middle, y_label, "middle")
    label.set("transform", f"rotate(-90 12 {middle:.1f})")
    return svg


def _label(svg: Element, x: float, y: float, text: str, anchor: str) -> Element:
    label = SubElement(svg, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor})
    label.text = text
    return label


def _poly(svg: Element, kind: str, points: Sequence[tuple[float, float]], style: str) -> None:
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    SubElement(svg, kind, {"class": style, "points": text})


def _stretches(
    points: Sequence[tuple[float, float | None]],
) -> list[list[tuple[float, float]]]:
    """The parts between the gaps."""
    found: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if y is None:
            found.append([])
        else:
            found[-1].append((x, y))
    return [stretch for stretch in found if stretch]


def _x(value: float, top: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * value / top


def _y(value: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * value / top


def _nice_top(value: float) -> float:
    """A round number, not below `value`, whose fifth is round as well."""
    if value <= 0:
        return 1.0
    scale: float = 10 ** math.floor(math.log10(value))
    return (
        next(each for each in (1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10) if each * scale >= value) * scale
    )


def _steps(top: float) -> list[float]:
    """Round numbers from 0, not above `top`."""
    scale: float = 10 ** math.floor(math.log10(top))
    step = next(each * scale for each in (0.1, 0.2, 0.25, 0.5, 1, 2) if top / (each * scale) <= 10)
    return [n * step for n in range(int(top / step + 1e-9) + 1)]
