"""Makes matches of proposals: they are offered and committed in one step of Redis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import NamedTuple

from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.match import Proposal, seats_of
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import members_of
from matchkeeper.errors import StoreError
from matchkeeper.handoff.committed import CommittedMatches
from matchkeeper.handoff.decide import Cause
from matchkeeper.observe.runtime import Runtime
from matchkeeper.observe.traces import Traces
from matchkeeper.store.committing import CommitReply
from matchkeeper.store.matches import Committed, MatchStore, NewMatch
from matchkeeper.wire.metadata import metadata_sum
from matchkeeper.wire.offers import battle_request, match_found
from matchkeeper.wire.parties import seats_in


class Ready(NamedTuple):
    """A batch that is ready to be committed."""

    matches: Sequence[NewMatch]
    changed: frozenset[str]
    """Parties whose players have changed since they were read: they are in no match."""


class Offers:
    """Makes matches of any queue, in batches, and tells what came of them."""

    def __init__(
        self,
        matches: MatchStore,
        committed: CommittedMatches,
        traces: Traces,
        settings: MatchmakingSettings,
        runtime: Runtime,
    ) -> None:
        self._matches = matches
        self._committed = committed
        self._traces = traces
        self._settings = settings
        self._facts = runtime.facts
        self._new_id = runtime.new_token

    def at_once(self, mode: GameMode) -> int:
        """How many matches make one batch."""
        return max(1, 2 * self._settings.commit_batch_size // mode.most_players)

    async def ready(self, mode: GameMode, proposals: Sequence[Proposal]) -> Ready:
        """A batch of matches, ready to be committed and offered."""
        parties = [each for one in proposals for each in one.tickets if each.is_party]
        texts = await self._matches.texts(mode.queue, parties)
        changed = {
            each.ticket_id
            for each in parties
            if metadata_sum(texts.get(each.ticket_id, b"")) != each.metadata_sum
        }
        for ticket_id in changed:
            self._facts.proposal_stale(mode=mode.name, player_id=ticket_id)
        proposed = {
            self._new_id(): each
            for each in proposals
            if not changed or changed.isdisjoint(ticket.ticket_id for ticket in each.tickets)
        }
        traced = await self._traces.proposed(mode, proposed)
        matches = [
            new_match(
                proposal,
                mode,
                match_id=match_id,
                claim_within_seconds=self._settings.offer_timeout_seconds,
                result_channel=self._settings.result_channel,
                traceparent=traced.get(match_id, ""),
                texts=texts,
            )
            for match_id, proposal in proposed.items()
        ]
        return Ready(matches, frozenset(changed))

    async def commit(
        self, mode: GameMode, matches: Sequence[NewMatch], now: float
    ) -> list[Committed]:
        """Commits a batch that is ready; returns what came of each match. `now` is Unix time in
        seconds. Raises StoreError where the result is not known.
        """
        for match in matches:
            self._committed.add(mode, match)
        try:
            results = await self._matches.commit(
                mode,
                matches,
                channel=self._settings.offers,
                offer_timeout=timedelta(seconds=self._settings.offer_timeout_seconds),
                memory=timedelta(seconds=self._settings.match_memory_seconds),
            )
        except StoreError as error:
            self._facts.commit_failed(match_ids=[each.match_id for each in matches], error=error)
            players = sum(len(members_of(each.tickets)) for each in matches)
            cause = Cause.PUBLISH_FAILED.value
            self._facts.reenqueued(mode=mode.name, players=players, cause=cause)
            raise
        self._tell(mode, results, now)
        return results

    def _tell(self, mode: GameMode, results: Sequence[Committed], now: float) -> None:
        made = [each for each in results if each.reply is CommitReply.COMMITTED]
        if made:
            waits = [
                max(0.0, now - ticket.enqueued_at)
                for each in made
                for ticket in each.match.tickets
                for _ in ticket.members
            ]
            self._facts.match_committed(mode=mode, made=made, waits_seconds=waits)
        for each in results:
            if each.reply is CommitReply.COMMITTED:
                continue
            self._committed.forget(each.match.match_id)
            self._facts.not_committed(match_id=each.match.match_id)
            if each.reply is CommitReply.STALE:
                self._facts.proposal_stale(mode=mode.name, player_id=each.stale_ticket)


def new_match(
    proposal: Proposal,
    mode: GameMode,
    *,
    match_id: str,
    claim_within_seconds: float,
    result_channel: Callable[[str], str],
    traceparent: str = "",
    texts: Mapping[str, bytes] = MappingProxyType({}),
) -> NewMatch:
    """A proposal with its battle request and what its players' pods are told. `texts`: party ->
    its text in Redis.
    """
    seating = proposal.seating
    seats = seats_of(proposal.teams, mode.teams, seating)
    return NewMatch(
        match_id=match_id,
        tickets=proposal.tickets,
        team_sizes=tuple(map(len, proposal.teams)),
        seating=seating,
        offer=battle_request(
            seats,
            mode,
            match_id=match_id,
            epoch=1,
            claim_within_seconds=claim_within_seconds,
            traceparent=traceparent,
            of_parties={
                each.ticket_id: seats_in(each, texts[each.ticket_id])
                for each in proposal.tickets
                if each.is_party
            },
            seating=seating,
        ),
        notices=match_found(seats, mode, match_id, result_channel, seating),
    )
