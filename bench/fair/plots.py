"""One SVG for each trace: mean wait and mean gap of every policy, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from bench.fair.figures import Point

_WIDE, _HIGH = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 190, 16, 44
_COLOURS = ("#0b84a5", "#ca472f", "#6f4e7c", "#9dac0b", "#f6a623", "#5a5a5a", "#e377c2", "#2ca02c")
_STYLE = (
    "text{font:12px sans-serif;fill:#333}.grid{stroke:#8884}"
    "@media(prefers-color-scheme:dark){text{fill:#ccc}}"
)


def pareto(title: str, curves: Mapping[str, Sequence[Point]]) -> str:
    """The text of an SVG. Down and to the left is better. A policy with several settings is a
    curve.
    """
    svg = Element(
        "svg",
        {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {_WIDE} {_HIGH}", "role": "img"},
    )
    SubElement(svg, "title").text = title
    SubElement(svg, "style").text = _STYLE
    points = [each for curve in curves.values() for each in curve]
    x = _Axis([each.wait for each in points], _LEFT, _WIDE - _RIGHT)
    y = _Axis([each.gap for each in points], _HIGH - _BOTTOM, _TOP)
    _grid(svg, x, y)
    for number, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        places = [(x.at(each.wait), y.at(each.gap)) for each in sorted(curve, key=_wait)]
        if len(places) > 1:
            text = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
            SubElement(svg, "polyline", {"points": text, "fill": "none", "stroke": colour})
        for a, b in places:
            SubElement(
                svg, "circle", {"cx": f"{a:.1f}", "cy": f"{b:.1f}", "r": "4", "fill": colour}
            )
        line = _TOP + 12 + 20 * number
        where = {"cx": f"{_WIDE - _RIGHT + 18}", "cy": f"{line - 4}", "r": "4", "fill": colour}
        SubElement(svg, "circle", where)
        _text(svg, _WIDE - _RIGHT + 28, line, name)
    indent(svg)
    return tostring(svg, "unicode") + "\n"


def _wait(each: Point) -> float:
    return each.wait


class _Axis:
    """From the power of two below the least value to that above the largest."""

    def __init__(self, values: Sequence[float], low: float, high: float) -> None:
        self.first = math.floor(math.log2(min(values)))
        self.last = math.ceil(math.log2(max(values)))
        self._low, self._high = low, high

    def at(self, value: float) -> float:
        """Where a value is."""
        share = (math.log2(value) - self.first) / max(1, self.last - self.first)
        return self._low + share * (self._high - self._low)

    def ticks(self) -> list[float]:
        """Powers of two."""
        return [2.0**each for each in range(self.first, self.last + 1)]


def _grid(svg: Element, x: _Axis, y: _Axis) -> None:
    for value in x.ticks():
        at = f"{x.at(value):.1f}"
        ends = {"x1": at, "x2": at, "y1": str(_TOP), "y2": str(_HIGH - _BOTTOM)}
        SubElement(svg, "line", {"class": "grid", **ends})
        _text(svg, x.at(value), _HIGH - _BOTTOM + 16, f"{value:g}", "middle")
    for value in y.ticks():
        at = f"{y.at(value):.1f}"
        ends = {"x1": str(_LEFT), "x2": str(_WIDE - _RIGHT), "y1": at, "y2": at}
        SubElement(svg, "line", {"class": "grid", **ends})
        _text(svg, _LEFT - 6, y.at(value) + 4, f"{value:g}", "end")
    _text(svg, (_LEFT + _WIDE - _RIGHT) / 2, _HIGH - 8, "mean wait, seconds", "middle")
    label = _text(svg, 14, (_TOP + _HIGH - _BOTTOM) / 2, "mean gap, points", "middle")
    label.set("transform", f"rotate(-90 14 {(_TOP + _HIGH - _BOTTOM) / 2:.0f})")


def _text(svg: Element, x: float, y: float, text: str, anchor: str = "start") -> Element:
    label = SubElement(svg, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor})
    label.text = text
    return label
