"""What a deliberate bug is, and how it gets into a copy of the project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
_PARTS = ("src", "proof", "tests", "docs", "config", "examples", "pyproject.toml", "Makefile")
_SOURCE = Path("src") / "matchkeeper"


class MutantError(Exception):
    """The code has changed, and the bug does not fit any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A text in a file, and what stands in its place afterwards."""

    file: str
    """Below `src/matchkeeper`."""
    old: str
    """Stands in the file exactly once."""
    new: str

    def apply(self, root: Path) -> None:
        """Changes the file. Raises MutantError."""
        path = root / _SOURCE / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            raise MutantError(f"{self.file} holds {text.count(self.old)} times: {self.old!r}")
        path.write_text(text.replace(self.old, self.new))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One deliberate bug."""

    name: str
    what: str
    """In words."""
    edits: tuple[Edit, ...]
    model: str = ""
    """The same bug in the model, where it is one of the protocol."""


@contextmanager
def scratch_copy(mutant: Mutant) -> Iterator[Path]:
    """A copy of the project with the bug in it. Raises MutantError."""
    with TemporaryDirectory(prefix="matchkeeper-mutant-") as name:
        root = Path(name)
        for part in _PARTS:
            _copy(ROOT / part, root / part)
        for edit in mutant.edits:
            edit.apply(root)
        # Game servers in other languages use the scripts as they stand in the documents.
        subprocess.run(
            [sys.executable, "-m", "matchkeeper.reference", "docs"],
            cwd=root,
            env=environment(root),
            check=True,
            capture_output=True,
        )
        yield root


def environment(root: Path) -> dict[str, str]:
    """Variables for processes that are to run the copy and not what is installed."""
    return {**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}", "PYTHONDONTWRITEBYTECODE": "1"}


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)
