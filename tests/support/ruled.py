"""Modes with rules, and tickets with attributes, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from matchkeeper.config import load
from matchkeeper.domain.attribute import Attribute, AttributeType
from matchkeeper.domain.layout import MatchRules, Team
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.rule import Demand, Rule
from matchkeeper.domain.ticket import Member, Ticket
from matchkeeper.wire.attributes import values_in

NOW = 100_000.0
EXAMPLES = Path(__file__).parents[2] / "examples" / "rules"

NUMBER = Attribute(name="n", type=AttributeType.NUMBER, default=0.0)
STRING = Attribute(name="s", type=AttributeType.STRING, default="a")
SET = Attribute(name="m", type=AttributeType.SET, default=frozenset({"x"}))
BLOCKED = Attribute(name="blocked", type=AttributeType.SET, default=frozenset())
ROLES = Attribute(name="roles", type=AttributeType.RANKING, default=())
PINGS = Attribute(name="latencies", type=AttributeType.LATENCIES, default=())
ATTRIBUTES = (NUMBER, STRING, SET, BLOCKED, ROLES, PINGS)


def example(name: str) -> GameMode:
    """The mode of an example."""
    return load(EXAMPLES / f"{name}.toml", environ={}).modes()[0]


def team(name: str, low: int, high: int | None = None, **roles: int) -> Team:
    """A team of a fixed size or of a range."""
    size = (low, low if high is None else high)
    return Team(name=name, group=name, sizes=((0.0, size),), roles=tuple(sorted(roles.items())))


def mode_of(rules: MatchRules) -> GameMode:
    """A mode with all attributes."""
    return GameMode(
        name="M",
        required_players=rules.smallest,
        teams=len(rules.teams),
        attributes=ATTRIBUTES,
        rules=rules,
    )


def duel(*demands: Demand | Rule) -> GameMode:
    """Two against two, with these rules."""
    return mode_of(ruled((team("red", 2), team("blue", 2)), *demands))


def ruled(teams: Sequence[Team], *demands: Demand | Rule) -> MatchRules:
    """Rules R0, R1, …"""
    rules = [
        each if isinstance(each, Rule) else Rule(name=f"R{nth}", demand=each)
        for nth, each in enumerate(demands)
    ]
    return MatchRules(teams=tuple(teams), rules=tuple(rules))


def ticket(
    ticket_id: str,
    waited: float = 0.0,
    *,
    mode: GameMode,
    players: Mapping[str, Mapping[str, Any]] | None = None,
    **metadata: Any,
) -> Ticket:
    """A lone player, or a party with `players`."""
    of = players or {ticket_id: metadata}
    return Ticket(
        ticket_id=ticket_id,
        members=tuple([Member(each, "pod-a") for each in of]),
        enqueued_at=NOW - waited,
        metadata_sum="",
        values=tuple([values_in(msgspec.json.encode(dict(each)), mode) for each in of.values()]),
    )
