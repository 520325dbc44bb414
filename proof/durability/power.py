"""A loss of power: the process is gone, and so is what it had written and not synced."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("synced.c")


class NoCompilerError(Exception):
    """There is no C compiler here, so a loss of power cannot be played."""


def compiled(folder: Path) -> Path:
    """Compiles the library that notes the syncs. Raises NoCompilerError."""
    if shutil.which("cc") is None:
        raise NoCompilerError("cc is missing (Debian: apt-get install gcc libc6-dev)")
    path = folder / "synced.so"
    command = ["cc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(path), str(_SOURCE)]
    subprocess.run([*command, "-ldl"], check=True, capture_output=True)
    return path


def variables(shared: Path, log: Path) -> dict[str, str]:
    """The environment in which a process notes its syncs in `log`."""
    return {"LD_PRELOAD": str(shared), "SYNCED_LOG": str(log)}


def cut_back(folder: Path, log: Path) -> int:
    """Cuts the files in `folder` back to what was synced; returns how many bytes are gone."""
    synced: dict[int, int] = {}
    for line in log.read_text().splitlines() if log.exists() else ():
        inode, size = map(int, line.split())
        synced[inode] = max(size, synced.get(inode, 0))
    gone = 0
    for path in folder.glob("*.aof"):
        found = path.stat()
        keep = min(found.st_size, synced.get(found.st_ino, 0))
        gone += found.st_size - keep
        with path.open("r+b") as file:
            file.truncate(keep)
    return gone
