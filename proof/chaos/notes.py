"""What a process saw, written down at once: a kill loses nothing that it had acted on."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from crowd.history import Event, History, What

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Event).decode


class Notes(History):
    """A history in a file. All processes of a machine share the monotonic clock."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def see(self, event: Event) -> None:
        """Notes an event: one write, which no kill can take back."""
        os.write(self._file, _encode(event) + b"\n")

    def now(self, what: What, **fields: Any) -> None:
        """Notes an event of this moment."""
        self.add(what, time.monotonic(), **fields)


def read(paths: Iterable[Path]) -> list[Event]:
    """The events of all files, in the order of time."""
    return sorted((event for path in paths for event in _events(path)), key=lambda each: each.at)


def _events(path: Path) -> Iterator[Event]:
    with path.open("rb") as file:
        for line in file:
            # The last line of a process that was killed may be cut off.
            with suppress(msgspec.DecodeError):
                yield _decode(line)
