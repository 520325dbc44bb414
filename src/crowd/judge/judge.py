"""The judge: from a history to a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from crowd.history import Event, State, What
from crowd.judge.handing import check_answers, check_assigned
from crowd.judge.matches import Matches, check_matches
from crowd.judge.parties import check_parties, check_told_often
from crowd.judge.pods import check_pods
from crowd.judge.settings import Refusals, check_refusals, check_sizes
from crowd.judge.state import check_state
from crowd.judge.statuses import check_statuses
from crowd.judge.stays import TIMES_SENT, Stay, Stays
from crowd.judge.verdict import Fault, Finding, Verdict


def judge(
    history: Iterable[Event],
    *,
    settled: bool = True,
    required: Mapping[str, int] | None = None,
    lifetimes: Mapping[str, float] | None = None,
    several: bool = False,
    sizes: Mapping[str, int] | None = None,
    refusals: Refusals | None = None,
    teams: Mapping[str, int] | None = None,
    failovers: bool = False,
    times_sent: int = TIMES_SENT,
) -> Verdict:
    """The verdict on a history whose last event is a look at Redis.

    `settled`: everything was well for long enough at the end that nothing should hang; then no
    queue of `required` (tag -> players of a match) holds enough for a match.
    `lifetimes`: mode -> seconds after which a waiting player may be taken out. Perhaps nobody heard
    of that, or of an end that was asked for: then nobody outside can tell how the stay ended.
    `sizes`: mode -> players of each match, until an event says otherwise. `teams`: mode -> players
    of a team. `refusals`: when pods that start nothing are refused. `several`: players may wait in
    several queues; nobody leaves one of them. `failovers`: a replica is promoted now and then, so
    that what nobody had to wait for may be forgotten. `times_sent`: how often a request is sent.
    """
    events = list(history)
    final = _final(events)
    matches = Matches.of(events)
    stays = Stays(matches, lifetimes or {}, several=several).read(events)
    findings = [
        *_unique(_states(events, several=several)),
        *check_matches(matches),
        *check_sizes(events, sizes or {}),
        *check_refusals(events, refusals),
        *_unique(check_pods(events, matches)),
        *_unique(check_parties(events, teams or {})),
        *_unique(check_statuses(events)),
        *_unique(check_told_often(events, times_sent)),
        *_unique(check_answers(events, forgets=failovers)),
        *_unique(check_assigned(events)),
        *_strangers(events, stays),
        *_unanswered(events, stays),
        *_ends(stays, final),
        *_places(stays),
        *(_stuck(final, required or {}) if settled else ()),
    ]
    every = [stay for each in stays.values() for stay in each]
    return Verdict(
        attempted=len(every),
        acknowledged=sum(stay.acknowledged for stay in every),
        recovered=sum(not stay.acknowledged and bool(_outcomes(stay, final)) for stay in every),
        started=len(matches.live),
        findings=tuple(findings),
    )


def _final(events: list[Event]) -> State:
    if not events or events[-1].state is None:
        raise ValueError("a history ends with a look at what stands in Redis")
    return events[-1].state


def _states(events: list[Event], *, several: bool) -> Iterator[Finding]:
    for event in events:
        if event.state is not None:
            yield from check_state(event.state, several=several)


def _unique(findings: Iterable[Finding]) -> list[Finding]:
    return list(dict.fromkeys(findings))


def _strangers(events: list[Event], stays: dict[str, list[Stay]]) -> Iterator[Finding]:
    seen: set[str] = set()
    for event in events:
        seen.update(player for player, _ in event.players)
        if event.player and event.what is What.TOLD and event.word not in ("Error", "Status"):
            seen.add(event.player)
        if event.state is not None:
            seen.update(player for queue in event.state.queues.values() for player in queue)
    parties = {event.party for event in events if event.what is What.ASKED}
    for player in sorted(seen - set(stays) - parties):
        text = f"{player} never asked"
        yield Finding(fault=Fault.UNEXPECTED, about=player, text=text)


def _unanswered(events: list[Event], stays: dict[str, list[Stay]]) -> Iterator[Finding]:
    """A player in a match that another pod started may have been told so while its own pod heard
    nothing. Then nobody answers when the player asks again.
    """
    for event in events:
        if event.what is What.GAVE_UP and not stays[event.player][-1].matches:
            text = f"{event.player} was never answered to {event.word}"
            yield Finding(fault=Fault.UNANSWERED, about=event.player, text=text)


def _outcomes(stay: Stay, final: State) -> list[str]:
    """How a stay ended, in words; one that is over in Redis is there no more."""
    ends = [f"match {match}" for match in sorted(stay.matches)]
    ends += sorted(stay.ended)
    if stay.last and not ends:
        ends += [f"queue {tag}" for tag, queue in final.queues.items() if stay.player in queue]
        ends += [
            f"pending {match}"
            for match, (_, players) in final.matches.items()
            if stay.player in players
        ]
        ends += ["dead letter"] * (stay.player in final.dead)
    return ends


def _ends(stays: dict[str, list[Stay]], final: State) -> Iterator[Finding]:
    for player, each in stays.items():
        for stay in each:
            ends = _outcomes(stay, final)
            if stay.acknowledged and not ends and not stay.told_found and not stay.may_be_over:
                text = f"{player} was told EnQueued at {stay.acknowledged_at:g} and is nowhere"
                yield Finding(fault=Fault.LOST, about=player, text=text)
            if len(stay.matches) > 1:
                text = f"{player} is in {' and '.join(ends)}"
                yield Finding(fault=Fault.DOUBLED, about=player, text=text)
            if stay.matches and stay.ended:
                text = f"{player} was told {' and '.join(sorted(stay.ended))}, and is in a match"
                yield Finding(fault=Fault.LEFT_BUT_MATCHED, about=player, text=text)
            if stay.put_back:
                text = f"{player} asked to leave its match, and was put back into {stay.mode}"
                yield Finding(fault=Fault.PUT_BACK, about=player, text=text)
        last = each[-1]
        if last.over and any(player in queue for queue in final.queues.values()):
            text = f"{player} waits, although {_outcomes(last, final)[0]}"
            yield Finding(fault=Fault.DOUBLED, about=player, text=text)


def _places(stays: dict[str, list[Stay]]) -> Iterator[Finding]:
    """Each stay has one place, and places keep the order in which players were told of them."""
    for each in stays.values():
        for stay in each:
            if max(len(stay.scores), len(stay.seconds)) > len(stay.modes) + stay.renewals:
                text = f"{stay.player} had the places {sorted(stay.scores or stay.seconds)}"
                yield Finding(fault=Fault.OUT_OF_PLACE, about=stay.player, text=text)
    by_mode: dict[str, list[Stay]] = {}
    for each in stays.values():
        for stay in each:
            if stay.place is not None:
                by_mode.setdefault(stay.mode, []).append(stay)
    for queue in by_mode.values():
        yield from _order(queue)


def _order(queue: list[Stay]) -> Iterator[Finding]:
    told = sorted(
        (stay for stay in queue if stay.acknowledged), key=lambda stay: stay.acknowledged_at
    )
    asked = sorted(queue, key=lambda stay: stay.asked_at)
    latest: Stay | None = None
    next_told = 0
    for stay in asked:
        while next_told < len(told) and told[next_told].acknowledged_at < stay.asked_at:
            candidate = told[next_told]
            if latest is None or (candidate.place or 0) > (latest.place or 0):
                latest = candidate
            next_told += 1
        if latest is not None and (stay.place or 0) < (latest.place or 0):
            text = f"{stay.player} asked after {latest.player} was in, and stands before"
            yield Finding(fault=Fault.OUT_OF_PLACE, about=stay.player, text=text)


def _stuck(final: State, required: Mapping[str, int]) -> Iterator[Finding]:
    for tag, players in required.items():
        waiting = sorted(final.queues.get(tag, ()))
        if len(waiting) >= players:
            text = f"{', '.join(waiting)} wait in {tag}, enough for a match"
            yield Finding(fault=Fault.STUCK, about=tag, text=text)
    for tag, pending in final.pending.items():
        for match in pending:
            text = f"match {match} of {tag} is still pending"
            yield Finding(fault=Fault.STUCK, about=match, text=text)
