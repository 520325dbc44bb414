"""Checks the models: every configuration holds and, with --bugs, every bug is found.

Run it as `python -m proof.model [--bugs]`. Exit code 0: all as expected; 1: not; 2: cannot run.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

HANDOFF = Path(__file__).with_name("matchkeeper.pml")
FAILOVER = Path(__file__).with_name("failover.pml")
HEARING = Path(__file__).with_name("hearing.pml")
_DELIBERATE = "Deliberate bugs"
_DURABLE = {"DURABLE": 1}
_SMALL = {"PLAYERS": 2, "ENQUEUES": 2, "REAPERS": 1}
_BREAKS = {"MARKS": 3, "KILLS": 0}
_PLACES = {"PLAYERS": 2, "ENQUEUES": 2, "MATCHES": 3, "ROUNDS": 1, "REAPERS": 1}
_PARTY = {"PARTY": 1, "ENQUEUES": 2, "ROUNDS": 1, "REAPERS": 1}
_OF_THREE = {"PLAYERS": 3, **_PARTY}
_ONE = {"MATCHES": 1}
_COPIES = {"FAILOVERS": 0, "LIVES": 2, "MATCHES": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model in one size, perhaps with a bug, or with a state that must be reachable."""

    name: str
    model: Path = HANDOFF
    sizes: dict[str, int] = field(default_factory=dict)
    switch: str = ""

    @property
    def defines(self) -> list[str]:
        """Options for spin."""
        sizes = [f"-D{name}={number}" for name, number in self.sizes.items()]
        return [*sizes, f"-D{self.switch}"] if self.switch else sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the verifier reported."""

    states: float
    transitions: float
    depth: int
    errors: int
    broken: str
    """The promise that an execution breaks; empty where none does."""
    complete: bool
    """The search was exhaustive: neither truncated nor out of memory."""
    seconds: float
    trail: str = ""


HOLDING = (
    Case(name="two servers, three players"),
    Case(
        name="two servers, players come again",
        sizes={"PLAYERS": 2, "ENQUEUES": 2, "PODS": 1},
    ),
    Case(name="two servers, three offers", sizes={"PLAYERS": 2, "OFFERS": 3}),
    Case(
        name="one server, three matches",
        sizes={"PLAYERS": 2, "ENQUEUES": 2, "MATCHES": 3, "ROUNDS": 1, "REAPERS": 1},
    ),
    Case(
        name="one server, three players, three matches",
        sizes={"MATCHES": 3, "ROUNDS": 1, "REAPERS": 1},
    ),
    Case(name="durable starts, players come again", sizes=_SMALL | _DURABLE),
    Case(
        name="durable starts, one server, three matches",
        sizes=_PLACES | _DURABLE,
    ),
    Case(name="a party of two and one alone, who come again", sizes=_PARTY),
    Case(name="two servers, a party of two and one alone", sizes={"PARTY": 1, "REAPERS": 1}),
    Case(
        name="durable starts, a party of two and one alone",
        sizes={"PARTY": 1, "ROUNDS": 1, "REAPERS": 1} | _DURABLE,
    ),
    Case(name="messages, two failovers", model=FAILOVER),
    Case(name="messages, late and twice, pods that start again", model=FAILOVER, sizes=_COPIES),
    Case(name="hearing, a subscription breaks", model=HEARING, sizes=_BREAKS),
    Case(name="hearing, a server is killed", model=HEARING, sizes={"MARKS": 3, "BREAKS": 0}),
    Case(
        name="hearing, a call is done late",
        model=HEARING,
        sizes={"MARKS": 3, "BREAKS": 0, "KILLS": 0, "LATES": 1},
    ),
)

REACHED = tuple(
    Case(name=name, model=model, sizes=sizes, switch=switch)
    for name, model, sizes, switch in (
        ("a match starts", HANDOFF, _PLACES, "REACH_START"),
        ("one is given back, another starts", HANDOFF, _PLACES, "REACH_START_AFTER_GIVE_BACK"),
        ("a match ends, who asked has left", HANDOFF, _PLACES, "REACH_LEFT"),
        ("the last offer is taken", HANDOFF, _PLACES, "REACH_LAST_OFFER"),
        ("a player comes again and plays again", HANDOFF, _PLACES, "REACH_SECOND_START"),
        ("a confirmed match is settled by a server", HANDOFF, _SMALL | _DURABLE, "REACH_SETTLED"),
        ("one that was confirmed is declined", HANDOFF, _SMALL | _DURABLE, "REACH_DECLINED"),
        ("a match with a party starts", HANDOFF, _PARTY, "REACH_PARTY_START"),
        ("one of a party leaves, both have left", HANDOFF, _PARTY, "REACH_PARTY_LEFT"),
        ("a match starts after two failovers", FAILOVER, _ONE, "REACH_AFTER_FAILOVER"),
        ("a refused confirm may come again", FAILOVER, _COPIES, "REACH_REFUSED_COPY"),
        ("another hears, all is moved", HEARING, {"KILLS": 0, "BREAKS": 0}, "REACH_TAKEN_OVER"),
        ("the server that heard was killed", HEARING, {"BREAKS": 0}, "REACH_AFTER_KILL"),
    )
)


def _bugs(model: Path, sizes: Mapping[str, int]) -> list[Case]:
    """A case for each bug that the model knows; `sizes` show all of them but those of `_NEED`."""
    switches = sorted(set(re.findall(r"\bBUG_[A-Z_]+\b", model.read_text())))
    return [
        Case(
            name=switch.removeprefix("BUG_").lower(),
            model=model,
            sizes={**sizes, **_NEED.get(switch, {})},
            switch=switch,
        )
        for switch in switches
    ]


_NEED = {
    **dict.fromkeys(("BUG_SETTLE_ANY", "BUG_DECLINE_STARTED", "BUG_START_UNSETTLED"), _DURABLE),
    **dict.fromkeys(
        ("BUG_LEFT_IN_INDEX", "BUG_PARTY_SPLIT", "BUG_HALF_PUT_BACK", "BUG_LEAVES_ALONE"),
        _OF_THREE,
    ),
    "BUG_REFUSAL_FORGOTTEN": _COPIES,
    "BUG_TOKEN_IGNORED": _COPIES,
    "BUG_PLACE_IGNORED": {"BREAKS": 0, "LATES": 1},
}
BUGS = (*_bugs(HANDOFF, _SMALL), *_bugs(FAILOVER, _ONE), *_bugs(HEARING, _BREAKS))


class CannotRunError(Exception):
    """A tool is missing, or fails in a way that says nothing about the model."""


def _run(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if done.returncode != 0:
        raise CannotRunError(
            f"{command[0]} failed with {done.returncode}: {output.strip()[-2000:]}"
        )
    return output


def verify(case: Case, *, memory_mb: int) -> Result:
    """Searches all states of a case, or stops where an execution breaks a promise."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="matchkeeper-model-") as name:
        folder = Path(name)
        shutil.copy(case.model, folder)
        _run(["spin", *case.defines, "-a", case.model.name], folder)
        options = ["-w", "-O2", "-DSAFETY", "-DCOLLAPSE", f"-DMEMLIM={memory_mb}"]
        _run(["cc", *options, "-o", "pan", "pan.c"], folder)
        report = _run([str(folder / "pan"), "-n", "-m1000000"], folder)
        trail = ""
        if (folder / f"{case.model.name}.trail").exists():
            replay = _run(["spin", *case.defines, "-t", "-p", case.model.name], folder)
            trail = "\n".join(replay.splitlines()[-150:])
    return parse(report, seconds=time.monotonic() - begun, trail=trail)


def parse(report: str, *, seconds: float, trail: str = "") -> Result:
    """Reads what pan has printed."""
    broken = re.search(
        r"^pan:\d+: (?:assertion violated )?(.*?)(?: \(at depth \d+\))?$", report, re.M
    )
    truncated = re.search(
        r"max search depth too small|reached -DMEMLIM|out of memory|Search not completed", report
    )
    return Result(
        states=_number(report, r"([\d.e+]+) states, stored"),
        transitions=_number(report, r"([\d.e+]+) transitions"),
        depth=int(_number(report, r"depth reached (\d+)")),
        errors=int(_number(report, r"errors: (\d+)")),
        broken=broken[1] if broken else "",
        complete=truncated is None,
        seconds=seconds,
        trail=trail,
    )


def _number(report: str, pattern: str) -> float:
    found = re.search(pattern, report)
    if found is None:
        raise CannotRunError(f"The verifier's report is not understood: {report.strip()[-2000:]}")
    return float(found[1])


def _row(case: Case, result: Result, verdict: str) -> list[str]:
    return [
        case.name,
        f"{result.states:,.0f}",
        f"{result.transitions:,.0f}",
        f"{result.depth:,}",
        str(result.errors),
        f"{result.seconds:.1f}",
        verdict,
    ]


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("configuration")
    for name in ("states", "transitions", "depth", "errors", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    return table


def check_holding(console: Console, *, memory_mb: int) -> bool:
    """Whether every configuration was searched wholly and keeps every promise."""
    table, trails, good = _table("Every promise, in every state"), [], True
    for case in HOLDING:
        console.print(f"[dim]{case.name} …[/dim]")
        result = verify(case, memory_mb=memory_mb)
        holds = result.errors == 0 and result.complete
        verdict = "holds" if holds else f"BROKEN: {result.broken}" if result.errors else "TRUNCATED"
        table.add_row(*_row(case, result, verdict))
        if result.trail:
            trails.append(f"How {case.name!r} breaks, its last steps:\n{result.trail}")
        good = good and holds
    console.print(table)
    for trail in trails:
        console.print(trail, markup=False, highlight=False)
    return good


def check_found(
    console: Console, title: str, cases: Sequence[Case], *, memory_mb: int, verb: str
) -> bool:
    """Whether the verifier finds an execution for each case: a bug, or a state to be reached."""
    table, good = _table(title), True
    for case in cases:
        result = verify(case, memory_mb=memory_mb)
        found = result.errors > 0
        broken = "" if result.broken in ("", "0") else f": {result.broken}"
        table.add_row(*_row(case, result, f"{verb}{broken}" if found else f"NOT {verb.upper()}"))
        good = good and found
    console.print(table)
    return good


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the checks; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m proof.model", description=__doc__)
    parser.add_argument("--bugs", action="store_true", help="see that each deliberate bug is found")
    parser.add_argument(
        "--bug", action="append", metavar="BUG_NAME", help="see that this one is found, only"
    )
    parser.add_argument("--memory-mb", type=int, default=5000, help="limit (default: %(default)s)")
    options = parser.parse_args(arguments)
    console, memory = Console(width=None if sys.stdout.isatty() else 120), options.memory_mb
    missing = [tool for tool in ("spin", "cc") if shutil.which(tool) is None]
    if missing:
        print(f"Cannot find {' and '.join(missing)}.", file=sys.stderr)
        print("Debian: apt-get install spin gcc", file=sys.stderr)
        return 2
    bugs = [bug for bug in BUGS if not options.bug or bug.switch in options.bug]
    if len(bugs) < len(set(options.bug or ())):
        print(f"Unknown among {', '.join(options.bug)}", file=sys.stderr)
        print(f"Known: {', '.join(bug.switch for bug in BUGS)}", file=sys.stderr)
        return 2
    try:
        if options.bug:
            return not check_found(console, _DELIBERATE, bugs, memory_mb=memory, verb="found")
        good = check_holding(console, memory_mb=memory)
        good &= check_found(
            console, "What must be reachable", REACHED, memory_mb=memory, verb="reached"
        )
        if options.bugs:
            good &= check_found(console, _DELIBERATE, bugs, memory_mb=memory, verb="found")
    except CannotRunError as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
