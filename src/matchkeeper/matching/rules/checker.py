"""Whether a proposal keeps the rules of its mode: independent of every strategy, slow and obvious.

The clock is each ticket's own wait, and everybody must accept: of every number the tightest of all
tickets counts, and a rule is off only where it is off for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from math import inf
from typing import NamedTuple

from matchkeeper.domain.attribute import ABSURD_MS
from matchkeeper.domain.layout import Choose, MatchRules, RegionRule
from matchkeeper.domain.match import Proposal
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.relaxation import Bound, at_most
from matchkeeper.domain.rule import (
    FirstRole,
    NewOpponents,
    Rule,
)
from matchkeeper.matching.rules.demands import broken
from matchkeeper.matching.rules.lineup import Lineup, Met, Player, lineup_of, nobody


class Verdict(NamedTuple):
    """What became of one rule."""

    rule: str
    why: str
    """Why it does not hold, in one sentence; empty where it holds."""


def refusals(proposal: Proposal, mode: GameMode, now: float, *, met: Met = nobody) -> list[Verdict]:
    """The rules that a proposal breaks; empty where it is right."""
    return [each for each in check(proposal, mode, now, met=met) if each.why]


def check(proposal: Proposal, mode: GameMode, now: float, *, met: Met = nobody) -> list[Verdict]:
    """What becomes of every rule of the mode, which has some. `now`: Unix time in seconds. `met`:
    who was in a match with whom.
    """
    rules = mode.rules
    if rules is None:
        raise ValueError(f"{mode.name} has no rules")
    if why := _not_whole(proposal):
        return [Verdict("seats", why)]
    lineup = lineup_of(proposal, mode, now)
    return check_lineup(lineup, rules, now, met=met)


def check_lineup(
    lineup: Lineup, rules: MatchRules, now: float, *, met: Met = nobody
) -> list[Verdict]:
    """As `check`, of a lineup."""
    waits = tuple(lineup.waits.values())
    verdicts = [
        Verdict("parties", _divided(lineup)),
        Verdict("sizes", _sizes(lineup, rules)),
        Verdict("roles", _roles(lineup, rules)),
        Verdict("region", _region(lineup, rules)),
    ]
    verdicts += [
        Verdict(rule.name, broken(rule, lineup, rules, waits))
        for rule in rules.rules
        if rule.worth_seconds is None
    ]
    verdicts += [Verdict(*each) for each in impatient(lineup, rules, now, met)]
    return verdicts


# --- who sits where ---


def _not_whole(proposal: Proposal) -> str:
    if proposal.seating is None:
        return "nobody has a seat"
    seated = [player for team in proposal.seating.teams for player, _ in team]
    came = [member.player_id for each in proposal.tickets for member in each.members]
    if len({each.ticket_id for each in proposal.tickets}) != len(proposal.tickets):
        return "a ticket is in the match twice"
    if sorted(seated) != sorted(came):
        return "not everybody who came has one seat"
    return ""


def _divided(lineup: Lineup) -> str:
    if len(lineup.waits) == 1:
        return ""  # it fills the match by itself
    teams: dict[str, set[int]] = {}
    for number, team in enumerate(lineup.teams):
        for player in team:
            teams.setdefault(player.ticket_id, set()).add(number)
    divided = [ticket for ticket, on in teams.items() if len(on) > 1]
    return f"{divided[0]} is on more than one team" if divided else ""


def _sizes(lineup: Lineup, rules: MatchRules) -> str:
    if len(lineup.teams) != len(rules.teams):
        return f"there are {len(lineup.teams)} teams, {len(rules.teams)} are needed"
    for team, players in zip(rules.teams, lineup.teams, strict=True):
        for ticket, waited in lineup.waits.items():
            low, high = team.size_at(waited)
            if not low <= len(players) <= high:
                has = f"{team.name} has {len(players)} players"
                return f"{has}, and {ticket}, who waits for {waited:.0f} s, accepts {low} to {high}"
    return ""


def _roles(lineup: Lineup, rules: MatchRules) -> str:
    for team, players in zip(rules.teams, lineup.teams, strict=False):
        taken = sorted([each.role for each in players if each.role is not None])
        seats = sorted(role for role, count in team.roles for _ in range(count))
        if taken != seats:
            return f"{team.name} has {', '.join(taken)} and needs {', '.join(seats)}"
        for player in players if team.roles else ():
            anything = rules.any_role_after_seconds
            waited = lineup.waits[player.ticket_id]
            if not player.ranking or (anything is not None and waited >= anything):
                continue
            if player.role not in player.ranking:
                return f"{player.player_id} does not play {player.role}"
    return ""


def _region(lineup: Lineup, rules: MatchRules) -> str:
    rule, chosen = rules.region, lineup.region
    if rule is None:
        return "" if chosen is None else f"{chosen} is chosen, and no region is asked for"
    waits = lineup.waits.values()
    cap, spread = at_most(rule.max_ms, waits), at_most(rule.max_spread_ms, waits)
    pings = [player.pings for player in lineup.players]
    if chosen is None:
        nothing = cap is None and not any(pings)
        return "" if nothing else "no region is near enough to everybody"
    why = _too_far(chosen, pings, cap, spread)
    if why:
        return why
    best = best_region(list(lineup.players), tuple(waits), rule)
    return "" if chosen == best else f"{best} is better than {chosen}"


def best_region(
    players: Sequence[Player], waits: tuple[float, ...], rule: RegionRule | None
) -> str | None:
    """The region that everybody accepts and that is chosen; None where there is none."""
    if rule is None:
        return None
    cap, spread = at_most(rule.max_ms, waits), at_most(rule.max_spread_ms, waits)
    pings = [player.pings for player in players]
    known = sorted({region for each in pings for region in each})
    right = [each for each in known if not _too_far(each, pings, cap, spread)]
    return min(right, key=lambda each: _region_key(each, pings, rule.choose), default=None)


def _too_far(region: str, pings: Sequence[Mapping[str, float]], cap: Bound, spread: Bound) -> str:
    its = [each[region] for each in pings if region in each]
    if not its:
        return f"nobody knows a ping to {region}"
    if cap is not None and len(its) < len(pings):
        return f"somebody knows no ping to {region}"
    if cap is not None and max(its) > cap:
        return f"somebody has {max(its):g} ms to {region}, {cap:g} are accepted"
    if spread is not None and max(its) - min(its) > spread:
        return f"pings to {region} are {max(its) - min(its):g} ms apart, {spread:g} are accepted"
    return ""


def _region_key(
    region: str, pings: Sequence[Mapping[str, float]], choose: Choose
) -> tuple[float, float, str]:
    """The region with the least key is chosen."""
    its = [each.get(region, ABSURD_MS) for each in pings]
    worst, mean = max(its), round(sum(its) / len(its), 6)
    first, second = (worst, mean) if choose is Choose.LOWEST_WORST else (mean, worst)
    return first, second, region


# --- preferences ---


def impatient(lineup: Lineup, rules: MatchRules, now: float, met: Met) -> Iterator[tuple[str, str]]:
    """(preference, why the match is not made without it) for each preference. A ticket accepts what
    a match lacks for it once it has waited as long as all of that is worth.
    """
    known = partial(_met, met, now)
    lacks = {
        rule.name: _lacking(rule, lineup, rules, known)
        for rule in rules.rules
        if rule.worth_seconds is not None
    }
    price = {
        ticket: sum(
            rule.worth_seconds or 0.0
            for rule in rules.rules
            if ticket in lacks.get(rule.name, frozenset())
        )
        for ticket in lineup.waits
    }
    for name, tickets in lacks.items():
        early = [each for each in tickets if lineup.waits[each] < price[each]]
        why = ""
        if early:
            ticket = min(early)
            waited = f"waits for {lineup.waits[ticket]:.0f} s"
            worth = "any wait" if price[ticket] == inf else f"{price[ticket]:g} s"
            why = f"{ticket} {waited}, and what the match lacks is worth {worth}"
        yield name, why


def _lacking(
    rule: Rule, lineup: Lineup, rules: MatchRules, met: Callable[[str, str, float], bool]
) -> frozenset[str]:
    """The tickets for which a match lacks what they prefer."""
    after = rule.off_after_seconds
    asking = {each for each, waited in lineup.waits.items() if after is None or waited < after}
    demand = rule.demand
    if isinstance(demand, FirstRole):
        lacks = {each.ticket_id for each in lineup.players if plays_other_than_first(each)}
    elif isinstance(demand, NewOpponents):
        lacks = {
            each.ticket_id
            for one, other in combinations(lineup.teams, 2)
            for pair in ((a, b) for a in one for b in other)
            if met(pair[0].player_id, pair[1].player_id, demand.within_seconds)
            for each in pair
        }
    else:
        waits = tuple([lineup.waits[each] for each in asking])
        lacks = asking if broken(rule, lineup, rules, waits) else set()
    return frozenset(lacks & asking)


def plays_other_than_first(player: Player) -> bool:
    """Whether the role of a player is another than the one ranked first."""
    return player.role is not None and bool(player.ranking) and player.role != player.ranking[0]


def _met(met: Met, now: float, one: str, other: str, within_seconds: float) -> bool:
    when = max(met(one).get(other, 0.0), met(other).get(one, 0.0))
    return when > 0.0 and now - when < within_seconds
