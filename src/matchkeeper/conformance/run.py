"""Plays the evenings, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from matchkeeper.conformance.evening import Evening, OverError
from matchkeeper.conformance.evenings import PLANS, Plan
from matchkeeper.conformance.points import BrokenError, Finding, Point
from matchkeeper.conformance.world import World
from matchkeeper.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What came of one evening."""

    name: str
    plan: Plan
    findings: Sequence[Finding]
    lines: Sequence[str]
    """What the program wrote last, where a point was not kept."""


def plans(only: Sequence[str]) -> dict[str, Plan]:
    """The evenings of these names, in their order; all of them without a name. Raises ConfigError
    for a name that nobody knows.
    """
    for name in only:
        if name not in PLANS:
            raise ConfigError(
                f"--only: there is no evening {name!r}", hint=f"Known are {', '.join(PLANS)}."
            )
    return {name: plan for name, plan in PLANS.items() if not only or name in only}


async def play(
    command: Sequence[str],
    folder: Path,
    *,
    only: Sequence[str] = (),
    patience: float,
    on_night: Callable[[Night], None] = lambda _night: None,
) -> list[Night]:
    """Tries the program that `command` starts. Raises MatchkeeperError where it cannot be tried."""
    nights: list[Night] = []
    evenings: list[Evening] = []
    chosen = plans(only)
    async with World(command, folder, patience=patience) as world:
        for name, plan in chosen.items():
            evenings.append(Evening(world, name, judged=plan.judged))
            hopeless = _hopeless(nights)
            night = _untried(name, plan) if hopeless else await _night(world, evenings[-1], plan)
            on_night(night)
            nights.append(night)
        return [
            replace(night, findings=evening.findings(night.plan.points))
            for night, evening in zip(nights, evenings, strict=True)
        ]


def _hopeless(nights: Sequence[Night]) -> bool:
    """Whether the program does not even hear or ask: nothing can be tried with it."""
    first = (Point.LISTENS, Point.ASKS)
    return any(
        finding.kept is False and finding.point in first
        for night in nights
        for finding in night.findings
    )


def _untried(name: str, plan: Plan) -> Night:
    findings = [Finding(point=point, evening=name, kept=None) for point in plan.points]
    return Night(name=name, plan=plan, findings=findings, lines=())


async def _night(world: World, evening: Evening, plan: Plan) -> Night:
    try:
        if Point.LISTENS not in plan.points:
            await world.listens()
        await plan.script(evening)
    except BrokenError as error:
        evening.breaks(plan.points[0], str(error))
    except OverError:
        pass  # told as a finding
    if Point.ENDS not in plan.points:
        await evening.tidy()
    died = bool(world.program.ended)
    if died:
        await world.program.kill()  # with its children, and all that it wrote is read
    findings = evening.findings(plan.points)
    lines = tuple(world.program.last_lines)
    if died:
        await world.program.start()
    good = all(finding.kept for finding in findings)
    return Night(name=evening.name, plan=plan, findings=findings, lines=() if good else lines)
