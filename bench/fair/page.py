"""`docs/fairness.md`, made of figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template

from bench.fair.figures import Point, at_late_wait, at_wait
from bench.fair.runs import FUTURE, OURS, TODAY, Backlog, Cost, Found

_TARGETS = {TODAY: 1.15, "lichess": 1.3, "FAF": 1.5, "FlexMatch": 1.3}
_LATE_TARGET = 1.15

_TEXT = Path(__file__).with_name("fairness.md")


def page(
    *,
    amount: str,
    foreseen: int,
    found: Sequence[Found],
    fives: Sequence[Found],
    backlogs: Sequence[Backlog],
    costs: Sequence[Cost],
) -> str:
    """The text of the page; plots stand beside it as `fairness-NAME.svg`."""
    return Template(_TEXT.read_text("utf-8")).substitute(
        amount=amount,
        compared=_compared(found),
        late=_tail(found),
        rare=_rare(found),
        fives=_teams(fives),
        backlogs=_backlogs(backlogs),
        costs=_costs(costs),
        unit=f"{1000 * costs[0].unit_seconds:.0f} ms",
        traces="\n\n".join(map(_trace, found)),
        today=TODAY,
        future=FUTURE,
        foreseen=foreseen,
    )


def _table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _named(each: Point) -> str:
    return f"{each.policy}, {each.setting}" if each.setting else each.policy


def _points(found: Found, *, apart: Sequence[str]) -> list[Point]:
    return [each for name, curve in found.curves.items() if name not in apart for each in curve]


def _compared(found: Sequence[Found]) -> str:
    def rows() -> Iterator[Sequence[str]]:
        others = [
            {_named(other): other for other in _points(each, apart=(OURS, FUTURE, "batches"))}
            for each in found
        ]
        for name, first in others[0].items():
            ratios = [
                at_wait(each.curves[OURS], points[name]) if name in points else None
                for each, points in zip(found, others, strict=True)
            ]
            target = _TARGETS.get(first.policy)
            yield [
                name,
                *["beyond" if ratio is None else f"{ratio:.2f}" for ratio in ratios],
                f"{target}" if target else "",
            ]

    names = [each.trace.name for each in found]
    return _table(["policy", *names, "to reach"], rows())


def _tail(found: Sequence[Found]) -> str:
    def rows() -> Iterator[Sequence[str]]:
        for each in found:
            ratios = [
                (1 / ratio, _named(other))
                for other in _points(each, apart=(OURS, FUTURE))
                if (ratio := at_late_wait(each.curves[OURS], other)) is not None
            ]
            worst, name = max(ratios)
            yield [each.trace.name, f"{worst:.2f}", name, f"{_LATE_TARGET}"]

    return _table(["trace", "ours over the best", "the best", "at most"], rows())


def _rare(found: Sequence[Found]) -> str:
    def rows() -> Iterator[Sequence[str]]:
        for each in found:
            for one in (*each.curves[OURS], *each.curves[TODAY]):
                if one.policy == TODAY or one.setting in ("2", "5", "10", "20"):
                    yield [
                        f"{each.trace.name}, {_named(one)}",
                        f"{one.wait:.1f}",
                        f"{one.rare_wait:.1f}",
                        f"{one.rare_late_wait:.0f}",
                        f"{one.rare_longest_wait:.0f}",
                        f"{one.gap:.0f}",
                        f"{one.rare_gap:.0f}",
                        f"{one.largest_gap:.0f}",
                    ]

    return _table(
        [
            "trace",
            "mean wait of all",
            "of the rare",
            "95 %",
            "longest",
            "mean gap of all",
            "of the rare",
            "largest gap",
        ],
        rows(),
    )


def _teams(fives: Sequence[Found]) -> str:
    def rows() -> Iterator[Sequence[str]]:
        for each in fives:
            for one in _points(each, apart=()):
                yield [
                    f"{each.trace.title}: {_named(one)}",
                    f"{one.wait:.1f}",
                    f"{one.late_wait:.1f}",
                    f"{one.team_gap:.1f}",
                    f"{one.gap:.0f}",
                    f"{one.left}",
                ]

    return _table(
        ["trace and policy", "mean wait", "95 %", "team gap", "spread", "left at the end"],
        rows(),
    )


def _backlogs(backlogs: Sequence[Backlog]) -> str:
    rows = (
        [
            f"{each.tickets:,}",
            f"{each.optimum:.3g}",
            f"{each.ours:.3g}",
            f"{each.ours_matched:.1%}",
            f"{each.today:.3g}",
            f"{each.today_matched:.1%}",
        ]
        for each in backlogs
    )
    return _table(["players", "optimum", "ours", "matched", TODAY, "matched"], rows)


def _costs(costs: Sequence[Cost]) -> str:
    rows = (
        [f"{each.what}, {each.tickets:,} tickets", f"{each.units:.1f}", f"{each.matched:.0%}"]
        for each in costs
    )
    return _table(["round", "units", "matched"], rows)


def _trace(found: Found) -> str:
    def rows() -> Iterator[Sequence[str]]:
        for each in _points(found, apart=()):
            yield [
                _named(each),
                f"{each.wait:.2f}",
                f"{each.late_wait:.1f}",
                f"{each.gap:.1f}",
                f"{each.late_gap:.0f}",
                f"{each.left}",
            ]

    trace = found.trace
    return (
        f"## {trace.title}\n\n![{trace.title}](fairness-{trace.name}.svg)\n\n"
        f"{len(trace.tickets):,} players.\n\n"
        + _table(["policy", "mean wait", "95 %", "mean gap", "95 %", "left at the end"], rows())
    )
