"""The one place that wires everything together."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from matchkeeper.config import Settings
from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.domain.realm import QueueName
from matchkeeper.handoff.claimers import RefusedClaimers
from matchkeeper.handoff.committed import CommittedMatches, HandoffEvents
from matchkeeper.handoff.game_servers import GameServers
from matchkeeper.handoff.monitor import GameServerMonitor
from matchkeeper.handoff.pods import PodRecords
from matchkeeper.handoff.reaper import Reaper
from matchkeeper.matching.strategy import strategy_for
from matchkeeper.observe.alert_channels import channels_from
from matchkeeper.observe.alerts import Alerter
from matchkeeper.observe.board.recorder import Board
from matchkeeper.observe.facts import Facts
from matchkeeper.observe.log import Log
from matchkeeper.observe.metrics import Metrics
from matchkeeper.observe.redis_events import RedisEvents
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
from matchkeeper.server.wiring.fleet import fleet_for
from matchkeeper.server.wiring.intakes import Intakes, intakes_for
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
from matchkeeper.store.connection import Network

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
    """A wired server and the parts that others look at."""

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
    """What `operator` uses: connections of its own."""
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
    `exporter` takes the spans in the place of the collector, where traces are on; `network` is what
    leads to Redis, if not sockets.

    Raises ConfigError.
    """
    rng = rng or random.Random()  # noqa: S311  # jitter, not secrets
    stopping = asyncio.Event()
    board = Board(clock=clock, wall=time.time)
    metrics = Metrics()
    log = Log(repeat_seconds=settings.logging.repeat_interval_seconds, clock=clock)
    log.readers.append(board.events.read)
    facts = Facts(log.hears(), metrics.hears(), board.hears())
    alerter = Alerter(channels_from(settings.alerts), settings.alerts, facts=facts, clock=clock)
    events = RedisEvents(
        facts=facts,
        alerter=alerter,
        timeout_seconds=settings.matchmaking.redis_operation_timeout_seconds,
    )
    options = options_for(settings, url, network)
    me = new_server_id(settings.server.server_id, token=token)
    breaker = breaker_for(settings, events=events, clock=clock, rng=rng)
    stores = stores_for(
        settings,
        options,
        me=me,
        breaker=breaker,
        events=events,
        clock=clock,
        rng=rng,
        stop=stopping,
        token=token,
    )
    people = stores_for_people(settings, options, me=me, clock=clock, rng=rng, stop=stopping)
    alerter.permission = stores.coordination
    traces = traces_for(
        settings, options, facts=facts, clock=clock, rng=rng, stop=stopping, exporter=exporter
    )
    facts.listen(traces.hears())
    return _Wiring(
        settings=settings,
        stores=stores,
        people=people,
        breaker=breaker,
        redis_events=events,
        facts=facts,
        log=log,
        metrics=metrics,
        alerter=alerter,
        board=board,
        clock=clock,
        rng=rng,
        stopping=stopping,
        token=token,
        traces=traces,
    ).context()


@dataclass(frozen=True, kw_only=True)
class _Wiring:
    """The parts of one server, put together."""

    settings: Settings
    stores: Stores
    people: Stores
    breaker: CircuitBreaker
    redis_events: RedisEvents
    facts: Facts
    log: Log
    metrics: Metrics
    alerter: Alerter
    board: Board
    clock: Clock
    rng: random.Random
    stopping: asyncio.Event
    token: Callable[[], str]
    traces: Traces

    def context(self) -> Context:
        settings = self.settings
        modes = settings.modes()
        pods = PodRecords(settings.matchmaking, clock=self.clock)
        queues: dict[QueueName, Rounds] = {}

        def wake(*names: QueueName) -> None:
            for name in names:
                queues[name].try_now()

        game_servers = self._game_servers(on_recovery=lambda: wake(*queues))
        fleet = fleet_for(settings, self.stores, wake, facts=self.facts, stop=self.stopping)
        committed = CommittedMatches(pods, self.facts)
        rounds = self._rounds(queues)
        for mode in modes:
            self.facts.mode_served(mode=mode.name, required_players=mode.required_players)
            queues[mode.queue] = self._queue(
                mode, pods, game_servers, fleet, committed, when_due=rounds.begin
            )
        self.redis_events.on_recovery = lambda: wake(*queues)
        intakes = self._intakes(queues, fleet)
        claimers = RefusedClaimers(settings.matchmaking, alerter=self.alerter, facts=self.facts)
        reaper = self._reaper(modes, pods, claimers, wake)
        watch = self._watch(modes, pods, game_servers)
        heard = self._handoff_events(modes, committed)
        probe = probe_for(settings, self.stores, events=self.redis_events, stop=self.stopping)
        lag = partial(watch_lag, self.facts, clock=self.clock, stop=self.stopping)
        watches = watches_for(self.stores, facts=self.facts, clock=self.clock, stop=self.stopping)
        tasks = [
            *intakes.tasks(watches.clock),
            Task(name="rounds", run=rounds.run),
            Task(name="ticks", run=rounds.ticks),
            Task(name="reaper", run=reaper.run),
            Task(name="watch", run=watch.run),
            Task(name="redis probe", run=probe.run),
            Task(name="fleet", run=fleet.run),
            *watches.tasks(),
            Task(name="handoff events", run=heard.run),
            *(Task(name=name, run=run) for name, run in self.traces.loops().items()),
            Task(name="lag", run=lag),
            Task(name="board", run=self.board.run, finishes=False),
            Task(name="alerts", run=self.alerter.run, finishes=False),
        ]
        return Context(
            settings=settings,
            modes=modes,
            server=self._server(tasks),
            stores=self.stores,
            breaker=self.breaker,
            redis_events=self.redis_events,
            facts=self.facts,
            log=self.log,
            metrics=self.metrics,
            alerter=self.alerter,
            board=self.board,
            pods=pods,
            claimers=claimers,
            game_servers=game_servers,
            fleet=fleet,
            pubsub=intakes.pubsub,
            stream=intakes.stream,
            operator=operator_for(settings, self.people),
            people=self.people,
            traces=self.traces,
            watches=watches,
        )

    def _server(self, tasks: Sequence[Task]) -> MatchServer:
        return MatchServer(
            tasks,
            stopping=self.stopping,
            deadline=timedelta(seconds=self.settings.server.shutdown_deadline_seconds),
            rng=self.rng,
            facts=self.facts,
        )

    def _game_servers(self, *, on_recovery: Callable[[], None]) -> GameServers:
        return GameServers(
            GameServerMonitor(self.settings.alerts, clock=self.clock),
            channel=self.settings.matchmaking.battle_request_channel,
            alerter=self.alerter,
            facts=self.facts,
            on_recovery=on_recovery,
        )

    def _intakes(self, queues: Mapping[QueueName, Rounds], fleet: Fleet) -> Intakes:
        return intakes_for(
            self.settings,
            self.stores,
            queues,
            fleet,
            facts=self.facts,
            clock=self.clock,
            token=self.token,
            stop=self.stopping,
        )

    def _handoff_events(
        self, modes: tuple[GameMode, ...], committed: CommittedMatches
    ) -> HandoffEvents:
        # Figures need only what game servers claim; traces follow all matches.
        traced = self.settings.tracing.enabled
        names = [mode.queue for mode in modes if traced or mode.handoff is Handoff.CLAIM]
        return HandoffEvents(
            self.stores.history, committed, self.facts, queues=names, stop=self.stopping
        )

    def _rounds(self, queues: Mapping[QueueName, Rounds]) -> Queues:
        return Queues(
            queues,
            self.stores.tickets,
            self.settings.matchmaking,
            rng=self.rng,
            stop=self.stopping,
            facts=self.facts,
        )

    def _queue(
        self,
        mode: GameMode,
        pods: PodRecords,
        game_servers: GameServers,
        fleet: Fleet,
        committed: CommittedMatches,
        *,
        when_due: Callable[[Rounds], None],
    ) -> Rounds:
        settings = self.settings.matchmaking
        round_ = Round(
            mode,
            strategy_for(mode),
            view=QueueView(
                mode,
                self.stores.tickets,
                settings,
                rng=self.rng,
            ),
            matches=self.stores.matches,
            departures=Departures(
                self.stores.tickets,
                self.stores.connection,
                settings=settings,
                facts=self.facts,
                new_token=self.token,
            ),
            pods=pods,
            game_servers=game_servers,
            fleet=fleet,
            committed=committed,
            traces=self.traces,
            settings=settings,
            facts=self.facts,
            new_id=self.token,
            clock=self.clock,
            stop=self.stopping,
        )
        return Rounds(
            round_,
            settings,
            breaker=self.breaker,
            game_servers=game_servers,
            fleet=fleet,
            facts=self.facts,
            when_due=when_due,
            clock=self.clock,
            stop=self.stopping,
        )

    def _reaper(
        self,
        modes: tuple[GameMode, ...],
        pods: PodRecords,
        claimers: RefusedClaimers,
        wake: Callable[[QueueName], None],
    ) -> Reaper:
        return Reaper(
            modes,
            matches=self.stores.matches,
            connection=self.stores.connection,
            pods=pods,
            claimers=claimers,
            settings=self.settings.matchmaking,
            traces=self.traces,
            wake=wake,
            facts=self.facts,
            new_token=self.token,
            stop=self.stopping,
        )

    def _watch(
        self, modes: tuple[GameMode, ...], pods: PodRecords, game_servers: GameServers
    ) -> Watch:
        return Watch(
            modes,
            channel=self.settings.matchmaking.battle_request_channel,
            tickets=self.stores.tickets,
            dead_letters=self.stores.dead_letters,
            coordination=self.stores.coordination,
            pods=pods,
            game_servers=game_servers,
            facts=self.facts,
            stop=self.stopping,
        )
