"""Proposals made ready to be committed."""

from __future__ import annotations

from collections.abc import Callable

from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import GameMode
from matchkeeper.store.matches import NewMatch
from matchkeeper.wire.offers import battle_request, match_found


def new_match(
    proposal: Proposal,
    mode: GameMode,
    *,
    match_id: str,
    claim_within_seconds: float,
    result_channel: Callable[[str], str],
    durability: str = "none",
    traceparent: str = "",
) -> NewMatch:
    """A proposal with its battle request and the notices for its players' pods."""
    return NewMatch(
        match_id=match_id,
        tickets=proposal.tickets,
        team_sizes=tuple(map(len, proposal.teams)),
        offer=battle_request(
            proposal.teams,
            mode,
            match_id=match_id,
            epoch=1,
            claim_within_seconds=claim_within_seconds,
            durability=durability,
            traceparent=traceparent,
        ),
        notices=tuple(
            [
                (result_channel(pod_id), payload)
                for pod_id, payload in match_found(proposal, mode, match_id)
            ]
        ),
    )
