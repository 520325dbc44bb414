"""The rules of the handoff, as the settings say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from matchkeeper.config.matchmaking import MatchmakingSettings
from matchkeeper.loops.reaper import HandoffRules
from matchkeeper.store.claimers import RefusalRules


def refusal_rules(matchmaking: MatchmakingSettings) -> RefusalRules:
    """When the claims of a pod are refused."""
    return RefusalRules(
        threshold=matchmaking.unstarted_threshold,
        first=timedelta(seconds=matchmaking.unstarted_refusal_seconds),
        longest=timedelta(seconds=matchmaking.unstarted_refusal_max_seconds),
    )


def handoff_rules(
    matchmaking: MatchmakingSettings, result_channel: Callable[[str], str]
) -> HandoffRules:
    """How a match is offered, and what becomes of one that cannot be read."""
    return HandoffRules(
        channel=matchmaking.battle_request_channel,
        result_channel=result_channel,
        offer_timeout=timedelta(seconds=matchmaking.offer_timeout_seconds),
        max_offers=matchmaking.max_offers,
        max_dead_letters=matchmaking.max_dead_letters,
    )
