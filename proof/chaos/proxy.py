"""A proxy that understands RESP: it can fault one command, one connection, or the whole network."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from proof.chaos.faults import CommandFault
from proof.chaos.frames import Splitter, command_name, pods_told

_CHUNK = 1 << 16
_LATE_SECONDS = 1.6
"""Longer than the deadline of any client that waits for a reply."""
_RESET = struct.pack("ii", 1, 0)
_WAITS_ON_PURPOSE = "XREADGROUP"


def _nothing(_name: str) -> None:
    pass


@dataclass(slots=True, kw_only=True)
class Weather:
    """What the network does to everybody now."""

    refuses: bool = False
    """New connections are closed at once."""
    delay_seconds: float = 0.0
    """How long each chunk of bytes takes, both ways."""
    passes: asyncio.Event = field(default_factory=asyncio.Event)
    """Not set: a black hole. What is on its way arrives when the hole closes."""


_CLOSE_SECONDS = 2.0


class Proxy:
    """Listens on a port of its own, in front of the server at `target`."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.weather = Weather()
        self.weather.passes.set()
        self.plan: Callable[[str], CommandFault | None] = _nothing
        """Called with the name of every command."""
        self.deaf: Callable[[str], None] = _nothing
        """Called with the name of a pod when the connection on which it listened has ended. A pod
        that stands still cannot know."""
        self.injected: Counter[CommandFault] = Counter()
        self.commands = 0
        self.committed_at = 0.0
        self.started_at = 0.0
        """When a match was last made, and when one was last started."""
        self._links: set[Link] = set()
        self._listening: dict[str, Link] = {}
        """pod -> the connection on which it listens, the latest."""
        self._aims: list[tuple[frozenset[str], asyncio.Future[str]]] = []
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Begins to listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Ends all connections."""
        if self._server is not None:
            self._server.close()
        self.cut_all()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                while self._links:
                    await asyncio.sleep(0.01)

    @property
    def in_flight(self) -> int:
        """Commands that were sent and are not answered yet."""
        return sum(link.in_flight for link in self._links)

    def aim(self, *names: str) -> asyncio.Future[str]:
        """Done with the name of the next command of these, as soon as it was sent."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._aims.append((frozenset(names), future))
        return future

    def cut_all(self, *, reset: bool = False) -> None:
        """Every connection ends: in good order, or with a reset."""
        for link in list(self._links):
            link.cut(reset=reset)

    @property
    def listeners(self) -> list[Link]:
        """The connections on which somebody listens on Pub/Sub."""
        return [link for link in self._links if link.listens]

    def listens(self, link: Link, pods: Iterable[str]) -> None:
        """They hear their answers over this connection now, and over no earlier one."""
        self._listening.update(dict.fromkeys(pods, link))

    def ended(self, link: Link) -> None:
        """Over this connection nobody hears anything any more."""
        for pod in [pod for pod, latest in self._listening.items() if latest is link]:
            del self._listening[pod]
            self.deaf(pod)

    def sent(self, name: str) -> None:
        """A command has gone to the server."""
        self.commands += 1
        for names, future in self._aims:
            if name in names and not future.done():
                future.set_result(name)
        if self._aims:
            self._aims = [each for each in self._aims if not each[1].done()]

    def replied(self, name: str, reply: bytes) -> None:
        """A reply has come from the server."""
        if name == "commit" and b"committed" in reply:
            self.committed_at = asyncio.get_running_loop().time()
        elif name in ("handoff", "settle") and b"started" in reply:
            self.started_at = asyncio.get_running_loop().time()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.weather.refuses:
                raise ConnectionRefusedError
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        link = Link(self, (reader, writer), (up_reader, up_writer))
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Link:
    """One connection, from a process to the server."""

    def __init__(self, proxy: Proxy, client: Ends, server: Ends) -> None:
        self.listens = False
        self._proxy = proxy
        self._client_reader, self._client = client
        self._server_reader, self._server = server
        self._commands, self._replies = Splitter(), Splitter()
        self._waiting: deque[tuple[str, CommandFault | None]] = deque()

    @property
    def in_flight(self) -> int:
        """Commands without a reply, except those that wait on purpose."""
        return sum(name != _WAITS_ON_PURPOSE for name, _ in self._waiting)

    async def run(self) -> None:
        """Until one side ends the connection."""
        with suppress(OSError, ValueError):
            replies = asyncio.ensure_future(self._carry_replies())
            try:
                await self._carry_commands()
            finally:
                # What was sent before the client went still runs.
                self.cut()
                await asyncio.gather(replies, return_exceptions=True)

    def cut(self, *, reset: bool = False) -> None:
        """Ends both sides; `reset`: the client's with a reset."""
        self._proxy.ended(self)
        for writer in (self._client, self._server):
            if reset and writer is self._client and not writer.is_closing():
                raw = writer.get_extra_info("socket")
                with suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
            writer.close()

    async def _carry_commands(self) -> None:
        while data := await self._client_reader.read(_CHUNK):
            await self._travel()
            for frame in self._commands.feed(data):
                await self._send(frame)

    async def _send(self, frame: bytes) -> None:
        name = command_name(frame)
        if name.endswith("SUBSCRIBE"):
            self.listens = True
            self._proxy.listens(self, pods_told(frame))
        fault = None if self.listens else self._proxy.plan(name)
        if fault is not None:
            self._proxy.injected[fault] += 1
        if fault is CommandFault.BEFORE:
            self.cut(reset=True)
            raise ConnectionResetError
        if fault is CommandFault.SENT_LATE:
            await asyncio.sleep(_LATE_SECONDS)
        if not self.listens:
            self._waiting.append((name, fault))
        if self._server.is_closing():
            raise ConnectionResetError
        self._server.write(frame)
        self._proxy.sent(name)
        await self._server.drain()

    async def _carry_replies(self) -> None:
        try:
            while data := await self._server_reader.read(_CHUNK):
                await self._travel()
                if self._client.is_closing():
                    return
                if self.listens:
                    self._client.write(self._replies.rest() + data)
                    continue
                for reply in self._replies.feed(data):
                    await self._hand_over(reply)
        finally:
            self.cut()

    async def _hand_over(self, reply: bytes) -> None:
        name, fault = self._waiting.popleft()
        self._proxy.replied(name, reply)
        if self._client.is_closing():
            raise ConnectionResetError
        if fault is CommandFault.REPLY_LATE:
            await asyncio.sleep(_LATE_SECONDS)
        elif fault is CommandFault.REPLY_CUT:
            self._client.write(reply[: max(1, len(reply) // 2)])
            await self._client.drain()
        if fault in (CommandFault.REPLY_CUT, CommandFault.REPLY_LOST):
            self.cut(reset=fault is CommandFault.REPLY_LOST)
            raise ConnectionResetError
        self._client.write(reply)

    async def _travel(self) -> None:
        weather = self._proxy.weather
        if weather.delay_seconds:
            await asyncio.sleep(weather.delay_seconds)
        await weather.passes.wait()
