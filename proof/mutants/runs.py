"""The runs that are to find a bug, and what they say of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from proof.mutants.mutant import ROOT, Mutant, environment

_LONGEST_SECONDS = 900
_TESTS = (
    "store/test_store_tickets", "store/test_store_matches", "store/test_store_leaving",
    "store/test_store_handoffs", "store/test_status", "store/test_store_overtaken",
    "store/test_parties", "store/test_parties_late", "queue/test_parties_told",
    "store/test_connection", "store/test_script_numbers", "handoff/test_by_message",
    "handoff/test_handoff", "handoff/test_claiming", "handoff/test_durable_start",
    "resilience/test_breaker", "queue/test_ingest", "queue/test_hearing", "queue/test_tape",
    "queue/test_refusals", "server/test_serving", "server/test_scenarios",
    "server/test_crash",
)  # fmt: skip


class Run(StrEnum):
    """One way to look for a bug."""

    TESTS = "tests"
    SIMULATION = "simulation"
    CHAOS = "chaos"
    MODEL = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a run on a mutant."""

    run: Run
    caught: bool
    seconds: float
    reason: str
    """What was found, in the run's own words."""


_COMMANDS: Mapping[Run, tuple[str, ...]] = {
    Run.TESTS: ("pytest", "-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::ResourceWarning",
                *(f"tests/{name}.py" for name in _TESTS)),
    Run.SIMULATION: ("proof.simulate", "--seeds", "300", "--every", "10", "--until-found"),
    Run.CHAOS: ("proof.chaos", "--minutes", "0.5"),
    Run.MODEL: ("proof.model", "--bug"),
}  # fmt: skip
_REASONS: Mapping[Run, str] = {
    Run.TESTS: r"^(?:FAILED|ERROR) (.*)$",
    Run.SIMULATION: r"^  ([a-z ,]+: .*)$",
    Run.CHAOS: r"^((?:AOF|at-once|replica): .*)$",
    Run.MODEL: r"found: (\w+)",
}


def runs_for(mutant: Mutant, wanted: Sequence[Run]) -> list[Run]:
    """The runs that make sense for a mutant: the model only where it has the bug, too."""
    return [run for run in wanted if run is not Run.MODEL or mutant.model]


def look_for(mutant: Mutant, run: Run, root: Path) -> Result:
    """Runs one way of looking on the copy at `root`."""
    arguments = _COMMANDS[run]
    if run is Run.MODEL:
        arguments, root = (*arguments, mutant.model), ROOT
    begun = time.monotonic()
    code, output = _run([sys.executable, "-m", *arguments], root)
    # The model's exit code says that all is as expected: that the bug was found.
    expected = 0 if run is Run.MODEL else 1
    found = re.search(_REASONS[run], output, re.MULTILINE) if code == expected else None
    reason = found[1].strip() if found else ""
    if not found and (code or run is Run.MODEL):
        reason = f"failed with {code}: {output.strip()[-300:]}"
    return Result(
        run=run, caught=found is not None, seconds=time.monotonic() - begun, reason=reason
    )


def _run(command: Sequence[str], root: Path) -> tuple[int, str]:
    """Exit code and output; the whole process group ends with it."""
    process = subprocess.Popen(
        command,
        cwd=root,
        env={**environment(root), "COLUMNS": "300"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=_LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        output = f"not over after {_LONGEST_SECONDS} s"
    finally:
        _end_group(process.pid)
    return process.wait(10), output


def _end_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
