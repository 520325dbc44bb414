"""The tables at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from crowd.history import What
from crowd.judge import Fault
from proof.chaos.faults import CRASHES, CommandFault, Kind
from proof.chaos.phase import Outcome

_SHOWN = 10


def report(console: Console, outcomes: Sequence[Outcome]) -> None:
    """All tables, and what was found."""
    _faults(console, outcomes)
    _recoveries(console, outcomes)
    _verdicts(console, outcomes)
    for outcome in outcomes:
        for finding in outcome.verdict.findings[:_SHOWN]:
            text = f"{outcome.plan.name}: {finding.fault.value}: {finding.text}"
            console.print(text, style="red", markup=False, soft_wrap=True)
        for line in outcome.defects[:_SHOWN]:
            console.print(f"{outcome.plan.name}: defect: {line}", style="red", markup=False)
        for name, times in Counter(outcome.ended).items():
            text = f"{outcome.plan.name}: ended {times} times: {name}"
            console.print(text, style="red", markup=False)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def _faults(console: Console, outcomes: Sequence[Outcome]) -> None:
    table = _table("Faults by kind", "fault", *(outcome.plan.name for outcome in outcomes))
    for fault in (*Kind, *CommandFault):
        counts = [outcome.faults[fault.value] for outcome in outcomes]
        table.add_row(fault.value, *(f"{count:,}" if count else "" for count in counts))
    console.print(table)


def _recoveries(console: Console, outcomes: Sequence[Outcome]) -> None:
    title = "Seconds from the end of a fault to the next match made and started"
    table = _table(title, "after", "times", "median", "longest")
    seconds: dict[Kind, list[float]] = {}
    for outcome in outcomes:
        for kind, found in outcome.recoveries.items():
            seconds.setdefault(kind, []).extend(found)
    for kind, found in sorted(seconds.items(), key=lambda each: list(Kind).index(each[0])):
        if found:
            table.add_row(kind.value, f"{len(found)}", f"{median(found):.2f}", f"{max(found):.2f}")
    console.print(table)


def _verdicts(console: Console, outcomes: Sequence[Outcome]) -> None:
    table = _table("Chaos", "", *(outcome.plan.name for outcome in outcomes))
    rows: dict[str, Callable[[Outcome], str]] = {
        "minutes": lambda each: f"{each.seconds / 60:.1f}",
        "crash cycles": lambda each: f"{each.crashes:,}",
        "of these with commands in flight": lambda each: f"{_in_flight(each):,}",
        "commands through the proxy": lambda each: f"{each.commands:,}",
        "players asked": lambda each: f"{each.verdict.attempted:,}",
        "told EnQueued": lambda each: f"{each.verdict.acknowledged:,}",
        "parties that asked": lambda each: _different(e.party for e in each.events),
        "told who of a party left": lambda each: f"{sum(bool(e.left_by) for e in each.events):,}",
        "matches started": lambda each: f"{each.verdict.started:,}",
        "offered with parties": lambda each: _different(e.match for e in each.events if e.seats),
        "answers to messages about matches": lambda each: f"{_answers(each):,}",
        "told an assignment and a secret": lambda each: f"{_assigned(each):,}",
        "lost": lambda each: _count(each, Fault.LOST),
        "doubled": lambda each: _count(each, Fault.DOUBLED),
        "out of place": lambda each: _count(each, Fault.OUT_OF_PLACE),
        "party split": lambda each: _count(each, Fault.SPLIT),
        "other findings": lambda each: _count(each, *_OTHERS),
        "seconds until all was at rest": lambda each: f"{each.settled_after:.1f}",
        "longest recovery in seconds": lambda each: f"{_longest(each):.2f}",
    }
    for name, text in rows.items():
        table.add_row(name, *(text(outcome) for outcome in outcomes))
    console.print(table)


_OTHERS = tuple(set(Fault) - {Fault.LOST, Fault.DOUBLED, Fault.OUT_OF_PLACE, Fault.SPLIT})


def _different(names: Iterable[str]) -> str:
    return f"{len({name for name in names if name}):,}"


def _answers(outcome: Outcome) -> int:
    return sum(event.what is What.ANSWERED for event in outcome.events)


def _assigned(outcome: Outcome) -> int:
    return sum(bool(event.assignment and event.secret) for event in outcome.events)


def _count(outcome: Outcome, *faults: Fault) -> str:
    return f"{outcome.verdict.count(*faults):,}"


def _in_flight(outcome: Outcome) -> int:
    return sum(blow.in_flight > 0 and blow.kind in CRASHES for blow in outcome.blows)


def _longest(outcome: Outcome) -> float:
    return max((max(each) for each in outcome.recoveries.values()), default=0.0)
