"""Matches that nobody claimed, or nobody started after claiming: offered again, or given back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.match import seats_of
from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.domain.realm import QueueName
from matchkeeper.domain.ticket import members_of
from matchkeeper.errors import StoreRefusedError
from matchkeeper.handoff.claimers import RefusedClaimers
from matchkeeper.handoff.decide import Cause, Step, next_step
from matchkeeper.handoff.notices import Notices, left_match
from matchkeeper.handoff.pods import PodRecords
from matchkeeper.handoff.requests import HandoffRequests
from matchkeeper.observe.runtime import Runtime
from matchkeeper.observe.traces import Traces
from matchkeeper.resilience.waiting import MODES_AT_ONCE, Behind, pause
from matchkeeper.store.given_back import When
from matchkeeper.store.matches import MatchStore
from matchkeeper.store.pending import PendingMatch, UnreadableMatch
from matchkeeper.wire.limits import printable
from matchkeeper.wire.offers import battle_request, filled_in
from matchkeeper.wire.parties import seats_in

_EVERY_SECONDS = 0.5
_SELDOM = 4
"""Modes without claim handoff are looked at so much less often: old settings left their matches."""
_BATCH = 200
_SETTLE_MS = 100
"""Short, since all other matches wait meanwhile."""


class Reaper:
    """Looks after pending matches of all modes."""

    def __init__(
        self,
        modes: Sequence[GameMode],
        runtime: Runtime,
        *,
        matches: MatchStore,
        notices: Notices,
        pods: PodRecords,
        requests: HandoffRequests,
        claimers: RefusedClaimers,
        settings: MatchmakingSettings,
        traces: Traces,
        wake: Callable[[QueueName], None],
    ) -> None:
        self._modes = {mode.queue: mode for mode in modes}
        self._matches = matches
        self._notices = notices
        self._pods = pods
        self._requests = requests
        self._claimers = claimers
        self._settings = settings
        self._traces = traces
        self._wake = wake
        self._facts = runtime.facts
        self._new_token = runtime.new_token
        self._stop = runtime.stop
        self._passed_over: dict[QueueName, int] = {}
        """How many overdue matches the last call could not deal with."""

    async def run(self) -> None:
        """Runs until the server stops. Raises StoreError; starting again is safe."""
        turn = 0
        seen = set(self._modes)
        while not await pause(self._stop, _EVERY_SECONDS):
            turn += 1
            there = await self._matches.present()
            async with Behind[None](at_once=MODES_AT_ONCE) as behind:
                for mode in [self._modes[queue] for queue in sorted(there | seen)]:
                    if mode.handoff is not Handoff.CLAIM and turn % _SELDOM:
                        continue
                    if mode.queue in there:
                        seen.add(mode.queue)
                        await behind.start(self._sweep(mode))
                    else:  # says once that nothing is pending any more
                        seen.remove(mode.queue)
                        self._passed_over.pop(mode.queue, None)
                        self._facts.handoffs_pending(mode=mode.name, count=0)
                        self._claimers.look(mode, ())
                await behind.rest()

    async def _sweep(self, mode: GameMode) -> None:
        # The connection has told it; the other modes are looked after all the same.
        with suppress(StoreRefusedError):
            await self.sweep(mode)

    async def sweep(self, mode: GameMode) -> None:
        """Deals with overdue matches of one mode. The next call passes over those that Redis
        refuses to change, so that they do not hide others for ever. Raises StoreError.
        """
        start = self._passed_over.pop(mode.queue, 0)
        overdue = await self._matches.overdue(mode.queue, start=start, count=_BATCH)
        self._facts.handoffs_pending(mode=mode.name, count=overdue.pending)
        self._claimers.look(mode, overdue.claimers)
        refused = await self._refused(mode, overdue.match_ids)
        if len(overdue.match_ids) == _BATCH:
            self._passed_over[mode.queue] = start + refused

    async def _refused(self, mode: GameMode, match_ids: Sequence[str]) -> int:
        """Deals with these matches; returns how many stay as they are because Redis refuses."""
        unreadable, refused = [], 0
        for match_id in match_ids:
            try:
                match = await self._matches.read(mode, match_id)
                if isinstance(match, UnreadableMatch):
                    unreadable.append(match)
                else:
                    await self._deal_with(mode, match)
            except StoreRefusedError:  # told by the connection
                refused += 1
        try:
            await self._set_aside(mode, unreadable)
        except StoreRefusedError:
            refused += len(unreadable)
        return refused

    async def _set_aside(self, mode: GameMode, matches: Sequence[UnreadableMatch]) -> None:
        if not matches:
            return
        done, tickets = await self._matches.set_aside(
            mode.queue, matches, token=self._new_token(), kept=self._settings.max_dead_letters
        )
        if done:
            first = next(match for match in matches if match.match_id in done)
            self._facts.matches_set_aside(
                mode=mode.name,
                matches=len(done),
                players=len(tickets),
                match_id=printable(first.match_id),
                reason=printable(first.reason),
            )

    async def _deal_with(self, mode: GameMode, match: PendingMatch) -> None:
        step, cause = next_step(match, max_offers=self._settings.max_offers)
        if step is Step.SETTLE:
            await self._settle(mode, match)
            return
        if cause is Cause.UNCLAIMED:
            self._count_unclaimed(match)
        elif cause is Cause.DECLINED:
            self._facts.offer_declined(mode=mode.name)
        if step is Step.REDELIVER:
            heard = await self._redeliver(mode, match)
            if heard != 0:
                return
            # Nobody listens any more. The new offer is the one to end.
            await self._give_back(mode, match, epoch=match.epoch + 1, cause=Cause.NO_GAME_SERVER)
            return
        await self._give_back(mode, match, epoch=match.epoch, cause=cause)

    async def _redeliver(self, mode: GameMode, match: PendingMatch) -> int | None:
        texts = {each.ticket_id: match.metadata[each.ticket_id] for each in match.tickets}
        of_parties = {
            each.ticket_id: seats_in(each, texts.pop(each.ticket_id).encode())
            for each in match.tickets
            if each.is_party
        }
        pieces = battle_request(
            seats_of(match.teams, mode.teams, match.seating),
            mode,
            match_id=match.match_id,
            epoch=match.epoch + 1,
            claim_within_seconds=self._settings.offer_timeout_seconds,
            traceparent=await self._traces.of_match(mode, match),
            of_parties=of_parties,
            seating=match.seating,
        )
        metadata = [texts.get(ticket.ticket_id, "") for ticket in match.tickets]
        heard = await self._matches.redeliver(
            mode,
            match,
            token=self._new_token(),
            channel=self._settings.offers,
            offer=filled_in(pieces, metadata),
            offer_timeout=timedelta(seconds=self._settings.offer_timeout_seconds),
        )
        if heard is not None:
            self._facts.match_redelivered(
                mode=mode.name,
                match_id=match.match_id,
                offer=match.offers + 1,
                subscribers=heard,
            )
        return heard

    async def _settle(self, mode: GameMode, match: PendingMatch) -> None:
        """The server that had its confirm in hand is gone. If the confirm is durable, the game
        server and the players are told. Else the match is due again after another lease.
        """
        outcome = await self._requests.settle(mode, match, within_ms=_SETTLE_MS)
        self._facts.match_settled(
            mode=mode.name,
            match_id=match.match_id,
            pod_id=match.claimed_by or "",
            outcome=outcome,
        )

    async def _give_back(
        self, mode: GameMode, match: PendingMatch, *, epoch: int, cause: Cause
    ) -> None:
        done = await self._matches.give_back(
            mode.queue,
            match.match_id,
            self._settings,
            epoch=epoch,
            cause=cause.value,
            token=self._new_token(),
            when=When.NOW if cause is Cause.NO_GAME_SERVER else When.DUE,
        )
        if done is None:
            return
        self._facts.match_given_back(
            mode=mode.name,
            match_id=match.match_id,
            players=done.put_back,
            cause=cause.value,
            pod_id=match.claimed_by or "",
        )
        self._wake(mode.queue)
        await self._notices.send(left_match(done))

    def _count_unclaimed(self, match: PendingMatch) -> None:
        pods = {member.pod_id for member in members_of(match.tickets)}
        for pod_id in pods:
            self._facts.offer_unclaimed(pod_id=pod_id)
        for pod_id, in_a_row in self._pods.unclaimed(pods).items():
            self._facts.pod_unclaimed(pod_id=pod_id, matches=in_a_row)
