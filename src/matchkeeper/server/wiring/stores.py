"""The stores of one Redis, and what an operator can do with them."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count

from matchkeeper import __version__
from matchkeeper.config import Settings
from matchkeeper.observe.redis_events import RedisEvents
from matchkeeper.observe.runtime import Runtime
from matchkeeper.operate.operator import Operator
from matchkeeper.resilience.breaker import CircuitBreaker
from matchkeeper.resilience.retry import RetryPolicy
from matchkeeper.server.redis_probe import RedisProbe
from matchkeeper.store.clock import RedisClock
from matchkeeper.store.connection import Connection, ConnectionOptions
from matchkeeper.store.coordination import Coordination
from matchkeeper.store.dead_letters import DeadLetterStore
from matchkeeper.store.durability import Durability
from matchkeeper.store.form import FormStore
from matchkeeper.store.handoffs import Handoffs
from matchkeeper.store.hearing import HearingStore
from matchkeeper.store.history import History
from matchkeeper.store.matches import MatchStore
from matchkeeper.store.operations import Network, StoreObserver, Unobserved
from matchkeeper.store.rights import Channels, trials
from matchkeeper.store.servers import Servers
from matchkeeper.store.statuses import Statuses
from matchkeeper.store.stream import RequestStream
from matchkeeper.store.tickets import TicketStore

Clock = Callable[[], float]
PEOPLE_CONNECTIONS = 4
_PEOPLE_TIMEOUT = timedelta(seconds=5)
_PEOPLE_COOLDOWN = timedelta(seconds=2)
_PROCESS = secrets.token_hex(8)
_numbers = count(1)
_MODES_TRIED = 20
_POD = "\0"
"""Stands for a pod in the name of a channel, which holds no such character."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Everything that speaks to one Redis."""

    connection: Connection
    tickets: TicketStore
    matches: MatchStore
    handoffs: Handoffs
    statuses: Statuses
    dead_letters: DeadLetterStore
    stream: RequestStream
    coordination: Coordination
    hearing: HearingStore
    history: History
    servers: Servers
    clock: RedisClock
    form: FormStore


def new_token() -> str:
    """An id that is never made twice: 8 random bytes of this process and a number, in hex."""
    return f"{_PROCESS}{next(_numbers):016x}"


def new_server_id(label: str | None = None, *, token: Callable[[], str] = new_token) -> str:
    """A name for this process that no other has had; `label` is for people, and need not be
    unique.
    """
    return f"{label or f'{socket.gethostname()}-{os.getpid()}'}-{token()}"


def breaker_for(settings: Settings, events: RedisEvents, runtime: Runtime) -> CircuitBreaker:
    """The circuit breaker of one Redis."""
    redis = settings.redis
    return CircuitBreaker(
        failures=redis.breaker_failures,
        cooldown=timedelta(seconds=redis.breaker_cooldown_seconds),
        growth=redis.breaker_cooldown_growth,
        cooldown_max=timedelta(seconds=redis.breaker_cooldown_max_seconds),
        jitter=redis.breaker_jitter,
        early_probe=timedelta(seconds=redis.breaker_early_probe_seconds),
        slow_call=timedelta(seconds=redis.slow_call_seconds) if redis.slow_call_seconds else None,
        probe_lease=timedelta(
            seconds=2 * settings.matchmaking.redis_operation_timeout_seconds
            + redis.durability_timeout_seconds
        ),
        clock=runtime.clock,
        rng=runtime.rng,
        on_change=events.breaker_changed,
    )


def options_for(settings: Settings, url: str, network: Network | None = None) -> ConnectionOptions:
    """How the server speaks to this Redis."""
    matchmaking, retry = settings.matchmaking, settings.retry
    return ConnectionOptions(
        url=url,
        timeout=timedelta(seconds=matchmaking.redis_operation_timeout_seconds),
        max_connections=settings.redis.max_connections,
        password_file=settings.redis.password_file,
        network=network,
        retry=RetryPolicy(
            max_attempts=retry.max_attempts,
            base_delay=timedelta(seconds=retry.base_delay_seconds),
            max_delay=timedelta(seconds=retry.max_delay_seconds),
        ),
        memory=timedelta(seconds=retry.request_memory_seconds),
        news=timedelta(seconds=matchmaking.match_memory_seconds),
        durability=Durability.parse(
            settings.redis.durability,
            timeout_seconds=settings.redis.durability_timeout_seconds,
        ),
    )


def stores_for_people(
    settings: Settings,
    options: ConnectionOptions,
    runtime: Runtime,
    *,
    me: str,
) -> Stores:
    """The stores for people's HTTP requests, with connections, deadlines and a breaker of their
    own, so that these requests never delay matching. Failures are told only to the caller.
    """
    return stores_for(
        settings,
        replace(
            options,
            timeout=min(options.timeout, _PEOPLE_TIMEOUT),
            max_connections=PEOPLE_CONNECTIONS,
            retry=replace(options.retry, max_attempts=1),
        ),
        me=me,
        breaker=CircuitBreaker(
            cooldown=_PEOPLE_COOLDOWN,
            cooldown_max=_PEOPLE_COOLDOWN,
            clock=runtime.clock,
            rng=runtime.rng,
        ),
        events=Unobserved(),
        clock=runtime.clock,
        rng=runtime.rng,
        stop=runtime.stop,
    )


def stores_for(
    settings: Settings,
    options: ConnectionOptions,
    *,
    me: str,
    breaker: CircuitBreaker,
    events: StoreObserver,
    clock: Clock,
    rng: random.Random,
    stop: asyncio.Event | None = None,
    token: Callable[[], str] = new_token,
) -> Stores:
    """The stores of one Redis."""
    matchmaking = settings.matchmaking
    connection = Connection(
        options,
        breaker=breaker,
        observer=events,
        clock=clock,
        rng=rng,
        stop=stop,
    )
    realm, queues = matchmaking.realm, [mode.queue for mode in settings.modes()]
    result_channel = matchmaking.result_channel(_POD).split(_POD)
    return Stores(
        connection=connection,
        tickets=TicketStore(
            connection,
            queues=queues,
            several_queues=matchmaking.allow_multiple_queues,
            longest={mode.queue: mode.max_queue_length or 0 for mode in settings.modes()},
            channel=result_channel,
        ),
        matches=MatchStore(
            connection, queues=queues, several_queues=matchmaking.allow_multiple_queues
        ),
        handoffs=Handoffs(connection, channel=result_channel),
        statuses=Statuses(
            connection,
            names={mode.queue: mode.name for mode in settings.modes()},
            several_queues=matchmaking.allow_multiple_queues,
            channel=result_channel,
            realm=realm,
        ),
        dead_letters=DeadLetterStore(connection, queues=queues),
        stream=RequestStream(connection, me=me, realm=realm),
        coordination=Coordination(connection, new_token=token, realm=realm),
        hearing=HearingStore(connection, me=me, channels=channels_of(settings).heard, realm=realm),
        history=History(connection, queues=queues),
        servers=Servers(connection, me=me, realm=realm),
        form=FormStore(connection, queues=queues, version=__version__, realm=realm),
        clock=RedisClock(connection, steady=clock, realm=realm),
    )


def channels_of(settings: Settings) -> Channels:
    """The Pub/Sub channels that a server needs rights to."""
    matchmaking = settings.matchmaking
    return Channels(
        heard=matchmaking.requests,
        told=(matchmaking.offers, matchmaking.result_channel("*")),
    )


def probe_for(
    settings: Settings, stores: Stores, *, events: RedisEvents, stop: asyncio.Event
) -> RedisProbe:
    """The probe that looks whether Redis can be used."""
    # Rights are given by patterns: what holds for some modes holds for all.
    queues = [mode.queue for mode in settings.modes()[:_MODES_TRIED]]
    waiting = stores.connection.options.durability.command
    realm = settings.matchmaking.realm
    return RedisProbe(
        stores.connection,
        # Traces tell by themselves which rights they lack; no other part needs these rights.
        realm=realm,
        tried=trials(realm, queues, channels_of(settings), waiting, traced=False),
        events=events,
        stop=stop,
    )


def operator_for(settings: Settings, stores: Stores) -> Operator:
    """What an operator can do with these stores."""
    return Operator(
        settings.matchmaking,
        connection=stores.connection,
        tickets=stores.tickets,
        matches=stores.matches,
        dead_letters=stores.dead_letters,
        history=stores.history,
        servers=stores.servers,
        new_token=new_token,
    )
