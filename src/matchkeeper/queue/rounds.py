"""When a queue's rounds run: at every tick, and at once when enough players have arrived."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.ticket import Ticket
from matchkeeper.errors import CircuitOpenError, StoreError
from matchkeeper.handoff.game_servers import GameServers
from matchkeeper.observe.runtime import Runtime
from matchkeeper.queue.fleet import Fleet
from matchkeeper.queue.round import Round, RoundResult
from matchkeeper.resilience.breaker import BreakerState, CircuitBreaker
from matchkeeper.resilience.single_flight import SingleFlight
from matchkeeper.resilience.waiting import pause

_SHORTEST_GAP_SECONDS = 0.002


class Rounds:
    """One round at a time for one queue.

    A tick is skipped when a round has run for a whole tick already. Arrivals start a round early.
    The pause after a round is as long as its looking took, so that a long queue which cannot be
    matched is not read all the time. While no game server hears the offers, only ticks start
    rounds. `when_due` makes `rounds` run, once at a time.
    """

    def __init__(
        self,
        round_: Round,
        settings: MatchmakingSettings,
        runtime: Runtime,
        *,
        breaker: CircuitBreaker,
        game_servers: GameServers,
        fleet: Fleet,
        when_due: Callable[[Rounds], None],
    ) -> None:
        self._round = round_
        self.mode = round_.mode
        self._tick_seconds = settings.try_match_tick_interval_seconds
        self._breaker = breaker
        self._game_servers = game_servers
        self._fleet = fleet
        self._facts = runtime.facts
        self._clock = runtime.clock
        self._stop = runtime.stop
        self._when_due = when_due
        self.due = False
        self._flight = SingleFlight()
        self._gap_seconds = _SHORTEST_GAP_SECONDS
        self._begun_at = 0.0
        """When the running round or the last one began, in monotonic seconds."""

    def arrived(self, queue_length: int, tickets: Sequence[Ticket]) -> None:
        """Players came; if they may be enough for a match, a round starts. `queue_length` counts
        tickets.
        """
        view = self._round.view
        view.arrived(tickets)
        if view.may_fill_a_match(queue_length) and not self._game_servers.missing:
            self.try_now()

    def left(self, ticket_ids: Sequence[str]) -> None:
        """These tickets left because their players asked to."""
        self._round.view.left(ticket_ids)

    def try_now(self) -> None:
        """Something changed for the better: do not wait for the tick."""
        self.due = True
        self._when_due(self)

    def skips_tick(self) -> bool:
        """Whether this tick makes no round, even if players wait; tells why."""
        if self._breaker.state in (BreakerState.OPEN, BreakerState.FORCED_OPEN):
            self._facts.circuit_open_skip(mode=self.mode.name)
        elif not self._fleet.matches(self.mode.queue):
            self._facts.tick_left(mode=self.mode.name)
        elif self._flight.running and self._clock() - self._begun_at >= self._tick_seconds:
            # A round that began early and still runs is no reason to skip the tick.
            self._facts.tick_skipped(mode=self.mode.name)
        else:
            return False
        return True

    @property
    def knows_somebody(self) -> bool:
        """Whether somebody waited, as far as this server has seen."""
        return self._round.view.knows_somebody

    async def _somebody_waits(self) -> bool:
        try:
            return await self._round.view.somebody_waits()
        except StoreError:  # the connection has told it; the round finds out
            return True

    async def rounds(self) -> None:
        """Runs rounds until none is due or the server stops. A round that a defect ended is due
        again.
        """
        while self.due and not self._stop.is_set():
            self.due = False
            if not self._fleet.matches(self.mode.queue):
                return  # the round is made due again when it does
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
            self._facts.round_failed(mode=self.mode.name, error=error.message)
        except Exception:
            self.due = True
            raise
        finally:
            self._facts.round_ended(
                mode=self.mode.name, outcome=outcome, seconds=self._clock() - begun
            )

    def _after(self, result: RoundResult) -> None:
        self._gap_seconds = max(_SHORTEST_GAP_SECONDS, result.looking_seconds)
        # There is more to read, and reading it pays.
        if result.bound_hit and result.matches and not result.no_server:
            self.due = True
