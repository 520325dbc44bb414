"""What a target has tried and found, and the table of it."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

_SHOWN = 200
_KEPT_KINDS = 40
_LONGEST_SECONDS = 1.0
"""One input may take so long."""
T = TypeVar("T")


class WrongError(Exception):
    """What came out must not come out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One kind of failure, by its first input."""

    what: str
    """What happened; failures with the same words are one kind."""
    given: str
    """The input, as its repr."""
    number: int
    """Which input it was, counted from 1; the same seed makes the same input again."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came of one target."""

    target: str
    seed: int
    tried: int = 0
    refused: int = 0
    accepted: int = 0
    failed: int = 0
    kinds: dict[str, Failure] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def fail(self, what: str, given: object) -> None:
        """Counts a failure; the first of each kind is kept with its input."""
        self.failed += 1
        if what not in self.kinds and len(self.kinds) < _KEPT_KINDS:
            self.kinds[what] = Failure(what=what, given=shortened(given), number=self.tried)

    def judge(self, given: T, accepts: Callable[[T], bool], *, name: str = "") -> None:
        """Counts what comes of an input; whatever `accepts` raises is a finding."""
        begun = time.process_time()
        try:
            accepted = accepts(given)
        except WrongError as error:
            self.fail(f"{name}{error}", given)
        except Exception as error:  # noqa: BLE001  # as it says
            where = traceback.extract_tb(error.__traceback__)[-1]
            at = f"{Path(where.filename).name}:{where.lineno}"
            self.fail(f"{name}{type(error).__name__} at {at} came out", given)
        else:
            self.accepted += accepted
            self.refused += not accepted
        if time.process_time() - begun > _LONGEST_SECONDS:
            self.fail(f"{name}over {_LONGEST_SECONDS:g} s", given)

    def inputs(self, *, seconds: float) -> Iterator[random.Random]:
        """One source of chance for each input, until the time is over."""
        over = time.monotonic() + seconds
        while time.monotonic() < over:
            self.tried += 1
            yield chance(self.seed, self.target, self.tried)


def chance(seed: int, *names: object) -> random.Random:
    """A source of chance that depends on nothing but its arguments."""
    text = "/".join(map(str, (seed, *names)))
    return random.Random(text)  # to repeat a run, not to keep a secret


def shortened(given: object) -> str:
    """The repr of an input; of a huge one both ends and the length."""
    text = given if isinstance(given, str) else repr(given)
    if len(text) <= 2 * _SHOWN:
        return text
    return f"{text[:_SHOWN]} …{len(text)} characters in all… {text[-_SHOWN:]}"


def table(tallies: Sequence[Tally]) -> str:
    """One line for each target."""
    heads = ("target", "inputs tried", "refused cleanly", "accepted", "failures")
    rows = [
        (each.target, *map(str, (each.tried, each.refused, each.accepted, each.failed)))
        for each in tallies
    ]
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (heads, *rows)
    ]
    return "\n".join((lines[0], "-" * len(lines[0]), *lines[1:]))


def details(tally: Tally) -> str:
    """The notes of a target, and its failures with seed and input."""
    lines = [f"{tally.target}: {note}" for note in tally.notes]
    for failure in tally.kinds.values():
        where = f"{tally.target} (seed {tally.seed}, input {failure.number})"
        lines += [f"FAILURE in {where}: {failure.what}", f"    {failure.given}"]
    return "\n".join(lines)
