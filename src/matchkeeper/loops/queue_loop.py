"""When a queue's rounds run: at every tick, and at once when enough players have arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from matchkeeper.domain.ticket import Ticket
from matchkeeper.errors import CircuitOpenError, StoreError
from matchkeeper.loops.fleet import Fleet
from matchkeeper.loops.game_servers import GameServers
from matchkeeper.loops.round import Round, RoundResult
from matchkeeper.loops.waiting import pause, unless
from matchkeeper.observe.events import Event, emit
from matchkeeper.observe.metrics import Metrics
from matchkeeper.resilience.breaker import BreakerState, CircuitBreaker
from matchkeeper.resilience.single_flight import SingleFlight

_SHORTEST_GAP_SECONDS = 0.002


class QueueLoop:
    """One round at a time for one queue.

    A tick that finds a round running for a whole tick is skipped. Arrivals start a round early, but
    not sooner after the last one than its looking took, so that a long queue which cannot be
    matched is not read without pause; and not while no game server hears the offers: then only
    ticks try.
    """

    def __init__(
        self,
        round_: Round,
        *,
        tick: timedelta,
        breaker: CircuitBreaker,
        game_servers: GameServers,
        fleet: Fleet,
        metrics: Metrics,
        clock: Callable[[], float],
        stop: asyncio.Event,
    ) -> None:
        self._round = round_
        self._mode = round_.mode
        self._tick_seconds = tick.total_seconds()
        self._breaker = breaker
        self._game_servers = game_servers
        self._fleet = fleet
        self._metrics = metrics
        self._clock = clock
        self._stop = stop
        self._due = asyncio.Event()
        self._flight = SingleFlight()
        self._gap_seconds = _SHORTEST_GAP_SECONDS
        self._begun_at = 0.0
        """Of the round that runs, or of the last one."""

    def arrived(self, queue_length: int, tickets: Sequence[Ticket]) -> None:
        """Players came; enough for a match starts a round."""
        self._round.view.arrived(tickets)
        if queue_length >= self._mode.required_players and not self._game_servers.missing:
            self._due.set()

    def left(self, players: Sequence[str]) -> None:
        """These asked to leave, and have left."""
        self._round.view.left(players)

    def try_now(self) -> None:
        """Something changed for the better: do not wait for the tick."""
        self._due.set()

    async def ticks(self) -> None:
        """Makes a round due at every tick, until the server stops."""
        while not await pause(self._stop, self._tick_seconds):
            if self._breaker.state in (BreakerState.OPEN, BreakerState.FORCED_OPEN):
                emit(Event.CIRCUIT_OPEN_SKIP, mode=self._mode.name)
                self._metrics.skipped_tick(self._mode.name, "circuit_open")
            elif not self._fleet.matches(self._mode.tag):
                self._metrics.skipped_tick(self._mode.name, "other_settings")
            elif self._flight.running and self._clock() - self._begun_at >= self._tick_seconds:
                emit(Event.TICK_SKIPPED, mode=self._mode.name)
                self._metrics.skipped_tick(self._mode.name, "running")
            elif await self._somebody_waits():
                # A round that began early and runs still is no reason to leave one out.
                self._due.set()

    async def _somebody_waits(self) -> bool:
        try:
            return await self._round.view.somebody_waits()
        except StoreError:  # told by the connection; the round finds out
            return True

    async def rounds(self) -> None:
        """Runs what is due; returns when the server stops, after the round that runs then."""
        while not self._stop.is_set():
            await unless(self._stop, self._due.wait())
            if self._stop.is_set():
                return
            self._due.clear()
            if not self._fleet.matches(self._mode.tag):
                continue  # made due again when it does
            if not await self._somebody_waits():
                continue
            with self._flight.hold() as mine:
                if mine:
                    await self._run()
            if await pause(self._stop, self._gap_seconds):
                return

    async def _run(self) -> None:
        begun = self._begun_at = self._clock()
        outcome = "failed"
        self._gap_seconds = _SHORTEST_GAP_SECONDS
        try:
            result = await self._round.run()
            outcome = "no_server" if result.no_server else "ok"
            self._after(result)
        except CircuitOpenError:
            outcome = "circuit_open"
        except StoreError as error:
            emit(Event.ROUND_FAILED, mode=self._mode.name, error=error.message)
        finally:
            self._metrics.round(self._mode.name, outcome, self._clock() - begun)

    def _after(self, result: RoundResult) -> None:
        self._gap_seconds = max(_SHORTEST_GAP_SECONDS, result.looking_seconds)
        if result.bound_hit:
            emit(Event.ROUND_BOUND_HIT, mode=self._mode.name)
        # There is more to read, and reading it pays.
        if result.bound_hit and result.matches and not result.no_server:
            self._due.set()
