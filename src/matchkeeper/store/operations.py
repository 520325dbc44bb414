"""Every operation on Redis goes through here: deadline, circuit breaker, retries."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import hiredis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

from ..errors import StoreError, StoreNotReadyError, StoreReadOnlyError
from ..resilience.breaker import CircuitBreaker
from ..resilience.deadline import within
from ..resilience.retry import RetryBudget, RetryPolicy, retrying
from .address import driver_url, unusable
from .credentials import PasswordFile
from .failures import Outcome, counts_as_outage, outcome_of, translate, worth_a_retry

T = TypeVar("T")
Network = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
"""Opens one connection. An OSError from it counts as Redis being away."""


class StoreObserver(Protocol):
    """Is told of every operation, for logs and metrics."""

    def operation(self, operation: str, outcome: Outcome, seconds: float, error: str) -> None:
        """One attempt has ended."""

    def retry(self, operation: str) -> None:
        """An attempt failed and is made again."""


class Unobserved:
    """Tells nobody: for callers that tell their own errors."""

    def operation(self, operation: str, outcome: Outcome, seconds: float, error: str) -> None:
        """Nothing to tell."""

    def retry(self, operation: str) -> None:
        """Nothing to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How Redis is spoken to."""

    url: str
    timeout: timedelta = timedelta(seconds=10)
    max_connections: int = 32
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    memory: timedelta = timedelta(seconds=120)
    """How long Redis remembers what was done; longer than all retries take together."""
    client_name: str = "matchkeeper"
    password_file: Path | None = None
    """Read for each new connection."""
    network: Network | None = None
    """What carries the bytes; None: a socket to where `url` leads."""


class Operations:
    """A pool of connections to one Redis. Every error of Redis or its library becomes StoreError.

    A command that is cancelled or times out closes its connection, so that its late reply can never
    be taken for the next command's.
    """

    def __init__(
        self,
        options: Options,
        *,
        breaker: CircuitBreaker,
        observer: StoreObserver,
        clock: Callable[[], float],
        rng: random.Random,
        stop: asyncio.Event | None = None,
    ) -> None:
        self.options = options
        self.breaker = breaker
        self._observer = observer
        self._clock = clock
        self._rng = rng
        self._stop = stop or asyncio.Event()
        self._budget = RetryBudget(clock=clock)
        self.redis = _client(options)
        self._former: Redis | None = None
        self._met_replica = False

    @property
    def timeout_seconds(self) -> float:
        """The deadline of an ordinary operation."""
        return self.options.timeout.total_seconds()

    async def once(
        self,
        operation: str,
        call: Callable[[Redis], Awaitable[T]],
        *,
        seconds: float | None = None,
    ) -> T:
        """One attempt, within its deadline and only if the breaker lets it through. Calls that wait
        on purpose add `seconds` to the deadline.
        """
        allowance = seconds or 0.0
        with (
            self._observed(operation),
            self.breaker.attempt(is_failure=counts_as_outage, allowance_seconds=allowance),
        ):
            return await self._translated(
                operation, call(self.redis), self.timeout_seconds + allowance
            )

    @contextmanager
    def _observed(self, operation: str) -> Iterator[None]:
        begun = self._clock()

        def ended(failure: StoreError | None) -> None:
            seconds = self._clock() - begun
            self._observer.operation(operation, outcome_of(failure), seconds, str(failure or ""))

        try:
            yield
        except StoreError as error:
            ended(error)
            raise
        ended(None)

    async def run(
        self,
        operation: str,
        call: Callable[[Redis], Awaitable[T]],
        *,
        seconds: float | None = None,
        worth: Callable[[BaseException], bool] = worth_a_retry,
    ) -> T:
        """As `once`, with retries where the failure is `worth` one. Only for calls that are safe to
        repeat.
        """
        begun = self._clock()

        def may_be_repeated(error: BaseException) -> bool:
            # If this process stood still, Redis may have forgotten by now that it was done.
            remembered = self._clock() - begun < self.options.memory.total_seconds()
            return remembered and worth(error)

        return await retrying(
            self.options.retry,
            operation,
            lambda _attempt: self.once(operation, call, seconds=seconds),
            retry_on=may_be_repeated,
            stop=self._stop,
            rng=self._rng,
            budget=self._budget,
            on_retry=lambda _attempt, _error: self._observer.retry(operation),
        )

    async def apart(
        self, operation: str, call: Callable[[Redis], Awaitable[T]], *, seconds: float
    ) -> T:
        """One attempt on a new connection. The address is looked up anew. The breaker is neither
        asked nor told. Raises StoreError.
        """
        redis = _client(self.options)
        try:
            with self._observed(operation):
                return await self._translated(operation, call(redis), seconds)
        finally:
            await redis.aclose(close_connection_pool=True)

    async def reconnect(self) -> None:
        """After a replica was met: the next operations look the address up again. Operations under
        way end on the connections they have.
        """
        if not self._met_replica:
            return
        self._met_replica = False
        former, self._former, self.redis = self._former, self.redis, _client(self.options)
        if former is not None:
            await _closed(former.aclose(close_connection_pool=True))

    async def ping(self) -> None:
        """Whether Redis answers. Raises StoreError."""

        async def ask(redis: Redis) -> None:
            await redis.execute_command("PING")

        await self.once("ping", ask)

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Publishes many messages in one round trip. A failure is not repeated."""
        if not messages:
            return

        async def send(redis: Redis) -> None:
            async with redis.pipeline(transaction=False) as pipe:
                for channel, payload in messages:
                    pipe.publish(channel, payload)
                await pipe.execute()

        await self.once("publish", send)

    async def _translated(self, operation: str, doing: Awaitable[T], seconds: float) -> T:
        try:
            return await within(seconds, operation, doing)
        except Exception as error:
            failure = translate(operation, error)
            if failure is None:
                raise
            self._met_replica |= isinstance(failure, StoreReadOnlyError)
            if isinstance(failure, StoreNotReadyError):
                # After a failover the same address may lead to another server.
                await _closed(self.redis.connection_pool.disconnect(inuse_connections=False))
            if failure is error:
                raise
            raise failure from error

    async def close(self) -> None:
        """Closes all connections."""
        for redis in (self.redis, self._former):
            if redis is not None:
                await _closed(redis.aclose(close_connection_pool=True))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _closed(closing: Awaitable[None]) -> None:
    """Connections that do not close in time are given up, and hide no failure."""
    with suppress(RedisError, OSError):
        await closing


@cache
def _driver() -> DriverInfo:
    """What each connection says of itself; without it redis-py reads files for every connection."""
    return DriverInfo()


def _client(options: Options) -> Redis:
    seconds = options.timeout.total_seconds()
    try:
        pool = BlockingConnectionPool.from_url(
            driver_url(options.url),
            max_connections=options.max_connections,
            timeout=seconds,
            socket_connect_timeout=seconds,
            # Deadlines are ours; redis-py must not repeat what may have been done.
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
            retry_on_error=[],
            client_name=options.client_name,
            # One shape of replies, whatever the server could do.
            protocol=2,
            # Else each new connection sends a greeting that Valkey and Redis before 8.6 do not
            # know.
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
            driver_info=_driver(),
        )
    except (ValueError, TypeError) as error:
        raise unusable(error) from None
    if options.password_file is not None:
        user = pool.connection_kwargs.pop("username", None)
        pool.connection_kwargs["credential_provider"] = PasswordFile(options.password_file, user)
    pool.connection_class = _ours(pool.connection_class, options.network)
    return Redis(connection_pool=pool)


def _ours(kind: type[AbstractConnection], network: Network | None) -> type[AbstractConnection]:
    """`kind` over the given network, with commands packed by hiredis. redis-py itself uses hiredis
    for that with blocking connections only.
    """

    class Ours(kind):  # type: ignore[misc,valid-type]  # plain TCP, TLS or a socket file
        async def _connect(self) -> None:
            if network is None:
                await super()._connect()
            else:
                self._reader, self._writer = await network()

        def pack_command(self, *args: Any) -> list[bytes]:
            name, *rest = args
            words = name.encode().split() if isinstance(name, str) else name.split()
            return [hiredis.pack_command((*words, *rest))]

    return Ours
