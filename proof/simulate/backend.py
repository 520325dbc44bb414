"""The real Valkey behind the simulated network, spoken to one command at a time, without waiting.

Its scripts are the shipped ones. Only their clock is replaced: for TIME they read the simulated
one. What has a time to live lives by the simulated time, too.
"""

from __future__ import annotations

import hashlib
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hiredis

from crowd.wire import packed
from matchkeeper.store.embedded import executable
from proof.look import SCRIPT, Look, read

_SIM_CLOCK = ("redis.call('TIME')", "{redis.call('GET', 'sim:now'), 0}")
_SIM_ENTRY_IDS = (
    "'*'",
    "string.format('%.0f-*', math.floor(1000 * redis.call('GET', 'sim:latest')))",
)
EPOCH = 1_700_000_000.0
"""Unix time at the start of a simulation."""
_TTL_STEP_MS = 10_000
_NOTICED_SECONDS = 3.0
"""Within this time some server has looked at the clock."""
_OK = b"+OK\r\n"
_BARRIER = (b"PING", b"sim")
_PONG, _ECHO = b"*2\r\n$4\r\npong\r\n", b"$3\r\nsim\r\n"
"""The first only where it listens to something."""

_SWEEP = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local ms = redis.call('PTTL', key)
  if ms > 0 then
    redis.call('PERSIST', key)
    found[#found + 1] = key
    found[#found + 1] = ms
  end
end
return found
"""
_EXPIRE = "if redis.call('PTTL', KEYS[1]) == -1 then return redis.call('UNLINK', KEYS[1]) end"


@dataclass(slots=True)
class Clock:
    """The wall clock of Redis."""

    ahead_seconds: float = 0.0
    """By how much it is ahead of the time of the simulation."""
    latest: float = 0.0
    """The latest time that it has shown: the ids in streams never go back."""


class Raw:
    """One connection to Valkey. Calls wait for the reply; no time passes meanwhile."""

    def __init__(self, path: str, clock: Clock) -> None:
        self.clock = clock
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self.client_id = int(self.call(b"CLIENT", b"ID"))
        self.subscriber = False
        self.in_transaction = False

    def call(self, *args: bytes) -> Any:
        """A parsed reply."""
        reader = hiredis.Reader()
        reader.feed(self._exchange(packed(*args), 1))
        return reader.gets()

    def wire(self, now: float, args: tuple[bytes, ...]) -> bytes:
        """The reply as it goes over the wire, at a time of the simulation."""
        inside, self.in_transaction = self.in_transaction, args[0] == b"MULTI"
        if inside:
            self.in_transaction = args[0] not in (b"EXEC", b"DISCARD")
            return self._exchange(packed(*args), 1)
        wall = EPOCH + now + self.clock.ahead_seconds
        if wall < self.clock.latest and args[0] == b"EVALSHA":
            self.clock.latest = max(self.clock.latest, self._last_entry(args))
        self.clock.latest = max(self.clock.latest, wall)
        times = (b"sim:now", b"%.6f" % wall, b"sim:latest", b"%.6f" % self.clock.latest)
        clock = packed(b"MSET", *times)
        if args[0].upper() == b"XADD" and b"*" in args[:4]:
            at = args.index(b"*")
            args = (*args[:at], self._entry_id(args[1]), *args[at + 1 :])
        return self._exchange(clock + packed(*args), 2)[len(_OK) :]

    def _entry_id(self, stream: bytes) -> bytes:
        """As Redis makes it: by its clock, and never before the last one."""
        ms, number = self._last_id(stream)
        now_ms = int(1000 * self.clock.latest)
        return b"%d-0" % now_ms if now_ms > ms else b"%d-%d" % (ms, number + 1)

    def _last_id(self, stream: bytes) -> tuple[int, int]:
        found = self.call(b"XINFO", b"STREAM", stream)
        facts = dict(zip(found[::2], found[1::2], strict=True)) if isinstance(found, list) else {}
        ms, number = facts.get(b"last-generated-id", b"0-0").split(b"-")
        return int(ms), int(number)

    def _last_entry(self, args: tuple[bytes, ...]) -> float:
        """The Unix time that the last entry of a script's streams bears. It may be ahead of a clock
        that has gone back, since servers put streams in order then.
        """
        streams = args[3 : 3 + int(args[2])]
        return max([(self._last_id(each)[0] + 0.5) / 1000 for each in streams], default=0.0)

    def refuse(self, args: tuple[bytes, ...]) -> None:
        """Does not do a command; a transaction that it should have ended has ended, too."""
        if self.in_transaction and args[0] == b"EXEC":
            self.in_transaction = False
            self.call(b"DISCARD")

    def pushes(self, args: tuple[bytes, ...] = ()) -> bytes:
        """On a subscriber: what came until now, with the reply to `args` in it."""
        self._socket.sendall((packed(*args) if args else b"") + packed(*_BARRIER))
        data = b""
        while not data.endswith(_ECHO):
            data += self._socket.recv(1 << 20)
        return data.removesuffix(_ECHO).removesuffix(_PONG)

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()

    def _exchange(self, data: bytes, replies: int) -> bytes:
        self._socket.sendall(data)
        reader, received = hiredis.Reader(), b""
        while replies:
            chunk = self._socket.recv(1 << 20)
            if not chunk:
                raise ConnectionError("the Valkey of the simulation has gone")
            received += chunk
            reader.feed(chunk)
            while replies and reader.gets() is not False:
                replies -= 1
        return received


class Backend:
    """A Valkey process for many runs, one after the other."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="matchkeeper-sim-")
        self._path = str(Path(self._folder.name) / "s")
        self._process = subprocess.Popen(
            [
                str(executable()), "--port", "0", "--unixsocket", self._path, "--save", "",
                "--appendonly", "no", "--dir", self._folder.name,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._clock = Clock()
        self._stepped = (0.0, 0.0)
        self._admin = self._connected(time.monotonic() + 10)
        self._opened: list[Raw] = []
        self._shas: dict[bytes, bytes] = {}
        self._deadlines: dict[bytes, float] = {}
        self._swept_at = 0.0

    def _connected(self, deadline: float) -> Raw:
        while True:
            try:
                return Raw(self._path, self._clock)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def reset(self) -> None:
        """An empty Valkey that knows no scripts and no clients."""
        self._admin.call(b"CLIENT", b"KILL", b"SKIPME", b"yes", b"TYPE", b"normal")
        self._admin.call(b"CLIENT", b"KILL", b"SKIPME", b"yes", b"TYPE", b"pubsub")
        self._close_all()
        self._admin.call(b"FLUSHALL")
        self.forget_scripts()
        self._clock.ahead_seconds = self._clock.latest = 0.0
        self._stepped = (0.0, 0.0)
        self._deadlines.clear()
        self._swept_at = 0.0

    def open(self) -> Raw:
        """A connection of its own."""
        self._opened.append(Raw(self._path, self._clock))
        return self._opened[-1]

    def kill_client(self, raw: Raw) -> None:
        """The connection is gone at once, for the counts of subscribers, too."""
        self._admin.call(b"CLIENT", b"KILL", b"ID", b"%d" % raw.client_id)
        raw.close()

    def forget_scripts(self) -> None:
        """As after a restart."""
        self._admin.call(b"SCRIPT", b"FLUSH")

    def translated(self, args: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """The command with the clock of the simulation in its script."""
        name = args[0].upper()
        if name == b"SCRIPT" and args[1].upper() == b"LOAD":
            text = args[2].decode().replace(*_SIM_CLOCK).replace(*_SIM_ENTRY_IDS).encode()
            shipped = hashlib.sha1(args[2], usedforsecurity=False).hexdigest().encode()
            self._shas[shipped] = hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()
            return (args[0], args[1], text)
        if name == b"EVALSHA":
            return (args[0], self._shas.get(args[1], args[1]), *args[2:])
        return args

    def age_entries(
        self, stream: bytes, group: bytes, read_at: dict[bytes, float], now: float
    ) -> None:
        """Lets entries that were given to a reader look as old as the simulation says."""
        for entry_id, reader, _, _ in self._admin.call(
            b"XPENDING", stream, group, b"-", b"+", b"100"
        ):
            idle_ms = b"%d" % int(1000 * (now - read_at.get(reader, 0.0)))
            self._admin.call(
                b"XCLAIM", stream, group, reader, b"0", entry_id, b"IDLE", idle_ms, b"JUSTID"
            )

    def admin(self, now: float, *args: bytes) -> Any:
        """A command by hand."""
        reader = hiredis.Reader()
        reader.feed(self._admin.wire(now, args))
        return reader.gets()

    def look(self, realm: str, tags: tuple[str, ...]) -> Look:
        """What stands in Redis."""
        args = (each.encode() for each in (realm, *tags))
        return read(self._admin.call(b"EVAL", SCRIPT.encode(), b"0", *args), tags)

    def step_clock(self, now: float, seconds: float) -> None:
        """Sets the wall clock of Redis. What has a time to live lives by it.

        It does nothing where servers have not yet noticed the opposite step: what was kept for a
        time in between may be over at once, and nobody can know.
        """
        if self.has_just_stepped(now) and seconds * self._stepped[1] < 0:
            return
        self._stepped = (now, seconds)
        self._clock.ahead_seconds += seconds

    def has_just_stepped(self, now: float) -> bool:
        """Whether some server may not have noticed it yet."""
        at, last = self._stepped
        return last != 0 and now - at < _NOTICED_SECONDS

    def pass_time(self, now: float) -> None:
        """Ends what has lived its time; it looks once a simulated second."""
        now += self._clock.ahead_seconds
        if int(now) == int(self._swept_at):
            return
        found = self._admin.call(b"EVAL", _SWEEP.encode(), b"0")
        for key, ms in zip(found[::2], found[1::2], strict=True):
            # Real time passes a little while the simulated stands still.
            whole = -(-ms // _TTL_STEP_MS) * _TTL_STEP_MS
            self._deadlines[key] = now + whole / 1000
        for key in [key for key, due in self._deadlines.items() if due <= now]:
            del self._deadlines[key]
            self._admin.call(b"EVAL", _EXPIRE.encode(), b"1", key)
        self._swept_at = now

    def close(self) -> None:
        """Ends the process."""
        self._close_all()
        self._admin.close()
        self._process.kill()
        self._process.wait(10)
        self._folder.cleanup()

    def _close_all(self) -> None:
        for raw in self._opened:
            raw.close()
        self._opened.clear()
