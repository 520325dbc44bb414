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


@dataclass(slots=True)
class _Ear:
    """A pod that listens, from one connection to its end.

    When it goes on after it stood still, it hears what came meanwhile, unless its connection or
    the pod itself is gone by then.
    """

    until: float = inf


@dataclass(slots=True)
class _Start:
    """From the question for the last word on a match to what came of it."""

    ears: Mapping[str, _Ear]
    """Pods that listened when it was asked."""
    at: float = inf
    """When somebody first saw that it started."""

    def heard_by(self, pod: str) -> bool:
        """Whether the pod listened all the time."""
        return pod in self.ears and self.at + _NOTICED_SECONDS < self.ears[pod].until


def _untold(
    events: Sequence[Event], matches: Matches, pods: Mapping[str, set[str]]
) -> Iterator[Finding]:
    told = {
        (event.player, event.match, event.who)
        for event in events
        if event.what is What.TOLD and (event.word == "MatchFound" or event.code == "started")
    }
    for match_id, start in _starts(events).items():
        for player in matches.by_id[match_id].players:
            (pod, *others) = pods.get(player, {""})
            if not others and start.heard_by(pod) and (player, match_id, pod) not in told:
                text = f"{player} was not told of match {match_id}, which started; {pod} listened"
                yield Finding(fault=Fault.UNTOLD, about=player, text=text)


def _starts(events: Sequence[Event]) -> dict[str, _Start]:
    ears: dict[str, _Ear] = {}
    still: dict[str, float] = {}
    asked: dict[str, _Start] = {}
    found: dict[str, _Start] = {}
    for event in events:
        _listen(event, ears, still)
        announced = event.what is What.OFFERED and event.word == "publish"
        if (event.what is What.CONFIRMING or announced) and event.match not in found:
            asked.setdefault(event.match, _Start(dict(ears)))
        started = [event.match] if event.what is What.STARTED or announced else []
        for match in started if event.state is None else event.state.started:
            if match in asked:
                asked[match].at = event.at
                found[match] = asked.pop(match)
    return found


def _listen(event: Event, ears: dict[str, _Ear], still: dict[str, float]) -> None:
    """Notes who listens, who stands still, and since when."""
    if event.what is What.LISTENS:
        ears.setdefault(event.who, _Ear())
    elif event.what is What.FROZE:
        still.setdefault(event.who, event.at)
    elif event.what in (What.DEAF, What.DIED):
        for pod in [each for each in ears if _is_of(each, event.who)]:
            froze = (at for who, at in still.items() if _is_of(pod, who))
            ears.pop(pod).until = min(froze, default=event.at)
    if event.what in (What.THAWED, What.DIED):
        still.pop(event.who, None)


def _is_of(pod: str, who: str) -> bool:
    """Whether the pod is `who`, or one of the process `who`, after which its pods are named."""
    return f"{pod}-".startswith(f"{who}-")
