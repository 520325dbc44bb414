"""The one place that wires everything together."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from matchkeeper.config import Settings
from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.domain.realm import QueueName
from matchkeeper.handoff.acquaintances import Acquaintances
from matchkeeper.handoff.claimers import RefusedClaimers
from matchkeeper.handoff.committed import CommittedMatches, HandoffEvents
from matchkeeper.handoff.game_servers import GameServers
from matchkeeper.handoff.monitor import GameServerMonitor
from matchkeeper.handoff.notices import Notices
from matchkeeper.handoff.offers import Offers
from matchkeeper.handoff.pods import PodRecords
from matchkeeper.handoff.reaper import Reaper
from matchkeeper.handoff.requests import HandoffRequests
from matchkeeper.matching.strategy import strategy_for
from matchkeeper.observe.alert_channels import channels_from
from matchkeeper.observe.alerts import Alerter
from matchkeeper.observe.board.recorder import Board
from matchkeeper.observe.facts import Facts
from matchkeeper.observe.log import Log
from matchkeeper.observe.metrics import Metrics
from matchkeeper.observe.redis_events import RedisEvents
from matchkeeper.observe.runtime import Runtime
from matchkeeper.observe.traces import Traces
from matchkeeper.operate.operator import Operator
from matchkeeper.queue.departures import Departures
from matchkeeper.queue.fleet import Fleet
from matchkeeper.queue.hearing import PubSubIntake
from matchkeeper.queue.queues import Queues
from matchkeeper.queue.round import Round
from matchkeeper.queue.rounds import Rounds
from matchkeeper.queue.stream_intake import StreamIntake
from matchkeeper.queue.view import QueueView
from matchkeeper.resilience.breaker import CircuitBreaker
from matchkeeper.server.lifecycle import MatchServer, Task
from matchkeeper.server.watch import Watch, watch_lag
from matchkeeper.server.wiring.intakes import intakes_for
from matchkeeper.server.wiring.stores import (
    Clock,
    Stores,
    breaker_for,
    new_server_id,
    new_token,
    operator_for,
    options_for,
    probe_for,
    stores_for,
    stores_for_people,
)
from matchkeeper.server.wiring.tracing import traces_for
from matchkeeper.server.wiring.watches import Watches, watches_for
from matchkeeper.store.connection import ConnectionOptions
from matchkeeper.store.operations import Network

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = [
    "Context",
    "Stores",
    "build",
    "new_server_id",
    "new_token",
    "operator_for",
    "options_for",
    "stores_for",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A wired server, and those of its parts that other code uses."""

    settings: Settings
    modes: tuple[GameMode, ...]
    server: MatchServer
    stores: Stores
    breaker: CircuitBreaker
    redis_events: RedisEvents
    facts: Facts
    log: Log
    metrics: Metrics
    alerter: Alerter
    board: Board
    pods: PodRecords
    claimers: RefusedClaimers
    game_servers: GameServers
    fleet: Fleet
    pubsub: PubSubIntake
    stream: StreamIntake | None
    """None: streams are not read."""
    operator: Operator
    people: Stores
    """The stores that `operator` uses, with connections of their own."""
    traces: Traces
    watches: Watches


def build(
    settings: Settings,
    url: str,
    *,
    clock: Clock = time.monotonic,
    rng: random.Random | None = None,
    token: Callable[[], str] = new_token,
    exporter: SpanExporter | None = None,
    network: Network | None = None,
) -> Context:
    """A server for the Redis at `url`, ready to run. `token` makes ids that are never made twice;
    `exporter` takes the spans in place of the collector, where traces are on; `network` carries the
    bytes to Redis in place of sockets.

    Raises ConfigError.
    """
    board = Board(clock=clock, wall=time.time)
    metrics = Metrics()
    log = Log(repeat_seconds=settings.logging.repeat_interval_seconds, clock=clock)
    log.readers.append(board.events.read)
    runtime = Runtime(
        facts=Facts(log.hears(), metrics.hears(), board.hears()),
        clock=clock,
        rng=rng or random.Random(),  # noqa: S311  # jitter, not secrets
        new_token=token,
        stop=asyncio.Event(),
    )
    options = options_for(settings, url, network)
    wiring = _Wiring(settings, options, runtime, traces_for(settings, options, runtime, exporter))
    return wiring.context(log, metrics, board)


class _Wiring:
    """The parts of one server, put together."""

    def __init__(
        self, settings: Settings, options: ConnectionOptions, runtime: Runtime, traces: Traces
    ) -> None:
        self._settings = settings
        self._matchmaking = settings.matchmaking
        self._modes = settings.modes()
        self._runtime = runtime
        self._facts = runtime.facts
        self._traces = traces
        self._facts.listen(traces.hears())
        channels = channels_from(settings.alerts)
        self._alerter = Alerter(channels, settings.alerts, facts=self._facts, clock=runtime.clock)
        self._events = RedisEvents(
            facts=self._facts,
            alerter=self._alerter,
            timeout_seconds=self._matchmaking.redis_operation_timeout_seconds,
        )
        self._breaker = breaker_for(settings, self._events, runtime)
        me = new_server_id(settings.server.server_id, token=runtime.new_token)
        self._stores = stores_for(
            settings,
            options,
            me=me,
            breaker=self._breaker,
            events=self._events,
            clock=runtime.clock,
            rng=runtime.rng,
            stop=runtime.stop,
            token=runtime.new_token,
        )
        self._people = stores_for_people(settings, options, runtime, me=me)
        self._notices = Notices(self._stores.connection, self._matchmaking, self._facts)
        self._alerter.permission = self._stores.coordination
        self._pods = PodRecords(self._matchmaking, clock=runtime.clock)
        self._queues: dict[QueueName, Rounds] = {}
        self._game_servers = GameServers(
            GameServerMonitor(settings.alerts, clock=runtime.clock),
            channel=self._matchmaking.offers,
            alerter=self._alerter,
            facts=self._facts,
            on_recovery=self._wake_all,
        )
        self._fleet = Fleet(
            self._modes, self._stores.servers, settings.agreed(), runtime, wake=self._wake
        )

        self._acquaintances = Acquaintances(self._modes, self._stores.history, runtime)

    def _wake(self, queue: QueueName) -> None:
        """A round of this queue is due."""
        self._queues[queue].try_now()

    def _wake_all(self) -> None:
        for rounds in self._queues.values():
            rounds.try_now()

    def context(self, log: Log, metrics: Metrics, board: Board) -> Context:
        settings, stores, runtime = self._settings, self._stores, self._runtime
        committed = CommittedMatches(self._pods, self._facts)
        rounds = Queues(self._queues, stores.tickets, self._matchmaking, runtime)
        self._fill_queues(committed, rounds)
        self._events.on_recovery = self._wake_all
        claimers = RefusedClaimers(self._matchmaking, alerter=self._alerter, facts=self._facts)
        handoffs = self._handoff_requests()
        intakes = intakes_for(
            settings,
            stores,
            self._queues,
            self._fleet,
            runtime,
            handoffs=handoffs,
            notices=self._notices,
        )
        watches = watches_for(stores, runtime)
        works = watches.form.first(
            *intakes.tasks(watches.clock),
            Task(name="rounds", run=rounds.run),
            Task(name="ticks", run=rounds.ticks),
            Task(name="reaper", run=self._reaper(claimers, handoffs).run),
            *self._looks(watches),
            Task(name="handoff events", run=self._handoff_events(committed).run),
            Task(name="acquaintances", run=self._acquaintances.run),
        )
        tasks = [*works, *self._at_once(watches, board)]
        deadline = timedelta(seconds=settings.server.shutdown_deadline_seconds)
        return Context(
            settings=settings,
            modes=self._modes,
            server=MatchServer(tasks, runtime, deadline=deadline),
            stores=stores,
            breaker=self._breaker,
            redis_events=self._events,
            facts=self._facts,
            log=log,
            metrics=metrics,
            alerter=self._alerter,
            board=board,
            pods=self._pods,
            claimers=claimers,
            game_servers=self._game_servers,
            fleet=self._fleet,
            pubsub=intakes.pubsub,
            stream=intakes.stream,
            operator=operator_for(settings, self._people),
            people=self._people,
            traces=self._traces,
            watches=watches,
        )

    def _at_once(self, watches: Watches, board: Board) -> list[Task]:
        """The tasks that need not know the form of the state."""
        stop = self._runtime.stop
        probe = probe_for(self._settings, self._stores, events=self._events, stop=stop)
        return [
            Task(name="form", run=watches.form.run),
            Task(name="redis probe", run=probe.run),
            *(Task(name=name, run=run) for name, run in self._traces.loops().items()),
            Task(name="lag", run=partial(watch_lag, self._runtime)),
            Task(name="board", run=board.run, finishes=False),
            Task(name="alerts", run=self._alerter.run, finishes=False),
        ]

    def _looks(self, watches: Watches) -> list[Task]:
        """The tasks that look at Redis by themselves."""
        watch = Watch(
            self._modes,
            self._runtime,
            channel=self._matchmaking.offers,
            tickets=self._stores.tickets,
            dead_letters=self._stores.dead_letters,
            coordination=self._stores.coordination,
            pods=self._pods,
            game_servers=self._game_servers,
        )
        return [
            Task(name="watch", run=watch.run),
            Task(name="fleet", run=self._fleet.run),
            *watches.tasks(),
        ]

    def _handoff_requests(self) -> HandoffRequests:
        return HandoffRequests(
            self._modes,
            self._runtime,
            handoffs=self._stores.handoffs,
            coordination=self._stores.coordination,
            stream=self._stores.stream,
            notices=self._notices,
            settings=self._matchmaking,
        )

    def _handoff_events(self, committed: CommittedMatches) -> HandoffEvents:
        # Metrics need only modes with claim handoff; traces follow all matches.
        traced = self._settings.tracing.enabled
        names = [mode.queue for mode in self._modes if traced or mode.handoff is Handoff.CLAIM]
        return HandoffEvents(self._stores.history, committed, self._runtime, queues=names)

    def _fill_queues(self, committed: CommittedMatches, rounds: Queues) -> None:
        settings, stores, runtime = self._matchmaking, self._stores, self._runtime
        offers = Offers(stores.matches, committed, self._traces, settings, runtime)
        departures = Departures(stores.tickets, self._notices, settings, runtime)
        for mode in self._modes:
            self._facts.mode_served(mode=mode.name, required_players=mode.required_players)
            round_ = Round(
                mode,
                strategy_for(mode, met=self._acquaintances.met(mode.queue)),
                QueueView(mode, stores.tickets, settings, rng=runtime.rng),
                runtime,
                offers=offers,
                departures=departures,
                pods=self._pods,
                game_servers=self._game_servers,
                fleet=self._fleet,
            )
            self._queues[mode.queue] = Rounds(
                round_,
                settings,
                runtime,
                breaker=self._breaker,
                game_servers=self._game_servers,
                fleet=self._fleet,
                when_due=rounds.begin,
            )

    def _reaper(self, claimers: RefusedClaimers, requests: HandoffRequests) -> Reaper:
        return Reaper(
            self._modes,
            self._runtime,
            matches=self._stores.matches,
            notices=self._notices,
            pods=self._pods,
            requests=requests,
            claimers=claimers,
            settings=self._matchmaking,
            traces=self._traces,
            wake=self._wake,
        )
