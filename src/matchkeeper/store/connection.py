"""A server's connection to Redis: operations, scripts among them, and how durable they are."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from matchkeeper.resilience.breaker import CircuitBreaker
from matchkeeper.store import scripts
from matchkeeper.store.durability import Durability
from matchkeeper.store.failures import NotDurableError, worth_a_retry
from matchkeeper.store.operations import Operations, Options, StoreObserver
from matchkeeper.store.scripts import Call, Script

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions(Options):
    """How a server speaks to Redis."""

    news: timedelta = timedelta(seconds=120)
    """How long it is remembered what players were told last."""
    durability: Durability = field(default_factory=Durability)


class Connection(Operations):
    """What a client does, and scripts."""

    options: ConnectionOptions

    def __init__(
        self,
        options: ConnectionOptions,
        *,
        breaker: CircuitBreaker,
        observer: StoreObserver,
        clock: Callable[[], float],
        rng: random.Random,
        stop: asyncio.Event | None = None,
    ) -> None:
        super().__init__(
            options, breaker=breaker, observer=observer, clock=clock, rng=rng, stop=stop
        )
        self._loaded: set[Script[..., Any]] = set()

    @property
    def memory_ms(self) -> int:
        """How long scripts remember what they answered."""
        return int(self.options.memory.total_seconds() * 1000)

    @property
    def news_ms(self) -> int:
        """How long it is remembered what players were told last."""
        return int(self.options.news.total_seconds() * 1000)

    def wanted(self, *, durable: bool | Durability | None) -> Durability:
        """The durability that `durable` asks for. True: the one of `redis.durability`."""
        return self.options.durability if durable is True else durable or Durability()

    async def script(
        self,
        call: Call[R],
        *,
        durable: bool | Durability | None = False,
        patient: bool = True,
    ) -> R:
        """Runs a script, and again if its reply was lost: every script is safe to repeat.

        With `durable`, returns once the change is as safe as it asks (True: as `redis.durability`).
        `patient`: whether it is tried again where that took too long.
        """
        name, reads, wanted = call.script.name, call.script.reads, self.wanted(durable=durable)
        if wanted.command is None:
            return reads(await self.run(name, lambda redis: scripts.run(redis, call)))
        seconds = wanted.timeout_ms / 1000
        return reads(
            await self.run(
                name,
                lambda redis: self._durably(redis, wanted, call),
                seconds=seconds,
                worth=worth_a_retry if patient else _worth_a_retry_at_once,
            )
        )

    async def _durably(self, redis: Redis, durability: Durability, call: Call[Any]) -> Any:
        assert durability.command is not None  # noqa: S101  # only called where there is one
        script = call.script
        if script not in self._loaded:  # else the wait sent behind an unknown script is in vain
            await scripts.load(redis, script)
            self._loaded.add(script)
        for _ in range(2):
            async with redis.pipeline(transaction=False) as pipe:
                pipe.execute_command(*call.command)
                pipe.execute_command(*durability.command)
                reply, reached = await pipe.execute(raise_on_error=False)
            if not isinstance(reply, NoScriptError):
                break
            await scripts.load(redis, script)
        for answer in (reply, reached):
            if isinstance(answer, Exception):
                raise answer
        if not durability.reached(reached):
            raise NotDurableError(
                f"{script.name} is done but not durable within {durability.timeout_ms} ms",
                hint="The disk or the replicas of Redis are too slow, or away.",
                reply=reply,
            )
        return reply


def _worth_a_retry_at_once(error: BaseException) -> bool:
    return worth_a_retry(error) and not isinstance(error, NotDurableError)
