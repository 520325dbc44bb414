"""What is written below a game mode, as the domain knows it, and all that is wrong with it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from matchkeeper.config.rule_tables import AttributeSettings, TeamSettings
from matchkeeper.config.showing import shown
from matchkeeper.domain.attribute import (
    Attribute,
    AttributeType,
    Value,
    known_latencies,
    number,
    ranking,
)
from matchkeeper.domain.layout import Range, Team
from matchkeeper.domain.relaxation import Bound, Ramp, Relaxation, Steps, tightens

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_RESERVED = ("pod_id", "players", "player_id")
_LONGEST_WAIT = 30 * 86_400.0

Place = tuple[str | int, ...]
"""Where something is written, from the game mode on."""


class Fault(NamedTuple):
    """One thing that is wrong."""

    at: Place
    found: str
    allowed: str


class Faults(list[Fault]):
    """All that is wrong with a mode."""

    def add(self, at: Place, found: str, allowed: str) -> None:
        """One thing more: what is the matter, and what may stand there instead."""
        self.append(Fault(at, found, f"allowed is {allowed}"))


def meant(name: str, known: Iterable[str]) -> str:
    """What is known, and what was perhaps meant."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, 1)
    guess = f"; did you mean {close[0]}?" if close else ""
    return f"one of {', '.join(names)}{guess}" if names else "none: there are none"


# --- numbers that relax ---


def relaxation(raw: object, at: Place, faults: Faults, *, is_upper: bool) -> Relaxation | None:
    """The number that a rule demands; None where it is wrong, which is told."""
    if isinstance(raw, dict):
        return _ramp(raw, at, faults, is_upper=is_upper)
    if not isinstance(raw, list | tuple):
        raw = [[0, raw]]
    found = steps(raw, at, faults)
    if found is None:
        return None
    bounds: list[tuple[float, Bound]] = []
    for since, value in found:
        bound = None if value == "off" else number(value)
        if value != "off" and (bound is None or bound < 0):
            faults.add(at, f"has {shown(value)} at {since:g} s", 'numbers from 0 on, or "off"')
            return None
        bounds.append((since, bound))
    made = Steps(tuple(bounds))
    if (worse := tightens(made, is_upper=is_upper)) is not None:
        way = "smaller" if is_upper else "larger"
        value = "off" if worse[1] is None else f"{worse[1]:g}"
        faults.add(
            at,
            f"tightens: it is {value} at {worse[0]:g} s, {way} than before",
            "a number that lets in more, the longer somebody waits",
        )
        return None
    return made


def _ramp(raw: dict[str, Any], at: Place, faults: Faults, *, is_upper: bool) -> Ramp | None:
    keys = ("start", "per_second", "max")
    values = [number(raw.get(each)) for each in keys]
    start, per_second, maximum = values
    if not is_upper:
        faults.add(at, "is a table", "a number, or [[seconds, number], …], which gets smaller")
    elif set(raw) != set(keys) or start is None or per_second is None or maximum is None:
        faults.add(at, "is a table with other keys", "{ start, per_second, max }, all numbers")
    elif per_second < 0 or start < 0:
        faults.add(at, "tightens" if per_second < 0 else "is below 0", "numbers from 0 on")
    elif maximum < start:
        faults.add(at, f"has max = {maximum:g}, less than start", f"a max from {start:g} on")
    else:
        return Ramp(start=start, per_second=per_second, maximum=maximum)
    return None


def steps(raw: Sequence[Any], at: Place, faults: Faults) -> list[tuple[float, Any]] | None:
    """(seconds, value) of each step; None where they are no steps, which is told."""
    found: list[tuple[float, Any]] = []
    for step in raw:
        since = number(step[0]) if isinstance(step, list | tuple) and len(step) == 2 else None
        if since is None or not 0 <= since <= _LONGEST_WAIT:
            faults.add(at, "has a step that is no [seconds, value]", "[[0, value], [20, value], …]")
            return None
        if found and since <= found[-1][0]:
            faults.add(
                at,
                f"has its steps out of order: {since:g} s stands behind {found[-1][0]:g} s",
                "steps with growing seconds",
            )
            return None
        found.append((since, step[1]))
    if not found or found[0][0] != 0:
        faults.add(at, "says nothing about the first seconds", "a first step at 0 seconds")
        return None
    return found


# --- attributes ---

NEEDED = {
    AttributeType.NUMBER: "a number",
    AttributeType.STRING: "a string",
    AttributeType.SET: "a list of strings",
    AttributeType.RANKING: "a list of different strings, the favourite first",
    AttributeType.LATENCIES: "a table of milliseconds by region",
}


def attributes(tables: dict[str, AttributeSettings], faults: Faults) -> dict[str, Attribute]:
    """The attributes that a mode declares."""
    found = {}
    for name, table in tables.items():
        at: Place = ("attributes", name)
        if not NAME.fullmatch(name) or name in _RESERVED:
            if name in _RESERVED:
                faults.add(at, "is a name that Matchkeeper uses itself", "any other name")
            else:
                faults.add(at, "is no usable name", "letters, digits and _, not a digit first")
            continue
        kind = AttributeType(table.type)
        default = None
        if "default" in table.model_fields_set:
            default = value_of(kind, table.default)
            if default is None:
                found_kind = f"is no value of type {kind}"
                faults.add((*at, "default"), found_kind, NEEDED[kind])
        found[name] = Attribute(name=name, type=kind, default=default)
    return found


def value_of(kind: AttributeType, raw: Any) -> Value | None:
    """A value as it is written in the settings; None where it is of another type."""
    if kind is AttributeType.NUMBER:
        return number(raw)
    if kind is AttributeType.STRING:
        return raw if isinstance(raw, str) else None
    if kind is AttributeType.LATENCIES:
        is_one = isinstance(raw, dict) and None not in map(number, raw.values())
        return known_latencies(raw) if is_one else None
    if not isinstance(raw, list | tuple) or not all(isinstance(each, str) for each in raw):
        return None
    return frozenset(raw) if kind is AttributeType.SET else ranking(raw)


def implied(
    found: dict[str, Attribute], name: str, kind: AttributeType, why: str, faults: Faults
) -> None:
    """An attribute that the mode needs; where it is not declared, it has no default."""
    declared = found.setdefault(name, Attribute(name=name, type=kind))
    if declared.type is not kind:
        faults.add(
            ("attributes", name, "type"), f"is {declared.type}", f"{kind}, since {why} reads it"
        )


# --- teams ---


def teams(
    written: int | TeamSettings | Sequence[TeamSettings] | None, players: int, faults: Faults
) -> tuple[Team, ...]:
    """The teams of each match. `players`: of a match whose teams are a number."""
    if written is None or isinstance(written, int):
        count = players if written is None else written
        size = max(1, players // count)
        names = [f"team_{nth + 1}" for nth in range(count)]
        return tuple(
            [Team(name=each, group="team", sizes=((0.0, (size, size)),)) for each in names]
        )
    tables = [written] if isinstance(written, TeamSettings) else written
    found: list[Team] = []
    for nth, table in enumerate(tables):
        at: Place = ("teams",) if isinstance(written, TeamSettings) else ("teams", nth)
        found += _kind_of_team(table, at, faults)
    names = [name for each in found for name in {each.name, each.group}]
    for twice in sorted({each for each in names if names.count(each) > 1}):
        if len({each.group for each in found if twice in (each.name, each.group)}) > 1 or (
            sum(each.name == twice for each in found) > 1
        ):
            faults.add(("teams",), f"has the name {twice} twice", "a name of its own for each")
    return tuple(found)


def _kind_of_team(table: TeamSettings, at: Place, faults: Faults) -> list[Team]:
    names = _team_names(table, at, faults)
    sizes = _sizes(table.size, (*at, "size"), faults)
    if sizes is None:
        return []
    roles = tuple(sorted((table.roles or {}).items()))
    seats = sum(count for _, count in roles)
    if roles and any(one != (seats, seats) for _, one in sizes):
        low, high = sizes[-1][1]
        has = f"{low}" if low == high else f"{low} to {high}"
        faults.add(
            (*at, "roles"),
            f"has {seats} seats, and the team has {has} players",
            "as many seats as the team always has players",
        )
    group = table.name or names[0]
    return [
        Team(
            name=each,
            group=group if table.name else each,
            sizes=sizes,
            roles=roles,
        )
        for each in names
    ]


def _team_names(table: TeamSettings, at: Place, faults: Faults) -> list[str]:
    if (table.name is None) == (table.names is None):
        faults.add((*at, "name"), "is not the only one of name and names", "one of the two")
        return ["team"]
    written = [table.name] if table.name is not None else list(table.names or ())
    if table.names is not None and "count" in table.model_fields_set:
        faults.add((*at, "count"), "stands beside names", "one of the two: names say how many")
    if not written or any(not NAME.fullmatch(each) for each in written):
        what = "name" if table.names is None else "names"
        allowed = "1 to 64 letters, digits and _, not a digit first"
        faults.add((*at, what), "has a name that no rule could use", allowed)
        return ["team"]
    if table.count > 1:
        return [f"{table.name}_{nth + 1}" for nth in range(table.count)]
    return written


def _sizes(raw: object, at: Place, faults: Faults) -> tuple[tuple[float, Range], ...] | None:
    stepped = isinstance(raw, list | tuple) and any(isinstance(x, list | tuple) for x in raw)
    found = steps(raw, at, faults) if stepped else [(0.0, raw)]  # type: ignore[arg-type]
    if found is None:
        return None
    sizes: list[tuple[float, Range]] = []
    for since, written in found:
        size = _range(written)
        if size is None:
            faults.add(at, f"has no size at {since:g} s", "a number from 1 to 1000, or [4, 8]")
            return None
        if sizes and not (size[0] <= sizes[-1][1][0] and sizes[-1][1][1] <= size[1]):
            low, high = sizes[-1][1]
            faults.add(
                at,
                f"tightens: {size[0]} to {size[1]} at {since:g} s leaves out sizes that were "
                "right before",
                f"a range that includes {low} to {high}, such as "
                f"[{min(low, size[0])}, {max(high, size[1])}]",
            )
            return None
        sizes.append((since, size))
    return tuple(sizes)


def _range(raw: object) -> Range | None:
    low, high = raw if isinstance(raw, list | tuple) and len(raw) == 2 else (raw, raw)
    whole = all(isinstance(each, int) and not isinstance(each, bool) for each in (low, high))
    if not whole or not 1 <= low <= high <= 1000:  # type: ignore[operator]
        return None
    return low, high  # type: ignore[return-value]
