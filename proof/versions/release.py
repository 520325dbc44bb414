"""A version of Matchkeeper with all that it needs: this one, or one that is built from git."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BUILD_SECONDS = 600
_OURS = ("PYTHONPATH", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "MAKEFLAGS", "MAKELEVEL")
"""Variables by which another version would find this one's modules."""


class NoReleaseError(Exception):
    """There is no such version, or it cannot be built. Says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """How to run it."""

    name: str
    python: str
    folder: Path
    """The checkout, with `proof` and `docs`."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables of this process, without those that lead to another version."""
        if self.folder == ROOT:
            return os.environ
        return {name: value for name, value in os.environ.items() if name not in _OURS}


HERE = Release(name="this version", python=sys.executable, folder=ROOT)


def previous() -> str:
    """The git ref of the version before this one: the newest tag behind it.

    Raises NoReleaseError.
    """
    if not (ROOT / ".git").exists():
        raise NoReleaseError("no git checkout, so that no version before this one is at hand")
    head = _git("rev-parse", "HEAD")
    for start in ("HEAD", "HEAD^"):
        try:
            tag = _git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", start)
        except NoReleaseError:
            break
        if _git("rev-parse", f"{tag}^{{commit}}") != head:
            return tag
    raise NoReleaseError("no tag v… behind this version yet: there is no version before the first")


def built(ref: str, folder: Path) -> Release:
    """Checks a version out into a new folder and installs it there, by its own lock file.

    Raises NoReleaseError.
    """
    commit = _git("rev-parse", "--verify", f"{ref}^{{commit}}")
    _git("clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(folder))
    _git("-C", str(folder), "checkout", "--quiet", commit)
    release = Release(name=ref, python=str(folder / ".venv/bin/python"), folder=folder)
    _run("make", "install", release=release)
    found = _run(
        release.python, "-c", "import matchkeeper; print(matchkeeper.__file__)", release=release
    )
    if not Path(found.strip()).is_relative_to(folder.resolve()):
        raise NoReleaseError(f"{ref} runs the code of another version: {found.strip()}")
    return release


def _git(*arguments: str) -> str:
    return _run("git", *arguments).strip()


def _run(*command: str, release: Release = HERE) -> str:
    done = subprocess.run(
        command,
        cwd=release.folder,
        env=release.environment,
        capture_output=True,
        text=True,
        timeout=_BUILD_SECONDS,
        check=False,
    )
    if done.returncode:
        raise NoReleaseError(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
    return done.stdout
