"""What each pod must have been told, and what it must not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from crowd.history import Event, What
from crowd.judge.matches import Matches
from crowd.judge.verdict import Fault, Finding

_NOTICED_SECONDS = 5.0
"""By then a pod has noticed that its connection no longer brings anything."""
_NO_REASON = "internal_error"


def check_pods(events: Sequence[Event], matches: Matches) -> Iterator[Finding]:
    """Findings about the answers that pods were given, and were not."""
    pods: dict[str, set[str]] = {}
    by_stream: dict[str, bool] = {}
    for event in events:
        if event.what is What.ASKED and event.who:
            pods.setdefault(event.player, set()).add(event.who)
            by_stream[event.player] = event.by_stream
        elif event.what is What.TOLD:
            yield from _told(event, pods, by_stream)
    yield from _announced(matches, pods)
    yield from _untold(events, matches, pods)


def _told(
    event: Event, pods: Mapping[str, set[str]], by_stream: Mapping[str, bool]
) -> Iterator[Finding]:
    player = event.player
    if player in pods and event.who not in pods[player]:
        text = f"{event.who} was told {event.word} of {player}, who is at {min(pods[player])}"
        yield Finding(fault=Fault.WRONG_POD, about=player, text=text)
    if event.code == _NO_REASON and by_stream.get(player):
        text = f"{player} asked by stream, and was told {event.code}"
        yield Finding(fault=Fault.NO_REASON, about=player, text=text)


def _announced(matches: Matches, pods: Mapping[str, set[str]]) -> Iterator[Finding]:
    """A match that is only announced is started by the pod of its first player."""
    for match_id, match in matches.by_id.items():
        if match.handoff == "publish" and match.players:
            right = pods.get(match.players[0], set())
            for _, pod in sorted(match.starts):
                if pod not in right:
                    text = f"{pod} started match {match_id}, which was for {min(right, default='')}"
                    yield Finding(fault=Fault.WRONG_POD, about=match_id, text=text)


@dataclass(frozen=True, slots=True)
class _Moment:
    """When the players of a match must have been told: between two events, by number."""

    first: int
    last: int


def _untold(
    events: Sequence[Event], matches: Matches, pods: Mapping[str, set[str]]
) -> Iterator[Finding]:
    listening = _listening(events)
    told = {
        (event.player, event.match, event.who)
        for event in events
        if event.what is What.TOLD and event.word == "MatchFound"
    }
    for match_id, moment in _moments(events).items():
        for player in matches.by_id[match_id].players:
            (pod, *others) = pods.get(player, {""})
            if others or not _hears(listening.get(pod, ()), moment, events):
                continue
            if (player, match_id, pod) not in told:
                text = f"{player} was not told of match {match_id}, which started; {pod} listened"
                yield Finding(fault=Fault.UNTOLD, about=player, text=text)


def _moments(events: Sequence[Event]) -> dict[str, _Moment]:
    """Of the matches that were started: from the question for the last word to what came of it."""
    asked: dict[str, int] = {}
    found: dict[str, _Moment] = {}
    for number, event in enumerate(events):
        started = [event.match] if event.what is What.STARTED else []
        if event.what is What.CONFIRMING:
            asked.setdefault(event.match, number)
        elif event.what is What.OFFERED and event.word == "publish":
            found.setdefault(event.match, _Moment(number, number))
        elif event.state is not None:
            started = list(event.state.started)
        for match in started:
            if match in asked:
                found.setdefault(match, _Moment(asked[match], number))
    return found


def _listening(events: Sequence[Event]) -> dict[str, list[tuple[int, float]]]:
    """For each pod the times at which it listened: from the event of this number, and until.

    What comes while it stands still is heard when it goes on, unless its connection or itself is
    gone by then.
    """
    found: dict[str, list[tuple[int, float]]] = {}
    since: dict[str, int] = {}
    still: dict[str, float] = {}
    for number, event in enumerate(events):
        if event.what is What.LISTENS:
            since.setdefault(event.who, number)
        elif event.what is What.FROZE:
            still.setdefault(event.who, event.at)
        elif event.what in (What.DEAF, What.DIED):
            for pod in [each for each in since if _is_of(each, event.who)]:
                froze = (at for who, at in still.items() if _is_of(pod, who))
                found.setdefault(pod, []).append((since.pop(pod), min(froze, default=event.at)))
        if event.what in (What.THAWED, What.DIED):
            still.pop(event.who, None)
    for pod, number in since.items():
        found.setdefault(pod, []).append((number, inf))
    return found


def _is_of(pod: str, who: str) -> bool:
    """Whether it is this one, or of this process, after which its pods are named."""
    return f"{pod}-".startswith(f"{who}-")


def _hears(listened: Sequence[tuple[int, float]], moment: _Moment, events: Sequence[Event]) -> bool:
    until = events[moment.last].at + _NOTICED_SECONDS
    return any(first < moment.first and until < last for first, last in listened)
