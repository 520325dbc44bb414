"""What a run found, as plain data: the table, the JSON and the report all show this."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import msgspec

from crowd.behaviours import Behaviour, PodBehaviour
from crowd.requests import Via
from matchkeeper import __version__
from matchkeeper.swarm.figures import Durations
from matchkeeper.swarm.tally import (
    Check,
    Invariant,
    Tally,
    Thresholds,
    by_count,
    checks,
)
from matchkeeper.swarm.world import SwarmOptions

_BARS = 48
_LATE_SECONDS = 0.25

_NO_PODS = (
    "No game server was simulated, so nobody listened for offers: which server starts a match is "
    "known only from MatchFound. What real servers did with an offer before that is not observable "
    "from outside."
)
_PODS = (
    "Of real game servers only claimed_by in MatchFound is observable. A simulated one is drawn "
    "for each offer, as if it were the fastest."
)
_PUBSUB = "Pub/Sub forgets: a request or an answer that nobody heard shows as no answer."
_GAPS = (
    "The connection for answers was lost {} times. Players who were about then may show as no "
    "answer or not matched, and are not called lost."
)
_OTHERS = (
    "{} matches had players who are not of this run; simulated game servers left them alone. Do "
    "not play where real players are."
)
_LATE = (
    "This machine was up to {:.1f} s late with its players: the rate was not kept, and waits "
    "include what the swarm itself took."
)
_REMAINING = (
    "{} players may still be in the queue: no answer said that they are out. See them with: "
    "matchkeeper queue show MODE."
)


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, to within 5 %, the longest exactly. None where nothing was measured."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None
    longest: float | None


class BehaviourRow(msgspec.Struct, frozen=True, kw_only=True):
    """The players of one behaviour."""

    behaviour: str
    does: str
    right_is: str
    players: int
    right: int
    wrong: dict[str, int]
    """By reason."""
    not_judged: dict[str, int]


class PartyRow(msgspec.Struct, frozen=True, kw_only=True):
    """The players who came in parties of one size."""

    together: int
    """Players of such a party; 1: alone."""
    players: int
    waits: Times
    shares: list[tuple[float, float]]
    """(seconds, share of the matched who waited at most so long)."""


class InvariantRow(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that must never happen."""

    name: str
    sentence: str
    checked: int
    """The number of cases in which it could have been broken."""
    broken: int
    examples: list[str]


class PodRow(msgspec.Struct, frozen=True, kw_only=True):
    """What some of the simulated game servers do."""

    behaviour: str
    does: str
    right_is: str
    pods: int


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of time; `counts` are of all that happened in it."""

    at: float
    seconds: float
    asked: int
    queued: int
    matched: int
    wrong: int
    waiting: int
    p50_wait: float | None
    p95_wait: float | None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Everything. `format` changes when a field changes its meaning."""

    format: int
    version: str
    run: str
    redis: str
    """Without its password."""
    begun: str
    seconds: float
    interrupted: bool
    good: bool
    options: dict[str, str]
    asked: int
    judged: int
    right: int
    success: float | None
    checks: list[Check]
    behaviours: list[BehaviourRow]
    invariants: list[InvariantRow]
    accounts: dict[str, int]
    waits: Times
    answers: Times
    wait_bars: list[tuple[float, float, int]]
    """(from, to, players)."""
    parties: list[PartyRow]
    """Empty where all came alone."""
    errors: dict[str, int]
    expected_errors: dict[str, int]
    pods: list[PodRow]
    pods_saw: dict[str, int]
    timeline: list[Moment]
    remaining: int
    notes: list[str]
    """What could not be observed, and what else to know."""


def summary(
    tally: Tally,
    options: SwarmOptions,
    thresholds: Thresholds,
    *,
    run: str,
    redis: str,
    begun: str,
    seconds: float,
    interrupted: bool,
    asked: int,
    remaining: int,
    behind_seconds: float,
) -> Summary:
    """The outcome of a run. `redis` and `begun` are as they are to be shown."""
    found = checks(tally, thresholds)
    return Summary(
        format=1,
        version=__version__,
        run=run,
        redis=redis,
        begun=begun,
        seconds=seconds,
        interrupted=interrupted,
        good=all(each.met for each in found) and not tally.broken.total(),
        options=_options(options),
        asked=asked,
        judged=tally.judged,
        right=tally.right,
        success=tally.success,
        checks=found,
        behaviours=_behaviours(tally),
        invariants=[_invariant(tally, each) for each in Invariant],
        accounts=dict(by_count(tally.accounts)),
        waits=_times(tally.waits),
        answers=_times(tally.answers),
        wait_bars=tally.waits.bars(_BARS),
        parties=_parties(tally),
        errors=dict(by_count(tally.errors)),
        expected_errors=dict(by_count(tally.expected_errors)),
        pods=_pods(options),
        pods_saw=dict(by_count(tally.pods)),
        timeline=_timeline(tally),
        remaining=remaining,
        notes=_notes(tally, options, behind_seconds=behind_seconds, remaining=remaining),
    )


def as_json(found: Summary) -> str:
    """All of it, in ASCII, so that every text of strangers can be written."""
    return json.dumps(msgspec.to_builtins(found), indent=2) + "\n"


def _options(options: SwarmOptions) -> dict[str, str]:
    crowd = options.crowd
    return {
        "players": str(options.players),
        "rate": str(crowd.pace),
        "mix": str(crowd.behaviours),
        "modes": str(crowd.modes),
        "parties": "; ".join(f"{mode}: {mix}" for mode, mix in crowd.parties.items()),
        "simulated game servers": str(options.pods),
        "their mix": str(options.pod_mix) if options.pods else "-",
        "requests by": options.via.value,
        "metadata": f"{options.metadata_bytes} bytes" if options.metadata_bytes else "the rating",
        "ratings": f"mean {crowd.rating_mean:g}, deviation {crowd.rating_deviation:g}",
        "give up after": f"{options.timeout_seconds:g} s",
        "seed": str(crowd.seed),
    }


def _behaviours(tally: Tally) -> list[BehaviourRow]:
    return [
        BehaviourRow(
            behaviour=behaviour.value,
            does=behaviour.does,
            right_is=behaviour.right,
            players=ends.judged + ends.neutral.total(),
            right=ends.right,
            wrong=dict(by_count(ends.wrong)),
            not_judged=dict(by_count(ends.neutral)),
        )
        for behaviour in Behaviour
        if (ends := tally.ends.get(behaviour)) is not None
    ]


def _parties(tally: Tally) -> list[PartyRow]:
    if not any(size > 1 for size in tally.asked_by_size):
        return []
    found = ((size, tally.waits_by_size.get(size, Durations())) for size in tally.asked_by_size)
    return [
        PartyRow(
            together=size,
            players=tally.asked_by_size[size],
            waits=_times(waits),
            shares=waits.shares(),
        )
        for size, waits in sorted(found, key=lambda each: each[0])
    ]


def _invariant(tally: Tally, invariant: Invariant) -> InvariantRow:
    broken = tally.broken[invariant]
    return InvariantRow(
        name=invariant.value,
        sentence=invariant.sentence,
        checked=max(tally.checked[invariant], broken),
        broken=broken,
        examples=tally.examples.get(invariant, []),
    )


def _times(durations: Durations) -> Times:
    return Times(
        count=durations.count,
        p50=durations.quantile(0.5),
        p95=durations.quantile(0.95),
        p99=durations.quantile(0.99),
        longest=durations.longest if durations.count else None,
    )


def _pods(options: SwarmOptions) -> list[PodRow]:
    behaviours = options.pod_mix.spread(options.pods)
    return [
        PodRow(
            behaviour=each.value,
            does=each.does,
            right_is=each.right,
            pods=behaviours.count(each),
        )
        for each in PodBehaviour
        if each in behaviours
    ]


def _timeline(tally: Tally) -> list[Moment]:
    return [
        Moment(
            at=at,
            seconds=tally.timeline.slot_seconds,
            asked=slot.counts["asked"],
            queued=slot.counts["queued"],
            matched=slot.counts["matched"],
            wrong=slot.counts["wrong"],
            waiting=slot.waiting,
            p50_wait=slot.waits.quantile(0.5),
            p95_wait=slot.waits.quantile(0.95),
        )
        for at, slot in tally.timeline
    ]


def _notes(
    tally: Tally, options: SwarmOptions, *, behind_seconds: float, remaining: int
) -> list[str]:
    seen: Mapping[str, int] = tally.pods
    others = seen["matches of others"] + seen["matches with others"]
    found: Sequence[tuple[object, str]] = (
        (not options.pods, _NO_PODS),
        (options.pods, _PODS),
        (options.via is Via.PUBSUB, _PUBSUB),
        (tally.gaps, _GAPS.format(tally.gaps)),
        (others, _OTHERS.format(others)),
        (tally.foreign, f"{tally.foreign} answers were for players who are not of this run."),
        (behind_seconds > _LATE_SECONDS, _LATE.format(behind_seconds)),
        (remaining, _REMAINING.format(remaining)),
    )
    return [text for holds, text in found if holds]
