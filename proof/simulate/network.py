"""The network between the processes and Valkey: every command passes here, and may meet a fault."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextvars import Context
from typing import cast

import hiredis

from crowd.history import What
from matchkeeper.store import keys
from proof.simulate.backend import Backend
from proof.simulate.faults import ERRORS, FREEZES, KILLS, READS, STEPS, Fault, Operation, Plan
from proof.simulate.link import Endpoint, Link
from proof.simulate.loop import SimLoop

_QUIET = (b"CLIENT", b"SELECT", b"HELLO", b"AUTH")
"""Greetings; what fails there fails as the connection."""
_MAY_PUBLISH = (b"EVALSHA", b"PUBLISH", b"EXEC")
_TAKES_ENTRIES = ("XAUTOCLAIM", "enqueue", "dequeue")
"""Commands that ask for how long somebody has had an entry in hand."""
_NOTHING = b"*-1\r\n"
_REFUSED_SECONDS = 0.5
_FREEZES = (1.5, 8.0, 8.0, 150.0)
"""The longest of these is longer than anybody remembers anything."""
_CUT_OFF = 0.3
"""How often Redis cuts off a frozen process that listens."""
_NOBODY = Context()
"""What the network and Redis do, and no process."""
_IN_ORDER_SECONDS = 1e-7
"""Between two on one connection: a loop runs what is due at the same moment in any order."""
_FOR_SERVERS = b"\r\nmatch:"
"""In what servers hear, requests and marks. Redis tells nobody anything twice, and they count on
it; what pods hear may be repeated.
"""


class Network:
    """Carries commands to Valkey, replies and published messages back."""

    def __init__(
        self,
        loop: SimLoop,
        backend: Backend,
        plan: Plan,
        rng: random.Random,
        *,
        timeout_seconds: float,
        realm: str,
        on_process: Callable[[What, str], None],
        on_push: Callable[[str, str, bytes], object],
        on_again: Callable[[str, str, bytes], None],
        on_run: Callable[[str], None],
    ) -> None:
        self.loop = loop
        self.backend = backend
        self.plan = plan
        self.rng = rng
        self.late_seconds = 1.5 * timeout_seconds
        self._requests = keys.requests(realm).encode()
        self.on_process = on_process
        self.on_push = on_push
        self.on_again = on_again
        self.on_run = on_run
        self.on_second_server: Callable[[], None] = lambda: None
        self.links: list[Link] = []
        self.operations: list[Operation] = []
        self.injected: Counter[Fault] = Counter()
        self._scripts: dict[bytes, str] = {}
        self.freezes_all = False
        """Every other time all servers stand still, as if on one host."""
        self._freezes = 0
        self._refused_until = 0.0
        self._read_at: dict[bytes, float] = {}

    def name_scripts(self, names: dict[str, str]) -> None:
        """Hash to name, for reading what happened."""
        self._scripts = {sha.encode(): name for sha, name in names.items()}

    async def connect(
        self, endpoint: Endpoint
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A new connection. Raises ConnectionRefusedError."""
        await asyncio.sleep(self._latency())
        if endpoint.dead or self.loop.time() < self._refused_until:
            raise ConnectionRefusedError("Connection refused")
        link = Link(self, endpoint)
        endpoint.links.append(link)
        self.links.append(link)
        return link.reader, cast("asyncio.StreamWriter", link)

    def accept(self, link: Link, args: tuple[bytes, ...]) -> None:
        """A command leaves a process."""
        fault = None
        if args[0].upper() not in _QUIET:
            operation = Operation(
                number=len(self.operations), process=link.endpoint.name, name=self._name(args)
            )
            self.operations.append(operation)
            fault = self.plan.at(operation)
        if fault is not None:
            self.injected[fault] += 1
        wait = self.late_seconds if fault is Fault.SLOW_APPLY else self._latency()
        if fault in FREEZES:
            seconds = self._freeze(link.endpoint)
            wait += seconds if fault is Fault.FROZEN_BEFORE else 0
        link.runs_at = max(link.runs_at + _IN_ORDER_SECONDS, self.loop.time() + wait)
        self.loop.call_at(link.runs_at, self._arrive, link, args, fault, context=_NOBODY)

    def kill(self, endpoint: Endpoint) -> None:
        """kill -9: nothing leaves the process any more, its connections are gone."""
        endpoint.dead = True
        self.loop.let_go(endpoint.pace)
        for link in list(endpoint.links):
            self.forget(link, hang_up=True)
        endpoint.on_kill()

    def drop_subscribers(self) -> None:
        """Everybody who listens loses the connection."""
        for link in self._listening():
            self.reset(link)

    def restart_redis(self) -> None:
        """All connections are lost, and for a moment nobody answers. Nothing stored is lost."""
        self._refused_until = self.loop.time() + _REFUSED_SECONDS
        for link in list(self.links):
            self.reset(link)
        self.backend.forget_scripts()

    def reset(self, link: Link) -> None:
        """The connection breaks, and the process sees it."""
        if link.raw is not None:
            self.forget(link, hang_up=True)
            self.loop.call_soon(self._end, link, context=link.endpoint.context)

    def forget(self, link: Link, *, hang_up: bool) -> None:
        """The connection is no more."""
        if link.raw is None:
            return
        raw, link.raw, link.blocked = link.raw, None, None
        if raw.subscriber:
            self.on_process(What.DEAF, link.endpoint.name)
        if link in link.endpoint.links:
            link.endpoint.links.remove(link)
        self.links.remove(link)
        if hang_up or link.runs_at <= self.loop.time():
            self.backend.kill_client(raw)
        else:
            # What was sent before the connection was closed still runs.
            ends_at = link.runs_at + 1e-4
            self.loop.call_at(ends_at, self.backend.kill_client, raw, context=_NOBODY)

    def _freeze(self, endpoint: Endpoint) -> float:
        """SIGSTOP, and SIGCONT after a while; returns after how many seconds.

        Redis may meanwhile cut off a process that does not read what it is told.
        """
        seconds = self.rng.choice(_FREEZES)
        self._freezes += 1
        together = self._servers() if self.freezes_all and self._freezes % 2 == 0 else {}
        for each in {endpoint: None, **together}:
            self.loop.hold_back(each.pace, seconds)
            self.on_process(What.FROZE, each.name)
            self.loop.call_later(seconds, self._thawed, each, context=_NOBODY)
        if self.rng.random() < _CUT_OFF:
            self.loop.call_later(seconds / 2, self._cut_off, endpoint, context=_NOBODY)
        return seconds

    def _thawed(self, endpoint: Endpoint) -> None:
        if not endpoint.dead and endpoint.pace.resumes_at <= self.loop.time():
            self.on_process(What.THAWED, endpoint.name)

    def _cut_off(self, endpoint: Endpoint) -> None:
        for link in [each for each in self._listening() if each.endpoint is endpoint]:
            self.reset(link)

    def _servers(self) -> dict[Endpoint, None]:
        return {
            link.endpoint: None for link in self.links if link.endpoint.name.startswith("server")
        }

    def _listening(self) -> list[Link]:
        return [each for each in self.links if each.raw and each.raw.subscriber]

    def _latency(self) -> float:
        return self.rng.choice((0.0002, 0.0003, 0.0005, 0.001, 0.003))

    def _name(self, args: tuple[bytes, ...]) -> str:
        name = args[0].upper()
        return self._scripts.get(args[1], "?") if name == b"EVALSHA" else name.decode()

    def _arrive(self, link: Link, args: tuple[bytes, ...], fault: Fault | None) -> None:
        """The command is at Valkey."""
        if fault in KILLS and self.backend.has_just_stepped(self.loop.time()):
            fault = None  # the next server could not tell a step from the time that it did not see
        if link.raw is None:
            if fault is Fault.SLOW_APPLY:
                self._run_for_nobody(args)
            return
        if fault in (Fault.NOT_SENT, Fault.KILLED_BEFORE, Fault.REDIS_RESTARTED):
            self._before(link, fault)
            return
        if fault is not None and fault in ERRORS:
            link.raw.refuse(args)
            self._deliver(link, ERRORS[fault], self._latency())
            return
        self._beside(fault)
        if link.raw is None:
            return
        self._run(link, args, fault)

    def _beside(self, fault: Fault | None) -> None:
        """What happens elsewhere when the command arrives."""
        if fault is Fault.SCRIPTS_FLUSHED:
            self.backend.forget_scripts()
        elif fault is Fault.SECOND_SERVER:
            self.on_second_server()
        elif fault is Fault.SUBSCRIBERS_DROPPED:
            self.drop_subscribers()
        elif fault is Fault.SUBSCRIBER_DROPPED and (listening := self._listening()):
            self.reset(self.rng.choice(listening))
        elif fault is not None and fault in STEPS:
            self.backend.step_clock(self.loop.time(), STEPS[fault])
            self.on_process(What.STEPPED, "redis")

    def _before(self, link: Link, fault: Fault | None) -> None:
        if fault is Fault.REDIS_RESTARTED:
            self.restart_redis()
        elif fault is Fault.KILLED_BEFORE:
            self.kill(link.endpoint)
        else:
            self.reset(link)

    def _run_for_nobody(self, args: tuple[bytes, ...]) -> None:
        """A command that was on its way when its sender gave up."""
        if args[0].upper() in (*_MAY_PUBLISH, b"XADD"):
            self.backend.admin(self.loop.time(), *self.backend.translated(args))
            self._after(self._name(args), args, None)

    def _run(self, link: Link, args: tuple[bytes, ...], fault: Fault | None) -> None:
        name = args[0].upper()
        assert link.raw is not None  # noqa: S101  # asked by the caller
        subscribes = name in (b"SUBSCRIBE", b"UNSUBSCRIBE") and not link.raw.in_transaction
        if subscribes or link.raw.subscriber:
            self._run_subscriber(link, args)
            return
        if name == b"XREADGROUP" and b"BLOCK" in args:
            self._read_blocking(link, args)
            return
        if name == b"XREADGROUP":
            self._read_at[args[3]] = self.loop.time()
        elif self._name(args) in _TAKES_ENTRIES:
            self._age_entries()
        reply = link.raw.wire(self.loop.time(), self.backend.translated(args))
        wait = self.late_seconds if fault is Fault.SLOW_REPLY else self._latency()
        if fault is Fault.REPLY_LOST:
            self.reset(link)
        elif fault is Fault.KILLED_AFTER:
            self.kill(link.endpoint)
        else:
            self._deliver(link, reply, wait)
        self._after(self._name(args), args, fault)

    def _age_entries(self) -> None:
        if self._read_at:
            self.backend.age_entries(
                self._requests, keys.GROUP.encode(), self._read_at, self.loop.time()
            )

    def _after(self, name: str, args: tuple[bytes, ...], fault: Fault | None) -> None:
        if name == "XADD":
            for link in [each for each in self.links if each.blocked]:
                self._try_blocked(link)
        if args[0].upper() in _MAY_PUBLISH and name not in READS:
            self._carry_pushes(fault)
            self.on_run(name)

    def _run_subscriber(self, link: Link, args: tuple[bytes, ...]) -> None:
        assert link.raw is not None  # noqa: S101  # asked by the caller
        if not link.raw.subscriber:
            link.raw.subscriber = True
            self.on_process(What.LISTENS, link.endpoint.name)
        self._deliver(link, link.raw.pushes(args), self._latency())

    def _carry_pushes(self, fault: Fault | None) -> None:
        for link in self._listening():
            assert link.raw is not None  # noqa: S101  # just asked
            data = link.raw.pushes()
            if not data:
                continue
            self._note(link, data, self.on_push)
            self._deliver(link, data, self._latency())
            if fault is Fault.DUPLICATED and _FOR_SERVERS not in data:
                self._note(link, data, self.on_again)
                self._deliver(link, data, 0.01)
            elif fault is Fault.REORDERED:
                link.heard_at = self.loop.time()

    def _note(self, link: Link, data: bytes, heard: Callable[[str, str, bytes], object]) -> None:
        reader = hiredis.Reader()
        reader.feed(data)
        while (message := reader.gets()) is not False:
            if message[0] == b"message":
                heard(link.endpoint.name, message[1].decode(), message[2])

    def _deliver(self, link: Link, data: bytes, wait: float) -> None:
        """Bytes on their way to the process, never before those that left earlier."""
        link.heard_at = max(link.heard_at + _IN_ORDER_SECONDS, self.loop.time() + wait)
        context = link.endpoint.context
        self.loop.call_at(link.heard_at, self._hand_over, link, data, context=context)

    def _hand_over(self, link: Link, data: bytes) -> None:
        if not link.ended and not link.endpoint.dead:
            link.reader.feed_data(data)

    def _end(self, link: Link) -> None:
        link.ended = True
        link.reader.feed_eof()

    def _read_blocking(self, link: Link, args: tuple[bytes, ...]) -> None:
        at = args.index(b"BLOCK")
        link.blocked = (*args[:at], *args[at + 2 :])
        self._read_at[args[3]] = self.loop.time()
        if not self._try_blocked(link):
            seconds, blocked = int(args[at + 1]) / 1000, link.blocked
            self.loop.call_later(seconds, self._read_nothing, link, blocked, context=_NOBODY)

    def _try_blocked(self, link: Link) -> bool:
        assert link.raw is not None and link.blocked is not None  # noqa: S101, PT018
        reply = link.raw.wire(self.loop.time(), link.blocked)
        if reply == _NOTHING:
            return False
        link.blocked = None
        self._deliver(link, reply, self._latency())
        return True

    def _read_nothing(self, link: Link, blocked: tuple[bytes, ...]) -> None:
        if link.blocked is blocked:
            link.blocked = None
            self._deliver(link, _NOTHING, self._latency())
