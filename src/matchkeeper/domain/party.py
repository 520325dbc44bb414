"""Players who stay together, as one ticket: which parties a match has room for."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

from matchkeeper.domain.layout import MatchRules
from matchkeeper.domain.mode import GameMode, RatingRules


def misfit(players: int, mode: GameMode) -> str:
    """Why a party of so many players can never be in a match of the mode, in one sentence; empty if
    it can be. A party is on one team, or fills the match by itself.
    """
    if mode.rules is not None:
        return misfit_of_rules(players, mode.rules, mode.name)
    size, needed = mode.team_size, mode.required_players
    if players <= size or players == needed:
        return ""
    if players > needed:
        return f"a party of {players} is larger than a match of {mode.name}, which has {needed}"
    team = "each player is alone" if size == 1 else f"a team has {size} players"
    return (
        f"a party of {players} does not fit into one team of {mode.name}, where {team}, and does "
        f"not fill a match by itself, which takes {needed}"
    )


def misfit_of_rules(players: int, rules: MatchRules, mode: str) -> str:
    """As `misfit`, of a mode with rules."""
    most = rules.party.max_size
    if most is not None and players > most:
        return f"a party of {players} is larger than {mode} takes: party.max_size is {most}"
    largest = max(team.largest for team in rules.teams)
    if players <= largest or rules.smallest <= players <= rules.largest:
        return ""
    if players > rules.largest:
        return f"a party of {players} is larger than a match of {mode}, which has {rules.largest}"
    return (
        f"a party of {players} does not fit into one team of {mode}, where the largest has "
        f"{largest}, and does not fill a match by itself, which takes {rules.smallest}"
    )


def mean_rating(ratings: Sequence[float | None], rules: RatingRules) -> float:
    """The rating that a party counts with: the mean of its members'. A member without one has the
    default. `ratings` are finite, one for each member.
    """
    known = [rules.default_rating if each is None else each for each in ratings]
    # The sum of ratings might not be finite.
    mean = 2 * fsum(each / (2 * len(known)) for each in known)
    return min(max(mean, min(known)), max(known))
