"""Comparisons of teams: `avg(monster.skill) >= max(hunters.wants)`.

side     = [-] term {(+ | -) term}
term     = number | [number *] function(what)
function = avg | min | max | sum | count
what     = attribute | team.attribute; for count also team
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Function(StrEnum):
    """What is made of many numbers."""

    AVG = "avg"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    COUNT = "count"


class Operator(StrEnum):
    """How two sides are compared."""

    AT_LEAST = ">="
    AT_MOST = "<="
    MORE = ">"
    LESS = "<"
    EQUAL = "=="


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """A number made of an attribute of many players."""

    function: Function
    team: str | None
    """A team, or several of one name; None: the whole match."""
    attribute: str | None
    """None: `count` counts players."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """`factor`, or `factor` times an aggregate."""

    factor: float
    of: Aggregate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two sums of terms."""

    text: str
    left: tuple[Term, ...]
    operator: Operator
    right: tuple[Term, ...]

    @property
    def aggregates(self) -> Iterator[Aggregate]:
        """All that it reads of players."""
        return (each.of for each in (*self.left, *self.right) if each.of is not None)


_OPERATOR = re.compile(r"(>=|<=|==|>|<)")
_TERM = re.compile(
    r"""\s*(?P<sign>[+-])?\s*
    (?:(?P<factor>[0-9]+(?:\.[0-9]+)?)\s*(?P<times>\*)?\s*)?
    (?:(?P<function>[a-z]+)\(\s*(?P<what>[A-Za-z_][A-Za-z0-9_]*)
       (?:\.(?P<attribute>[A-Za-z_][A-Za-z0-9_]*))?\s*\))?\s*""",
    re.VERBOSE,
)


def parse(text: str, teams: frozenset[str]) -> Comparison:
    """The comparison that a text is. Raises ValueError, which says what is wrong with it."""
    sides = _OPERATOR.split(text)
    if len(sides) != 3:
        raise ValueError("has not one of >=, <=, ==, > and < between two sides")
    left, operator, right = sides
    comparison = Comparison(
        text=text,
        left=tuple(_terms(left, teams)),
        operator=Operator(operator),
        right=tuple(_terms(right, teams)),
    )
    if not any(comparison.aggregates):
        raise ValueError("compares nothing of the players")
    return comparison


def _terms(side: str, teams: frozenset[str]) -> Iterator[Term]:
    at, first = 0, True
    while at < len(side) or first:
        found = _TERM.match(side, at)
        if found is None or found.end() == at or not (found["factor"] or found["function"]):
            raise ValueError(f"has {side[at:].strip()!r} where a number or avg(…) should stand")
        if not first and not found["sign"]:
            raise ValueError(f"has no + or - before {found.group().strip()!r}")
        if bool(found["times"]) != bool(found["factor"] and found["function"]):
            raise ValueError(f"has {found.group().strip()!r}; a factor is written 2 * avg(…)")
        factor = float(found["factor"] or 1) * (-1 if found["sign"] == "-" else 1)
        of = _aggregate(found, teams) if found["function"] else None
        yield Term(factor=factor, of=of)
        at, first = found.end(), False


def _aggregate(found: re.Match[str], teams: frozenset[str]) -> Aggregate:
    names = ", ".join(Function)
    if found["function"] not in tuple(Function):
        raise ValueError(f"has {found['function']}(…); functions are {names}")
    function, what, attribute = Function(found["function"]), found["what"], found["attribute"]
    if attribute is not None:
        if what not in teams:
            raise ValueError(f"names the team {what}; teams are {', '.join(sorted(teams))}")
        return Aggregate(function=function, team=what, attribute=attribute)
    if function is Function.COUNT:
        if what not in teams:
            raise ValueError(f"counts the team {what}; teams are {', '.join(sorted(teams))}")
        return Aggregate(function=function, team=what, attribute=None)
    return Aggregate(function=function, team=None, attribute=what)
