"""Runs the fuzzers, prints what came of them, and ends with 1 where something failed."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Protocol

from proof.fuzz.report import Tally, details, table


class _Run(Protocol):
    def __call__(self, tally: Tally, *, seconds: float) -> None: ...


_TARGETS = {
    "wire": "proof.fuzz.wire",
    "config": "proof.fuzz.settings",
    "flood": "proof.fuzz.flood",
    "state": "proof.fuzz.state",
    "http": "proof.fuzz.http_api",
}


def main() -> int:
    """The command line."""
    options = _options()
    tallies = []
    for name in options.target or _TARGETS:
        tally = Tally(target=name, seed=options.seed)
        begun = time.monotonic()
        seconds = options.flood_seconds if name == "flood" else options.seconds
        _target(name)(tally, seconds=seconds or options.seconds)
        tally.notes.append(f"took {time.monotonic() - begun:.0f} s")
        tallies.append(tally)
        _say(details(tally))
    _say(f"\nseed {options.seed}\n\n{table(tallies)}")
    return int(any(tally.failed for tally in tallies))


def _target(name: str) -> _Run:
    # One at a time: a target whose libraries are missing must not stop the others.
    run: Callable[..., None] = import_module(_TARGETS[name]).run
    return run


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m proof.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="for each target (default 30)")
    parser.add_argument("--flood-seconds", type=float, help="for the flood, if another time")
    parser.add_argument(
        "--target", action="append", choices=_TARGETS, help="only this one; may come several times"
    )
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(10**6), help="of an earlier run, to repeat it"
    )
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
