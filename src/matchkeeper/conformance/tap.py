"""Stands between the program and Redis: sees all that passes, and does what networks do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from matchkeeper.conformance.frames import Frames, packed
from matchkeeper.conformance.texts import adorned, fields_of, handoff_in

_CHUNK = 65536
_WORDS_OF_A_MESSAGE = 3
OURS = "conformance-"
"""Begins the tokens of what the evenings say in the program's name: it hears no answer to that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The channels and the stream of a world."""

    pod: str
    battle: str = "battle:request"
    enqueue: str = "match:enqueue:request"
    dequeue: str = "match:dequeue:request"
    handoff: str = "match:handoff:request"
    stream: str = "match:requests"

    @property
    def result(self) -> str:
        """Where the program is answered."""
        return self.result_of(self.pod)

    def result_of(self, pod: str) -> str:
        """Where a game server is answered."""
        return f"pod:{pod}:match_result"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A request of the program. Its kind is enqueue, dequeue, claim, confirm and so on."""

    kind: str
    by_stream: bool
    body: dict[str, Any]


@dataclass(slots=True, eq=False)
class Held:
    """Messages of some kinds wait on their way to Redis, until they are let go."""

    kinds: tuple[str, ...]
    caught: list[Said] = field(default_factory=list)
    dropped: bool = False
    freed: asyncio.Event = field(default_factory=asyncio.Event)

    def drop(self) -> None:
        """They never arrive, nor does what their connections say afterwards."""
        self.dropped = True
        self.freed.set()


Loses = Callable[[dict[str, Any]], bool]


class Tap:
    """A port that leads to Redis. `on_said` hears each request before Redis does; `on_answer` each
    answer before the program does.
    """

    def __init__(
        self,
        names: Names,
        *,
        leads_to: int,
        on_said: Callable[[Said], None],
        on_answer: Callable[[dict[str, Any]], None],
    ) -> None:
        self._names = names
        self._leads_to = leads_to
        self._on_said = on_said
        self._on_answer = on_answer
        self._channels = {names.enqueue: "enqueue", names.dequeue: "dequeue", names.handoff: ""}
        self._held: Held | None = None
        self._loses: Loses | None = None
        self._shuts = False
        self.lost = 0
        """How many messages were lost on purpose."""
        self.adorns = False
        """Whether messages to the program have fields that nobody knows."""
        self._listening: dict[asyncio.StreamWriter, set[str]] = {}
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def listened_to(self) -> set[str]:
        """The channels that the program is subscribed to."""
        return {channel for each in self._listening.values() for channel in each}

    async def open(self) -> None:
        """Lets connections in."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def shut(self) -> None:
        """Ends all connections, and lets nobody in."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._listening):
            _abort(writer)

    @contextmanager
    def holding(self, *kinds: str) -> Iterator[Held]:
        """What the program says of these kinds waits until it is freed, or the block ends."""
        self._held = held = Held(kinds)
        try:
            yield held
        finally:
            self._held = None
            held.freed.set()

    @contextmanager
    def losing(self, loses: Loses, *, shuts: bool = False) -> Iterator[None]:
        """The first answer for which this holds is lost, together with its connection. `shuts`: and
        from then on nobody gets through, until it is opened.
        """
        self._loses, self._shuts = loses, shuts
        try:
            yield
        finally:
            self._loses = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._listening[writer] = set()
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._leads_to)
        except OSError:
            self._listening.pop(writer)
            _abort(writer)
            return
        up, down = (
            asyncio.ensure_future(self._upwards(reader, up_writer)),
            asyncio.ensure_future(self._downwards(up_reader, writer)),
        )
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._listening.pop(writer, None)
            for task in (up, down):
                task.cancel()
            _abort(writer)
            _abort(up_writer)
            await asyncio.gather(up, down, return_exceptions=True)

    async def _upwards(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        frames = Frames()
        with suppress(OSError, RuntimeError):  # the second where uvloop has closed the other side
            while data := await reader.read(_CHUNK):
                for raw, words in frames.feed(data):
                    said = self._said(words)
                    if said is not None:
                        await self._pass(said)
                    to.write(raw)
                await to.drain()

    async def _pass(self, said: Said) -> None:
        self._on_said(said)
        held = self._held
        if held is not None and said.kind in held.kinds:
            held.caught.append(said)
            await held.freed.wait()
            if held.dropped:
                raise ConnectionAbortedError

    def _said(self, words: Any) -> Said | None:
        if not isinstance(words, list) or not all(isinstance(word, bytes) for word in words):
            return None
        texts = [word.decode("utf-8", "replace") for word in words]
        command = texts[0].upper() if texts else ""
        if command == "PUBLISH" and len(texts) == _WORDS_OF_A_MESSAGE:
            kind = self._channels.get(texts[1])
            return None if kind is None else _request(kind, texts[2], by_stream=False)
        if command == "XADD" and self._names.stream in texts[1:2]:
            found = dict(pairwise(texts))
            kind = found.get("kind", "").lower()
            return _request("" if kind == "handoff" else kind, found.get("body", ""))
        return None

    async def _downwards(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        frames = Frames()
        with suppress(OSError, RuntimeError):  # the second where uvloop has closed the other side
            while data := await reader.read(_CHUNK):
                for raw, value in frames.feed(data):
                    out = self._told(raw, value, to)
                    if out is None:
                        return
                    to.write(out)
                await to.drain()

    def _told(self, raw: bytes, value: Any, to: asyncio.StreamWriter) -> bytes | None:
        """What the program gets in place of a value; None: the connection is lost."""
        if not isinstance(value, list) or len(value) != _WORDS_OF_A_MESSAGE:
            return raw
        kind, name, payload = value
        channel = name.decode("utf-8", "replace") if isinstance(name, bytes) else ""
        if kind in (b"subscribe", b"unsubscribe") and to in self._listening:
            listening = self._listening[to]
            (listening.add if kind == b"subscribe" else listening.discard)(channel)
        message = fields_of(payload) if kind == b"message" else None
        if message is None:
            return raw
        if channel == self._names.result and self._is_lost(message):
            return None
        if str(handoff_in(message).get("token", "")).startswith(OURS):
            return b""
        if channel == self._names.result:
            self._on_answer(message)
        return self._adorned(raw, [kind, name], message) if self.adorns else raw

    def _is_lost(self, answer: dict[str, Any]) -> bool:
        lost = self._loses is not None and self._loses(answer)
        if lost:
            self._loses = None
            self.lost += 1
            if self._shuts:
                self.shut()
        return lost

    @staticmethod
    def _adorned(raw: bytes, head: list[bytes], message: dict[str, Any]) -> bytes:
        text = json.dumps(adorned(message), separators=(",", ":")).encode()
        return raw[:1] + packed([*head, text])[1:]


def _request(kind: str, text: str, *, by_stream: bool = True) -> Said | None:
    body = fields_of(text.encode())
    if body is None:
        return None
    return Said(kind=kind or str(body.get("kind", "")), by_stream=by_stream, body=body)


def _abort(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, RuntimeError):
        writer.transport.abort()
