"""One at a time: a second try is turned away, not queued."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class SingleFlight:
    """A guard that at most one holder passes at a time. For one event loop; not thread-safe."""

    def __init__(self) -> None:
        self._running = False
        self._skipped = 0

    @property
    def running(self) -> bool:
        """Whether somebody holds it."""
        return self._running

    @property
    def skipped(self) -> int:
        """How many tries were turned away."""
        return self._skipped

    def try_start(self) -> bool:
        """True: the caller holds it until `finish`. False: it is taken, and the try is counted."""
        if self._running:
            self._skipped += 1
            return False
        self._running = True
        return True

    def finish(self) -> None:
        """Gives it back. Raises RuntimeError when nobody holds it."""
        if not self._running:
            raise RuntimeError("finish() without a try_start() that returned True.")
        self._running = False

    @contextmanager
    def hold(self) -> Iterator[bool]:
        """Yields what `try_start` returned; gives back what was taken, however the block ends."""
        if not self.try_start():
            yield False
            return
        try:
            yield True
        finally:
            self.finish()
