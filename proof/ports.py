"""Ports that stay ours while nobody listens on them."""

from __future__ import annotations

import fcntl
import random
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

_PORTS = (15_000, 30_000)
"""None of those that the system gives to outgoing connections."""


class Port:
    """A port of this process for as long as this object lives.

    A server that is killed a thousand times leaves its port free for a moment each time. Another
    process that looks for a port, such as a second chaos on this machine, must not find it: the
    clients of one run would speak to the server of the other. So a file locks the choice.
    """

    def __init__(self) -> None:
        folder = Path(tempfile.gettempdir(), "matchkeeper-ports")
        folder.mkdir(exist_ok=True)
        while True:
            self.number = random.randrange(*_PORTS)
            self._lock = (folder / str(self.number)).open("w")
            with suppress(OSError), socket.socket() as probe:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                probe.bind(("127.0.0.1", self.number))
                return
            self._lock.close()

    def free(self) -> None:
        """Somebody else may have it."""
        self._lock.close()
